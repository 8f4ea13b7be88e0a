-- Results of `ffasr eval`, which nobody but their sender vouches for: shown apart, never ranked with what ran here.

CREATE TABLE self_reports (
    id              uuid PRIMARY KEY,
    user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    model           text NOT NULL CHECK (length(model) BETWEEN 1 AND 100),
    release_slug    text NOT NULL,
    release_version text NOT NULL,
    manifest_sha256 text NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    scorer          text NOT NULL,
    manifest        jsonb NOT NULL,
    summary         jsonb NOT NULL,
    report          jsonb NOT NULL,
    received_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, manifest_sha256, model)
);
COMMENT ON TABLE self_reports IS 'Self-reported results: summaries as sent, checked for consistency, not for truth.';
COMMENT ON COLUMN self_reports.manifest_sha256 IS 'Hash of the release or dev set that was evaluated on.';
COMMENT ON COLUMN self_reports.manifest IS 'protocol::ModelManifest.';
COMMENT ON COLUMN self_reports.summary IS 'store::scores::Summary: rates are fractions, times seconds.';
COMMENT ON COLUMN self_reports.report IS 'protocol::RunReport: runtime and node, in the sender''s own words.';
