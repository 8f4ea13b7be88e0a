DROP INDEX jobs_deliveries;
DROP INDEX jobs_one_open;
DELETE FROM jobs WHERE kind = 'webhook';
ALTER TABLE jobs
    DROP CONSTRAINT jobs_webhook, DROP COLUMN event_id, DROP COLUMN webhook_id,
    DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('evaluate', 'score'));
CREATE UNIQUE INDEX jobs_one_open ON jobs (submission_id, kind) WHERE state IN ('queued', 'leased');
DROP TABLE webhooks;
