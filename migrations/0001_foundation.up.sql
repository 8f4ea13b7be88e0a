-- The foundation: accounts, releases, submissions, the lease queue, scores, boards published elsewhere.
-- Invariants of the state machine (crates/store/src/state.rs) are repeated here as CHECKs.

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    role          text NOT NULL CHECK (role IN ('submitter', 'reviewer', 'admin')),
    password_hash text,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE users IS 'People who may sign in. Visitors need no account.';
COMMENT ON COLUMN users.role IS 'submitter: own submissions; reviewer: triage; admin: everything.';
COMMENT ON COLUMN users.password_hash IS 'argon2id in PHC format; null for an account without password sign-in.';

CREATE TABLE sessions (
    token_sha256 bytea PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE sessions IS 'Signed-in browsers.';
COMMENT ON COLUMN sessions.token_sha256 IS 'Hash of the 256-bit random cookie; the cookie itself is never stored.';

CREATE TABLE api_tokens (
    token_sha256 bytea PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    label        text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE api_tokens IS 'Personal tokens for the JSON API, hash only.';

CREATE TABLE workers (
    id               uuid PRIMARY KEY,
    name             text NOT NULL UNIQUE,
    token_sha256     bytea NOT NULL UNIQUE,
    hardware_classes text[] NOT NULL CHECK (cardinality(hardware_classes) > 0),
    fingerprint      jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    last_seen_at     timestamptz,
    draining         boolean NOT NULL DEFAULT false,
    revoked_at       timestamptz
);
COMMENT ON TABLE workers IS 'Nodes that run models. They hold a token and nothing else of ours.';
COMMENT ON COLUMN workers.hardware_classes IS 'The classes this token may claim jobs for.';
COMMENT ON COLUMN workers.fingerprint IS 'protocol::NodeFingerprint as last reported.';
COMMENT ON COLUMN workers.draining IS 'Finish the current attempt, claim no more.';

CREATE TABLE releases (
    id              uuid PRIMARY KEY,
    slug            text NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    version         text NOT NULL,
    title           text NOT NULL,
    state           text NOT NULL CHECK (state IN ('draft', 'rendering', 'frozen', 'retired')),
    manifest_sha256 text CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    about           jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    frozen_at       timestamptz,
    UNIQUE (slug, version),
    CHECK ((state IN ('frozen', 'retired')) = (frozen_at IS NOT NULL)),
    CHECK (frozen_at IS NULL OR manifest_sha256 IS NOT NULL)
);
COMMENT ON TABLE releases IS 'Benchmarks. Only a frozen release takes submissions; a frozen release never changes.';
COMMENT ON COLUMN releases.about IS 'What a visitor may know of it: seed, rooms, noise, corpus licence and attribution.';

CREATE TABLE items (
    id           uuid NOT NULL,
    release_id   uuid NOT NULL REFERENCES releases ON DELETE CASCADE,
    part         text NOT NULL CHECK (part IN ('scored', 'warm_up', 'repeat')),
    pass         integer NOT NULL DEFAULT 0 CHECK (pass >= 0),
    track        text NOT NULL,
    utterance    text NOT NULL,
    reference    text NOT NULL,
    talker       text NOT NULL,
    room         text,
    audio_sha256 text NOT NULL CHECK (audio_sha256 ~ '^[0-9a-f]{64}$'),
    audio_bytes  bigint NOT NULL CHECK (audio_bytes > 0),
    seconds      double precision NOT NULL CHECK (seconds > 0),
    conditions   jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (release_id, id),
    CHECK ((part = 'repeat') = (pass > 0))
);
COMMENT ON TABLE items IS 'Utterances in scenes. PRIVATE: references never leave the service.';
COMMENT ON COLUMN items.part IS 'scored: once, timed and scored; warm_up: neither; repeat: timed only.';
COMMENT ON COLUMN items.pass IS 'Number of the repeat pass, from 1; 0 otherwise.';
COMMENT ON COLUMN items.reference IS 'What was said, raw.';
COMMENT ON COLUMN items.conditions IS 'Measured: snr_db, t30_s, c50_db, drr_db, distance_m, noise_kinds.';

CREATE TABLE submissions (
    id               uuid PRIMARY KEY,
    user_id          uuid NOT NULL REFERENCES users,
    release_id       uuid NOT NULL REFERENCES releases,
    hardware_class   text NOT NULL,
    manifest         jsonb NOT NULL,
    model            text NOT NULL GENERATED ALWAYS AS (manifest ->> 'name') STORED,
    state            text NOT NULL CHECK (state IN ('draft', 'uploading', 'checking', 'in_review', 'queued', 'running',
                         'scoring', 'published', 'rejected', 'failed', 'cancelled', 'withdrawn', 'superseded',
                         'quarantined')),
    failure_class    text,
    reason           text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    state_entered_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'failed') = (failure_class IS NOT NULL))
);
CREATE UNIQUE INDEX submissions_one_live_model ON submissions (release_id, hardware_class, lower(model))
    WHERE state NOT IN ('rejected', 'failed', 'cancelled', 'withdrawn', 'superseded', 'quarantined');
CREATE INDEX submissions_state ON submissions (state, state_entered_at);
COMMENT ON TABLE submissions IS 'Models somebody wants ranked, and where each is.';
COMMENT ON INDEX submissions_one_live_model IS 'The same name cannot be live twice on one release and hardware class.';
COMMENT ON COLUMN submissions.manifest IS 'protocol::ModelManifest.';
COMMENT ON COLUMN submissions.reason IS 'One sentence for the submitter about the present state.';

CREATE TABLE submission_files (
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    name          text NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
    sha256        text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes         bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (submission_id, name)
);
COMMENT ON TABLE submission_files IS 'Uploaded files of a model; the content is the object model/<sha256>.';

CREATE TABLE submission_events (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL,
    from_state    text,
    to_state      text NOT NULL,
    reason        text NOT NULL
);
CREATE INDEX submission_events_of ON submission_events (submission_id, id);
COMMENT ON TABLE submission_events IS 'Who moved a submission, when and why. Written with each transition, never changed.';
COMMENT ON COLUMN submission_events.actor IS 'A user''s name, a worker''s name, or "service".';

CREATE TABLE jobs (
    id               uuid PRIMARY KEY,
    kind             text NOT NULL CHECK (kind IN ('evaluate', 'score')),
    submission_id    uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    attempt_id       uuid REFERENCES jobs ON DELETE CASCADE,
    number           integer NOT NULL DEFAULT 1 CHECK (number >= 1),
    state            text NOT NULL DEFAULT 'queued'
                         CHECK (state IN ('queued', 'leased', 'succeeded', 'failed', 'cancelled')),
    priority         integer NOT NULL DEFAULT 0,
    run_after        timestamptz NOT NULL DEFAULT now(),
    hardware_class   text NOT NULL,
    runtime          text NOT NULL,
    seed             bigint NOT NULL,
    worker_id        uuid REFERENCES workers,
    fencing_token    uuid,
    lease_expires_at timestamptz,
    stage            text,
    progress_done    integer NOT NULL DEFAULT 0,
    progress_total   integer NOT NULL DEFAULT 0,
    log_tail         text NOT NULL DEFAULT '',
    failure_class    text,
    message          text,
    results_sha256   text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    CHECK ((state = 'leased') = (lease_expires_at IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_class IS NOT NULL)),
    CHECK (state <> 'leased' OR fencing_token IS NOT NULL),
    CHECK ((kind = 'score') = (attempt_id IS NOT NULL))
);
CREATE UNIQUE INDEX jobs_one_open ON jobs (submission_id, kind) WHERE state IN ('queued', 'leased');
CREATE INDEX jobs_claim ON jobs (kind, priority, run_after, id) WHERE state = 'queued';
CREATE INDEX jobs_leases ON jobs (lease_expires_at) WHERE state = 'leased';
CREATE INDEX jobs_of ON jobs (submission_id, id);
COMMENT ON TABLE jobs IS 'The lease queue. An evaluate job is one attempt and is one lease: a retry is a new row.';
COMMENT ON COLUMN jobs.kind IS 'evaluate: run by a worker over HTTP; score: run by the service itself.';
COMMENT ON COLUMN jobs.attempt_id IS 'For score: the attempt whose hypotheses are scored.';
COMMENT ON COLUMN jobs.priority IS 'Smaller is sooner.';
COMMENT ON COLUMN jobs.fencing_token IS 'Every write about a leased job must carry it; a stale one is refused.';
COMMENT ON COLUMN jobs.results_sha256 IS 'Hash of the object results/<id>, as the worker stated it.';

CREATE TABLE scores (
    attempt_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    scorer     text NOT NULL,
    summary    jsonb NOT NULL,
    report     jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (attempt_id, scorer)
);
COMMENT ON TABLE scores IS 'What an attempt is worth, by scorer version; a new version stands beside the old ones.';
COMMENT ON COLUMN scores.summary IS 'Per-track and overall rates with intervals, speed and latency.';
COMMENT ON COLUMN scores.report IS 'protocol::RunReport: where and how it ran.';

CREATE TABLE item_scores (
    attempt_id    uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    scorer        text NOT NULL,
    item_id       uuid NOT NULL,
    hits          integer NOT NULL CHECK (hits >= 0),
    substitutions integer NOT NULL CHECK (substitutions >= 0),
    deletions     integer NOT NULL CHECK (deletions >= 0),
    insertions    integer NOT NULL CHECK (insertions >= 0),
    failed        boolean NOT NULL,
    seconds       double precision NOT NULL CHECK (seconds >= 0),
    PRIMARY KEY (attempt_id, scorer, item_id),
    FOREIGN KEY (attempt_id, scorer) REFERENCES scores ON DELETE CASCADE
);
COMMENT ON TABLE item_scores IS 'Counts per item, for intervals and paired comparisons. No text.';
COMMENT ON COLUMN item_scores.failed IS 'The model reported an error: scored as an empty hypothesis.';

CREATE TABLE external_boards (
    label       text PRIMARY KEY CHECK (length(label) BETWEEN 1 AND 120),
    slug        text NOT NULL UNIQUE,
    source_url  text,
    note        text,
    imported_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN external_boards.note IS 'What a reader must know to compare, e.g. the hardware of the speeds.';
COMMENT ON TABLE external_boards IS 'Tables published elsewhere, shown apart and labelled "not run here".';

CREATE TABLE external_results (
    label      text NOT NULL REFERENCES external_boards ON DELETE CASCADE,
    position   integer NOT NULL,
    model      text NOT NULL,
    avg_wer    double precision NOT NULL CHECK (avg_wer >= 0),
    tracks     jsonb NOT NULL,
    rtfx       double precision CHECK (rtfx > 0),
    num_params double precision CHECK (num_params > 0),
    PRIMARY KEY (label, position),
    UNIQUE (label, model)
);
COMMENT ON TABLE external_results IS 'Rows of a table published elsewhere, rates as fractions.';
COMMENT ON COLUMN external_results.avg_wer IS 'As published, never recomputed.';
