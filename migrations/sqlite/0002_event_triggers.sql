-- What every event brings with it happens where it is inserted, so that an append is one statement:
-- the conversation's counters move, and a text becomes searchable. An event takes last_seq + 1 in the
-- statement that inserts it. PostgreSQL has the same triggers, and no use for the second one if its
-- full-text index stands on the event table itself.

CREATE TRIGGER event_counted AFTER INSERT ON event
BEGIN
    UPDATE conversation SET last_seq = NEW.seq, updated_at = NEW.at,
        customer_turns = customer_turns
            + CASE WHEN NEW.author = 'customer' AND NEW.kind IN ('message', 'human_request') THEN 1 ELSE 0 END
    WHERE id = NEW.conversation_id;
END;

CREATE TRIGGER event_indexed AFTER INSERT ON event WHEN NEW.text IS NOT NULL
BEGIN
    INSERT INTO event_search (text, conversation_id, seq) VALUES (NEW.text, NEW.conversation_id, NEW.seq);
END;
