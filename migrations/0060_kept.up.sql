-- Work that outlives a lost attempt: items it finished, and what nodes measured of their own pace.

CREATE TABLE kept_parts (
    attempt_id    uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    basis         text NOT NULL
);
CREATE INDEX kept_parts_of ON kept_parts (submission_id);
COMMENT ON TABLE kept_parts IS 'Attempts with finished items that the next attempt need not repeat. Gone when no attempt is open any more.';
COMMENT ON COLUMN kept_parts.basis IS 'protocol::Basis as JSON: under which conditions the items were timed.';

CREATE TABLE kept_items (
    submission_id uuid NOT NULL,
    item_id       uuid NOT NULL,
    attempt_id    uuid NOT NULL REFERENCES kept_parts ON DELETE CASCADE,
    result        text NOT NULL,
    PRIMARY KEY (submission_id, item_id)
);
CREATE INDEX kept_items_of ON kept_items (attempt_id);
COMMENT ON TABLE kept_items IS 'Finished items, each once a submission: the first to be kept stays.';
COMMENT ON COLUMN kept_items.result IS 'protocol::ItemResult as JSON: a model may say U+0000, which jsonb does not take.';

CREATE TABLE paces (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker_id      uuid NOT NULL REFERENCES workers ON DELETE CASCADE,
    attempt_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    at             timestamptz NOT NULL DEFAULT now(),
    moment         text NOT NULL CHECK (moment IN ('before', 'after')),
    seconds        double precision NOT NULL CHECK (seconds > 0),
    golden_seconds double precision NOT NULL CHECK (golden_seconds > 0),
    tolerance      double precision NOT NULL CHECK (tolerance >= 0)
);
CREATE INDEX paces_of ON paces (worker_id, id);
COMMENT ON TABLE paces IS 'Calibration history: each time a node with a golden value measured its pace around an attempt.';
COMMENT ON COLUMN paces.tolerance IS 'How far from the golden value a run still counted, as a share.';

CREATE INDEX jobs_of_worker ON jobs (worker_id, started_at) WHERE worker_id IS NOT NULL;
