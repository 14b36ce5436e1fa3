-- Who has a desk open, for each server process at which they do. A process writes its own seats and refreshes
-- `seen_at`; whoever sees that it does not change any more takes the process for dead.
CREATE TABLE seat (
    agent_id BLOB    NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    node     BLOB    NOT NULL,
    status   TEXT    NOT NULL CHECK (status IN ('online', 'away')),
    -- Counts what the agent said of themselves: where two processes know different things, the higher is newer.
    said     INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (node, agent_id)
) STRICT;
