DELETE FROM jobs WHERE kind = 'render';
DROP INDEX jobs_of_shard;
DROP INDEX jobs_renders;
DROP INDEX jobs_one_render;
ALTER TABLE jobs
    DROP CONSTRAINT jobs_render, DROP CONSTRAINT jobs_shard, DROP COLUMN shard, DROP COLUMN build_id,
    ALTER COLUMN submission_id SET NOT NULL,
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('evaluate', 'score', 'webhook'));
DROP TABLE shards;
DROP TABLE builds;
