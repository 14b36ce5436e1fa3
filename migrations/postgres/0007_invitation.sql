-- Signs of leaving after a conversation's latest turn, for lists; each turn's own stand in its trace.
CREATE TABLE churn (
    conversation_id UUID NOT NULL PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    score           DOUBLE PRECISION NOT NULL,
    band            TEXT NOT NULL CHECK (band IN ('low', 'medium', 'high')),
    risk            JSONB NOT NULL
);

-- Invitations that were due, per UTC day: how often one was shown, and how often it was held out for
-- comparison. Counts only: nothing says whose they were.
CREATE TABLE invitation_count (
    day          BIGINT NOT NULL,
    trigger_name TEXT COLLATE "C" NOT NULL,
    arm          TEXT COLLATE "C" NOT NULL CHECK (arm IN ('shown', 'held_out')),
    count        BIGINT NOT NULL,
    PRIMARY KEY (day, trigger_name, arm)
);

-- The invitation of the page view in which a conversation was opened. `accepted`: it was opened by it.
CREATE TABLE invitation (
    conversation_id UUID    NOT NULL PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    trigger_name    TEXT COLLATE "C" NOT NULL,
    arm             TEXT COLLATE "C" NOT NULL CHECK (arm IN ('shown', 'held_out')),
    accepted        BOOLEAN NOT NULL
);
