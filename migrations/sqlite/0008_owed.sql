-- Since when the bot owes a conversation an answer: the time of the first customer turn that nothing was decided about
-- yet. What a crash leaves unanswered is found by it, however long the log is.
ALTER TABLE conversation ADD COLUMN owed_since INTEGER;
UPDATE conversation SET owed_since =
    (SELECT MIN(e.at) FROM event e WHERE e.conversation_id = conversation.id AND e.author = 'customer'
        AND e.kind IN ('message', 'human_request')
        AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = e.conversation_id AND t.seq = e.seq))
WHERE EXISTS
    (SELECT 1 FROM event e WHERE e.conversation_id = conversation.id AND e.author = 'customer'
        AND e.kind IN ('message', 'human_request')
        AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = e.conversation_id AND t.seq = e.seq));
CREATE INDEX conversation_owed ON conversation (owed_since) WHERE owed_since IS NOT NULL;

CREATE TRIGGER event_owed AFTER INSERT ON event
WHEN NEW.author = 'customer' AND NEW.kind IN ('message', 'human_request')
BEGIN
    UPDATE conversation SET owed_since = NEW.at WHERE id = NEW.conversation_id AND owed_since IS NULL;
END;

-- Turns are decided in the order of the log: only later ones can still be owed.
CREATE TRIGGER turn_decided AFTER INSERT ON turn
BEGIN
    UPDATE conversation SET owed_since =
        (SELECT MIN(e.at) FROM event e WHERE e.conversation_id = NEW.conversation_id AND e.seq > NEW.seq
            AND e.author = 'customer' AND e.kind IN ('message', 'human_request')
            AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.conversation_id = e.conversation_id AND t.seq = e.seq))
    WHERE id = NEW.conversation_id;
END;
