-- Figures and the deleting at the end of the time ask by when something began; the desk asks whether there are samples.
CREATE INDEX conversation_by_creation ON conversation (created_at);
CREATE INDEX conversation_demo ON conversation (id) WHERE demo;
CREATE INDEX visitor_by_creation ON visitor (created_at);
