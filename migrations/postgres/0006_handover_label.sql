-- When a person should have come, as staff see it: on the customer's turn at which one was needed, or on any turn
-- of a conversation that needed none. Measured against what a policy does.
CREATE TABLE handover_label (
    conversation_id UUID    NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    seq             BIGINT  NOT NULL,
    needed          BOOLEAN NOT NULL,
    agent_id        UUID    NOT NULL REFERENCES agent (id),
    at              BIGINT  NOT NULL,
    PRIMARY KEY (conversation_id, seq)
);
