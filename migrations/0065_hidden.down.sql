ALTER TABLE submissions DROP COLUMN hidden_at, DROP COLUMN hidden_by;
