DROP TABLE audit_log, submission_messages, submission_findings;
DROP INDEX submissions_revisions, submissions_of_user, submissions_one_underway, submissions_one_published;
CREATE UNIQUE INDEX submissions_one_live_model ON submissions (release_id, hardware_class, lower(model))
    WHERE state NOT IN ('rejected', 'failed', 'cancelled', 'withdrawn', 'superseded', 'quarantined');
ALTER TABLE submissions
    DROP COLUMN priority, DROP COLUMN revision_of, DROP COLUMN evaluator, DROP COLUMN verified_at, DROP COLUMN verified_by;
