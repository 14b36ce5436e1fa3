-- The first schema, as SQLite's: ids are UUIDs, times are milliseconds since the epoch, integers are BIGINT, enums are
-- text with a check, structured values are JSONB. Text that lists are ordered by is compared by its bytes.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- A browser that opened the chat. Only a hash of its token is kept.
CREATE TABLE visitor (
    id         UUID   NOT NULL PRIMARY KEY,
    token_hash BYTEA  NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE agent (
    id            UUID    NOT NULL PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('agent', 'manager')),
    password_hash TEXT    NOT NULL,
    active        BOOLEAN NOT NULL,
    demo          BOOLEAN NOT NULL DEFAULT FALSE,
    created_at    BIGINT  NOT NULL
);

CREATE TABLE session (
    token_hash BYTEA  NOT NULL PRIMARY KEY,
    agent_id   UUID   NOT NULL REFERENCES agent (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_by_agent ON session (agent_id);

-- One row per conversation: its counter, its owner, and what lists sort and filter by. The row changes with every
-- event: room in its page keeps that cheap.
CREATE TABLE conversation (
    id              UUID    NOT NULL PRIMARY KEY,
    visitor_id      UUID    NOT NULL REFERENCES visitor (id),
    state           TEXT    NOT NULL CHECK (state IN ('bot', 'offered', 'queued', 'assigned', 'closed')),
    agent_id        UUID    REFERENCES agent (id),
    last_seq        BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    queued_at       BIGINT,
    closed_at       BIGINT,
    priority        BIGINT  NOT NULL DEFAULT 0,
    reason          TEXT COLLATE "C",
    locale          TEXT,
    page            TEXT,
    demo            BOOLEAN NOT NULL DEFAULT FALSE,
    customer_turns  BIGINT  NOT NULL DEFAULT 0,
    customer_read   BIGINT  NOT NULL DEFAULT 0,
    -- The bot's memory of the dialogue after its latest turn, so that a restart forgets nothing.
    dialogue        JSONB,
    CHECK ((state = 'assigned') = (agent_id IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX conversation_by_state ON conversation (state, updated_at);
CREATE INDEX conversation_by_visitor ON conversation (visitor_id, created_at);
CREATE INDEX conversation_by_update ON conversation (updated_at);

-- The append-only log: seq is gapless because it comes from conversation.last_seq in the same transaction, which
-- holds that row locked.
CREATE TABLE event (
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('disclosure', 'message', 'human_request', 'state', 'note',
                                                    'rating', 'feedback', 'left_message')),
    visibility      TEXT   NOT NULL CHECK (visibility IN ('all', 'staff')),
    author          TEXT   NOT NULL CHECK (author IN ('customer', 'bot', 'agent', 'system')),
    author_id       UUID,
    author_name     TEXT,
    client_id       UUID,
    in_reply_to     BIGINT,
    text            TEXT,
    data            JSONB,
    PRIMARY KEY (conversation_id, seq)
);
-- A re-sent frame finds its first seq; a turn is answered once, also after a crash.
CREATE UNIQUE INDEX event_by_client ON event (conversation_id, client_id) WHERE client_id IS NOT NULL;
CREATE UNIQUE INDEX event_by_reply ON event (conversation_id, in_reply_to) WHERE in_reply_to IS NOT NULL;

-- One row per customer turn: the reading, the decision and its explanation.
CREATE TABLE turn (
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    source          TEXT   NOT NULL CHECK (source IN ('model', 'rules')),
    mood            TEXT   NOT NULL CHECK (mood IN ('positive', 'neutral', 'negative', 'frustrated')),
    negative        DOUBLE PRECISION NOT NULL,
    positive        DOUBLE PRECISION NOT NULL,
    frustration     DOUBLE PRECISION NOT NULL,
    intent          TEXT,
    action          TEXT   NOT NULL CHECK (action IN ('reply', 'clarify', 'fallback', 'offer', 'handoff', 'silent')),
    reasons         JSONB  NOT NULL,
    trace           JSONB  NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);

-- One row per hand-over: when it was asked, when a person took it, when they first answered.
CREATE TABLE handover (
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             BIGINT NOT NULL,
    reason          TEXT COLLATE "C" NOT NULL,
    queued_at       BIGINT NOT NULL,
    claimed_at      BIGINT,
    answered_at     BIGINT,
    agent_id        UUID   REFERENCES agent (id),
    PRIMARY KEY (conversation_id, seq)
);
CREATE INDEX handover_by_time ON handover (queued_at);

CREATE TABLE rating (
    conversation_id UUID   NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    kind            TEXT   NOT NULL CHECK (kind IN ('csat', 'ces', 'nps')),
    score           BIGINT NOT NULL,
    comment         TEXT,
    at              BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, kind)
);

-- Full-text search over messages, notes and left messages: the words of a text without accents, one space between
-- them, so that the parser has nothing to guess (an order's "JT-1042" would be read as a name and a negative number).
-- The query goes through the same function.
CREATE FUNCTION search_words(typed TEXT) RETURNS TEXT
LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
RETURN btrim(regexp_replace(
    normalize(regexp_replace(normalize(typed, NFD), '[\u0300-\u036F]', '', 'g'), NFC),
    '[^[:alnum:]]+', ' ', 'g'));
CREATE INDEX event_search ON event USING GIN (to_tsvector('simple', search_words(text))) WHERE text IS NOT NULL;
