-- Who a visitor is, in the business's signed word: its own id of the customer, and what it says about them. Several
-- visitors, one for each browser, may be one customer.
ALTER TABLE visitor ADD COLUMN external_id TEXT;
ALTER TABLE visitor ADD COLUMN profile JSONB;
CREATE INDEX visitor_by_external_id ON visitor (external_id);
