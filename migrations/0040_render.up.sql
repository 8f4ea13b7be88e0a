-- Releases that workers render: a build is a plan without its texts, a shard one render job of it, and every lease of a
-- shard a row of the queue.

CREATE TABLE builds (
    id          uuid PRIMARY KEY,
    release     text NOT NULL CHECK (length(release) BETWEEN 1 AND 200),
    plan_sha256 text NOT NULL UNIQUE CHECK (plan_sha256 ~ '^[0-9a-f]{64}$'),
    renderer    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE builds IS 'Releases being rendered. The plan itself, with its references, stays with the operator who builds.';
COMMENT ON COLUMN builds.release IS 'slug@version of what is built.';
COMMENT ON COLUMN builds.plan_sha256 IS 'Hash of the addresses of all jobs: building the same again finds what is done.';
COMMENT ON COLUMN builds.renderer IS 'Program and version whose workers may render it.';

CREATE TABLE shards (
    build_id   uuid NOT NULL REFERENCES builds ON DELETE CASCADE,
    number     integer NOT NULL CHECK (number >= 0),
    items      integer NOT NULL CHECK (items > 0),
    job        text NOT NULL,
    recordings text[] NOT NULL,
    result     text,
    PRIMARY KEY (build_id, number)
);
COMMENT ON TABLE shards IS 'Parts of a build, each rendered by one worker.';
COMMENT ON COLUMN shards.items IS 'Items in it.';
COMMENT ON COLUMN shards.job IS 'benchmark::release::RenderJob as JSON, byte for byte. No reference, no name.';
COMMENT ON COLUMN shards.recordings IS 'Hashes of the dry recordings it needs; the content is the object recording/<sha256>.';
COMMENT ON COLUMN shards.result IS 'benchmark::release::JobResult as JSON, once it is rendered.';

ALTER TABLE jobs
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('evaluate', 'score', 'webhook', 'render')),
    ALTER COLUMN submission_id DROP NOT NULL,
    ADD COLUMN build_id uuid,
    ADD COLUMN shard integer,
    ADD CONSTRAINT jobs_shard FOREIGN KEY (build_id, shard) REFERENCES shards ON DELETE CASCADE,
    ADD CONSTRAINT jobs_render CHECK ((kind = 'render') = (submission_id IS NULL)
        AND (kind = 'render') = (build_id IS NOT NULL AND shard IS NOT NULL));
COMMENT ON COLUMN jobs.kind IS 'evaluate and render: run by a worker over HTTP; score and webhook: run by the service itself.';
COMMENT ON COLUMN jobs.runtime IS 'For evaluate: the runtime the model needs. For render: the renderer.';
COMMENT ON COLUMN jobs.shard IS 'For render: what is rendered.';
CREATE UNIQUE INDEX jobs_one_render ON jobs (build_id, shard) WHERE state IN ('queued', 'leased');
CREATE INDEX jobs_renders ON jobs (priority, id) WHERE kind = 'render' AND state = 'queued';
CREATE INDEX jobs_of_shard ON jobs (build_id, shard, id) WHERE kind = 'render';
