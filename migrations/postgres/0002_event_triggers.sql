-- What every event brings with it happens where it is inserted, so that an append is one statement: the
-- conversation's counters move. An event takes last_seq + 1 in the statement that inserts it.

CREATE FUNCTION count_event() RETURNS TRIGGER
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE conversation SET last_seq = NEW.seq, updated_at = NEW.at,
        customer_turns = customer_turns
            + CASE WHEN NEW.author = 'customer' AND NEW.kind IN ('message', 'human_request') THEN 1 ELSE 0 END
    WHERE id = NEW.conversation_id;
    RETURN NULL;
END;
$$;

CREATE TRIGGER event_counted AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION count_event();
