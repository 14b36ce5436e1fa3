-- Work that one process at a time does for all. `token` rises whenever a lease changes hands.
CREATE TABLE lease (
    name     TEXT    NOT NULL PRIMARY KEY,
    holder   BLOB    NOT NULL,
    token    INTEGER NOT NULL,
    until_at INTEGER NOT NULL
) STRICT;

-- How often a delivery was taken up: only who took it up last may say how it ended. Until then `next_at` is when
-- it is taken from whoever has it.
ALTER TABLE outbox ADD COLUMN claim INTEGER NOT NULL DEFAULT 0;
