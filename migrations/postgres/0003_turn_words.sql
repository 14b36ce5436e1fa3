-- Which words carried a turn's frustration ([{start, end, frustration}]); none where nobody asked or the server stopped
-- before it knew. Written after the turn, for explanation only.
ALTER TABLE turn ADD COLUMN words JSONB;
