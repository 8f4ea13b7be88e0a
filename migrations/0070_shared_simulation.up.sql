ALTER TABLE shards ADD COLUMN simulation TEXT;
COMMENT ON COLUMN shards.simulation IS
    'Hash of a simulation that costs much and that shards of one room share: they stay with the worker that has it. NULL where it costs little.';
CREATE INDEX shards_simulation ON shards (build_id, simulation) WHERE simulation IS NOT NULL;
