-- Review: what was found in a submission, revisions, talk between submitter and reviewers, and who did what and why.

ALTER TABLE submissions
    ADD COLUMN priority    integer NOT NULL DEFAULT 0,
    ADD COLUMN revision_of uuid REFERENCES submissions,
    ADD COLUMN evaluator   text,
    ADD COLUMN verified_at timestamptz,
    ADD COLUMN verified_by text,
    ADD CHECK ((verified_at IS NULL) = (verified_by IS NULL)),
    ADD CHECK (revision_of <> id);
COMMENT ON COLUMN submissions.priority IS 'Of its next attempts; smaller is sooner. The names are in store::queue::Priority.';
COMMENT ON COLUMN submissions.revision_of IS 'The submission this one replaces when it is published.';
COMMENT ON COLUMN submissions.evaluator IS 'Name of the file that is the Python evaluator, if one was handed in.';
COMMENT ON COLUMN submissions.verified_at IS 'When staff confirmed that the result is what it claims to be.';

-- A revision may be on its way while the result it replaces is still on the board.
DROP INDEX submissions_one_live_model;
CREATE UNIQUE INDEX submissions_one_published ON submissions (release_id, hardware_class, lower(model))
    WHERE state = 'published';
CREATE UNIQUE INDEX submissions_one_underway ON submissions (release_id, hardware_class, lower(model))
    WHERE state IN ('draft', 'uploading', 'checking', 'in_review', 'queued', 'running', 'scoring');
CREATE INDEX submissions_of_user ON submissions (user_id, id);
CREATE INDEX submissions_revisions ON submissions (revision_of) WHERE revision_of IS NOT NULL;

CREATE TABLE submission_findings (
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    position      integer NOT NULL,
    severity      text NOT NULL CHECK (severity IN ('note', 'caution')),
    rule          text NOT NULL,
    place         text NOT NULL,
    sentence      text NOT NULL,
    advice        text NOT NULL,
    PRIMARY KEY (submission_id, position)
);
COMMENT ON TABLE submission_findings IS 'What the automatic checks have to say, the heaviest first. What they refuse never gets here.';
COMMENT ON COLUMN submission_findings.severity IS 'note: good to know; caution: a reviewer has to look.';
COMMENT ON COLUMN submission_findings.place IS 'A file, a line, or both; empty for the submission as a whole.';

CREATE TABLE submission_messages (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    at            timestamptz NOT NULL DEFAULT now(),
    author        text NOT NULL,
    from_staff    boolean NOT NULL,
    body          text NOT NULL CHECK (length(body) BETWEEN 1 AND 4000)
);
CREATE INDEX submission_messages_of ON submission_messages (submission_id, id);
COMMENT ON TABLE submission_messages IS 'Questions of reviewers and answers of the submitter. Read by these alone.';

CREATE TABLE audit_log (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL,
    action        text NOT NULL,
    submission_id uuid REFERENCES submissions ON DELETE SET NULL,
    subject       text NOT NULL,
    reason        text NOT NULL,
    public        boolean NOT NULL
);
CREATE INDEX audit_log_of ON audit_log (submission_id, id) WHERE submission_id IS NOT NULL;
COMMENT ON TABLE audit_log IS 'Every action of staff: who, what, when, why. Written with the action, never changed.';
COMMENT ON COLUMN audit_log.subject IS 'What it was done to, in words: a model, a worker, a user.';
COMMENT ON COLUMN audit_log.public IS 'It touched a result that visitors see or saw, so they may read of it.';
