-- What customers may ask for themselves. A visitor who objects to the reading of their mood says so once for all that
-- comes; a conversation that was erased keeps its place and nothing that was said in it.
ALTER TABLE visitor ADD COLUMN objected_at BIGINT;
ALTER TABLE conversation ADD COLUMN erased_at BIGINT;
-- Which survey was asked at the end, so that none is asked too often.
ALTER TABLE conversation ADD COLUMN survey TEXT CHECK (survey IN ('csat', 'ces', 'nps'));
