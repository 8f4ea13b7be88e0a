-- Models on a hub: files that a worker fetches there, pinned by hash, and the tokens that private ones need.

ALTER TABLE submission_files
    DROP CONSTRAINT submission_files_name_check,
    ADD CONSTRAINT submission_files_name_check
        CHECK (length(name) <= 255 AND name ~ '^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$'),
    ADD COLUMN from_hub   boolean NOT NULL DEFAULT false,
    ADD COLUMN in_storage boolean NOT NULL DEFAULT true,
    ADD CHECK (from_hub OR in_storage);
COMMENT ON TABLE submission_files IS 'Files of a model; what is in storage is the object model/<sha256>.';
COMMENT ON COLUMN submission_files.name IS 'Path within the model''s directory (protocol::is_model_path).';
COMMENT ON COLUMN submission_files.from_hub IS 'It belongs to the manifest''s hub model and was not handed in.';
COMMENT ON COLUMN submission_files.in_storage IS 'We have the content. If not, the worker fetches it from the hub, and only this hash will do.';

CREATE TABLE hub_tokens (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    sealed        bytea NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hub_tokens IS 'Tokens for private models, encrypted with the operator''s key. Gone as soon as nothing is left to fetch.';
COMMENT ON COLUMN hub_tokens.sealed IS 'Nonce and XChaCha20-Poly1305 ciphertext, bound to the submission (store::sealed).';
