-- The first schema. Ids are 16-byte UUIDs, times are milliseconds since the epoch, enums are text
-- with a check, structured values are JSON text: the forms that PostgreSQL has too.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- A browser that opened the chat. Only a hash of its token is kept.
CREATE TABLE visitor (
    id         BLOB    NOT NULL PRIMARY KEY,
    token_hash BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE agent (
    id            BLOB    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('agent', 'manager')),
    password_hash TEXT    NOT NULL,
    active        INTEGER NOT NULL,
    demo          INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    token_hash BLOB    NOT NULL PRIMARY KEY,
    agent_id   BLOB    NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- One row per conversation: its counter, its owner, and what lists sort and filter by.
CREATE TABLE conversation (
    id              BLOB    NOT NULL PRIMARY KEY,
    visitor_id      BLOB    NOT NULL REFERENCES visitor (id),
    state           TEXT    NOT NULL CHECK (state IN ('bot', 'offered', 'queued', 'assigned', 'closed')),
    agent_id        BLOB    REFERENCES agent (id),
    last_seq        INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    queued_at       INTEGER,
    closed_at       INTEGER,
    priority        INTEGER NOT NULL DEFAULT 0,
    reason          TEXT,
    locale          TEXT,
    page            TEXT,
    demo            INTEGER NOT NULL DEFAULT 0,
    customer_turns  INTEGER NOT NULL DEFAULT 0,
    customer_read   INTEGER NOT NULL DEFAULT 0,
    -- The bot's memory of the dialogue after its latest turn (JSON), so that a restart forgets nothing.
    dialogue        TEXT,
    CHECK ((state = 'assigned') = (agent_id IS NOT NULL))
) STRICT;
CREATE INDEX conversation_by_state ON conversation (state, updated_at);
CREATE INDEX conversation_by_visitor ON conversation (visitor_id, created_at);
CREATE INDEX conversation_by_update ON conversation (updated_at);

-- The append-only log: seq is gapless because it comes from conversation.last_seq in the same transaction.
CREATE TABLE event (
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    kind            TEXT    NOT NULL CHECK (kind IN ('disclosure', 'message', 'human_request', 'state', 'note',
                                                     'rating', 'feedback', 'left_message')),
    visibility      TEXT    NOT NULL CHECK (visibility IN ('all', 'staff')),
    author          TEXT    NOT NULL CHECK (author IN ('customer', 'bot', 'agent', 'system')),
    author_id       BLOB,
    author_name     TEXT,
    client_id       BLOB,
    in_reply_to     INTEGER,
    text            TEXT,
    data            TEXT,
    PRIMARY KEY (conversation_id, seq)
) STRICT;
-- A re-sent frame finds its first seq; a turn is answered once, also after a crash.
CREATE UNIQUE INDEX event_by_client ON event (conversation_id, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX event_by_reply ON event (conversation_id, in_reply_to) WHERE in_reply_to IS NOT NULL;

-- One row per customer turn: the reading, the decision and its explanation.
CREATE TABLE turn (
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    source          TEXT    NOT NULL CHECK (source IN ('model', 'rules')),
    mood            TEXT    NOT NULL CHECK (mood IN ('positive', 'neutral', 'negative', 'frustrated')),
    negative        REAL    NOT NULL,
    positive        REAL    NOT NULL,
    frustration     REAL    NOT NULL,
    intent          TEXT,
    action          TEXT    NOT NULL CHECK (action IN ('reply', 'clarify', 'fallback', 'offer', 'handoff', 'silent')),
    reasons         TEXT    NOT NULL,
    trace           TEXT    NOT NULL,
    PRIMARY KEY (conversation_id, seq)
) STRICT;

-- One row per hand-over: when it was asked, when a person took it, when they first answered.
CREATE TABLE handover (
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             INTEGER NOT NULL,
    reason          TEXT    NOT NULL,
    queued_at       INTEGER NOT NULL,
    claimed_at      INTEGER,
    answered_at     INTEGER,
    agent_id        BLOB    REFERENCES agent (id),
    PRIMARY KEY (conversation_id, seq)
) STRICT;
CREATE INDEX handover_by_time ON handover (queued_at);

CREATE TABLE rating (
    conversation_id BLOB    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    kind            TEXT    NOT NULL CHECK (kind IN ('csat', 'ces', 'nps')),
    score           INTEGER NOT NULL,
    comment         TEXT,
    at              INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, kind)
) STRICT;

-- Full-text search over messages, notes and left messages.
CREATE VIRTUAL TABLE event_search USING fts5 (
    text, conversation_id UNINDEXED, seq UNINDEXED, tokenize = 'unicode61 remove_diacritics 2'
);
