-- Large files on their way: in parts, from the submitter straight into object storage, then checked by the service.

CREATE TABLE uploads (
    id               uuid PRIMARY KEY,
    user_id          uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    bytes            bigint NOT NULL CHECK (bytes > 0),
    part_bytes       bigint NOT NULL CHECK (part_bytes > 0),
    multipart_id     text NOT NULL,
    state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'checking', 'ready', 'refused')),
    parts_sha256     text[] NOT NULL DEFAULT '{}',
    problem          text,
    manifest         text,
    findings         jsonb NOT NULL DEFAULT '[]',
    lease_token      uuid,
    lease_expires_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    touched_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'refused') = (problem IS NOT NULL)),
    CHECK (lease_expires_at IS NULL OR state = 'checking'),
    CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);
CREATE UNIQUE INDEX uploads_one_open ON uploads (user_id, name, bytes) WHERE state = 'open';
CREATE INDEX uploads_checking ON uploads (touched_at) WHERE state = 'checking';
CREATE INDEX uploads_touched ON uploads (touched_at);
COMMENT ON TABLE uploads IS 'Large files handed in ahead of a submission. What nobody comes back for is collected.';
COMMENT ON COLUMN uploads.multipart_id IS 'Of the multipart upload of the object upload/<id>.';
COMMENT ON COLUMN uploads.parts_sha256 IS 'What the sender says each part is; compared with what arrived.';
COMMENT ON COLUMN uploads.problem IS 'Why it cannot be used, for the submitter.';
COMMENT ON COLUMN uploads.manifest IS 'The ffasr.toml of an archive.';
COMMENT ON COLUMN uploads.findings IS 'What the checks of an archive as a whole have to say.';
COMMENT ON INDEX uploads_one_open IS 'Whoever begins the same file again goes on with the one that is open.';

CREATE TABLE upload_files (
    upload_id uuid NOT NULL REFERENCES uploads ON DELETE CASCADE,
    name      text NOT NULL,
    sha256    text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes     bigint NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (upload_id, name)
);
CREATE INDEX upload_files_content ON upload_files (sha256);
CREATE INDEX submission_files_content ON submission_files (sha256);
COMMENT ON TABLE upload_files IS 'What a checked upload is: the file itself or those of its archive, as objects model/<sha256>.';
