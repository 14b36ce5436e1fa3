-- What has to leave the server for certain: written with what causes it, delivered afterwards, at least once.
CREATE TABLE outbox (
    id              BLOB    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL CHECK (kind IN ('webhook', 'mail')),
    -- What it is about; it goes with that.
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    payload         TEXT    NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    -- When it is tried next; null once it is delivered or given up.
    next_at         INTEGER,
    done_at         INTEGER
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_by_conversation ON outbox (conversation_id);

-- What a hand-over was told and what follows while nobody has come.
-- People ahead of it in the queue, and whether anybody was at a desk: a wait is only like the waits of its kind.
ALTER TABLE handover ADD COLUMN ahead INTEGER;
ALTER TABLE handover ADD COLUMN staffed INTEGER;
-- When the wait is longer than it was said to be, and when the customer was told so.
ALTER TABLE handover ADD COLUMN late_at INTEGER;
ALTER TABLE handover ADD COLUMN late_said_at INTEGER;
-- When the on-call person is told again, and how often that was done.
ALTER TABLE handover ADD COLUMN remind_at INTEGER;
ALTER TABLE handover ADD COLUMN reminders INTEGER NOT NULL DEFAULT 0;
CREATE INDEX handover_waiting ON handover (conversation_id) WHERE claimed_at IS NULL;
