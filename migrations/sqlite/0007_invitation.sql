-- Signs of leaving after a conversation's latest turn, for lists; each turn's own stand in its trace.
CREATE TABLE churn (
    conversation_id BLOB NOT NULL PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    score           REAL NOT NULL,
    band            TEXT NOT NULL CHECK (band IN ('low', 'medium', 'high')),
    risk            TEXT NOT NULL
) STRICT;

-- Invitations that were due, per UTC day: how often one was shown, and how often it was held out for
-- comparison. Counts only: nothing says whose they were.
CREATE TABLE invitation_count (
    day          INTEGER NOT NULL,
    trigger_name TEXT    NOT NULL,
    arm          TEXT    NOT NULL CHECK (arm IN ('shown', 'held_out')),
    count        INTEGER NOT NULL,
    PRIMARY KEY (day, trigger_name, arm)
) STRICT;

-- The invitation of the page view in which a conversation was opened. `accepted`: it was opened by it.
CREATE TABLE invitation (
    conversation_id BLOB    NOT NULL PRIMARY KEY REFERENCES conversation (id) ON DELETE CASCADE,
    trigger_name    TEXT    NOT NULL,
    arm             TEXT    NOT NULL CHECK (arm IN ('shown', 'held_out')),
    accepted        INTEGER NOT NULL
) STRICT;
