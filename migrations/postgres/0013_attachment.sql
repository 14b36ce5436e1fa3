-- Files that customers attach. Their bytes lie in a directory, each under its id; a row here says whose it is, so a file
-- without one is nobody's and is removed.
CREATE TABLE attachment (
    id              UUID   NOT NULL PRIMARY KEY,
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    kind            TEXT   NOT NULL CHECK (kind IN ('jpeg', 'png', 'pdf')),
    name            TEXT   NOT NULL,
    bytes           BIGINT NOT NULL,
    at              BIGINT NOT NULL
);
CREATE INDEX attachment_by_conversation ON attachment (conversation_id);
