-- Files that customers attach. Their bytes lie in a directory, each under its id; a row here says whose it is, so a file
-- without one is nobody's and is removed.
CREATE TABLE attachment (
    id              BLOB    NOT NULL PRIMARY KEY,
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    kind            TEXT    NOT NULL CHECK (kind IN ('jpeg', 'png', 'pdf')),
    name            TEXT    NOT NULL,
    bytes           INTEGER NOT NULL,
    at              INTEGER NOT NULL
) STRICT;
CREATE INDEX attachment_by_conversation ON attachment (conversation_id);
