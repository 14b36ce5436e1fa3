-- What has to leave the server for certain: written with what causes it, delivered afterwards, at least once.
CREATE TABLE outbox (
    id              UUID   NOT NULL PRIMARY KEY,
    kind            TEXT   NOT NULL CHECK (kind IN ('webhook', 'mail')),
    -- What it is about; it goes with that.
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    payload         JSONB  NOT NULL,
    attempts        BIGINT NOT NULL DEFAULT 0,
    created_at      BIGINT NOT NULL,
    -- When it is tried next; null once it is delivered or given up.
    next_at         BIGINT,
    done_at         BIGINT
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_by_conversation ON outbox (conversation_id);

-- What a hand-over was told and what follows while nobody has come.
-- People ahead of it in the queue, and whether anybody was at a desk: a wait is only like the waits of its kind.
ALTER TABLE handover ADD COLUMN ahead BIGINT;
ALTER TABLE handover ADD COLUMN staffed BOOLEAN;
-- When the wait is longer than it was said to be, and when the customer was told so.
ALTER TABLE handover ADD COLUMN late_at BIGINT;
ALTER TABLE handover ADD COLUMN late_said_at BIGINT;
-- When the on-call person is told again, and how often that was done.
ALTER TABLE handover ADD COLUMN remind_at BIGINT;
ALTER TABLE handover ADD COLUMN reminders BIGINT NOT NULL DEFAULT 0;
CREATE INDEX handover_waiting ON handover (conversation_id) WHERE claimed_at IS NULL;
