DROP INDEX shards_simulation;
ALTER TABLE shards DROP COLUMN simulation;
