-- Quota: a token bucket a user. Each submission takes a token; what was not the submitter's fault gives it back.

CREATE TABLE quota_buckets (
    user_id     uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    tokens      double precision NOT NULL,
    refilled_at timestamptz NOT NULL
);
COMMENT ON TABLE quota_buckets IS 'Tokens a user had when the bucket was last looked at; what has flowed in since is computed.';

CREATE TABLE quota_overrides (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    burst      integer NOT NULL CHECK (burst BETWEEN 0 AND 10000),
    per_day    double precision NOT NULL CHECK (per_day >= 0),
    reason     text NOT NULL CHECK (length(reason) > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX quota_overrides_of ON quota_overrides (user_id, expires_at);
COMMENT ON TABLE quota_overrides IS 'Another quota for one user until a day, with the reason. The latest that has not expired counts.';

CREATE TABLE quota_entries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    submission_id uuid REFERENCES submissions ON DELETE SET NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    tokens        integer NOT NULL CHECK (tokens <> 0),
    reason        text NOT NULL
);
CREATE INDEX quota_entries_of ON quota_entries (user_id, id);
CREATE INDEX quota_entries_for ON quota_entries (submission_id);
COMMENT ON TABLE quota_entries IS 'What was taken (-1) and given back (+1), and why. Never changed.';
