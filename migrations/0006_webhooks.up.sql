-- Webhooks: an address of a user is told when one of his submissions moves. Deliveries are jobs.

CREATE TABLE webhooks (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    url         text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    secret      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    last_result text
);
CREATE INDEX webhooks_of ON webhooks (user_id);
COMMENT ON TABLE webhooks IS 'Where a user wants to be told.';
COMMENT ON COLUMN webhooks.secret IS 'Key of the HMAC-SHA256 over each delivery. Needed in the clear, so it opens nothing else.';
COMMENT ON COLUMN webhooks.disabled_at IS 'Set when an address has refused for so long that nothing more is sent.';
COMMENT ON COLUMN webhooks.last_result IS 'How the latest delivery ended, one sentence for the user.';

ALTER TABLE jobs
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('evaluate', 'score', 'webhook')),
    ADD COLUMN webhook_id uuid REFERENCES webhooks ON DELETE CASCADE,
    ADD COLUMN event_id bigint REFERENCES submission_events ON DELETE CASCADE,
    ADD CONSTRAINT jobs_webhook CHECK ((kind = 'webhook') = (webhook_id IS NOT NULL AND event_id IS NOT NULL));
COMMENT ON COLUMN jobs.kind IS 'evaluate: run by a worker over HTTP; score and webhook: run by the service itself.';
COMMENT ON COLUMN jobs.webhook_id IS 'For webhook: where to deliver.';
COMMENT ON COLUMN jobs.event_id IS 'For webhook: what is told.';
DROP INDEX jobs_one_open;
CREATE UNIQUE INDEX jobs_one_open ON jobs (submission_id, kind)
    WHERE state IN ('queued', 'leased') AND kind <> 'webhook';
CREATE INDEX jobs_deliveries ON jobs (run_after) WHERE kind = 'webhook' AND state = 'queued';
