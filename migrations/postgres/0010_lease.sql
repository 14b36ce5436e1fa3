-- Work that one process at a time does for all. `token` rises whenever a lease changes hands.
CREATE TABLE lease (
    name     TEXT   NOT NULL PRIMARY KEY,
    holder   UUID   NOT NULL,
    token    BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);

-- How often a delivery was taken up: only who took it up last may say how it ended. Until then `next_at` is when
-- it is taken from whoever has it.
ALTER TABLE outbox ADD COLUMN claim BIGINT NOT NULL DEFAULT 0;
