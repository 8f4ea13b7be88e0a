DROP TABLE hub_tokens;
DELETE FROM submissions WHERE id IN (SELECT submission_id FROM submission_files WHERE NOT in_storage);
ALTER TABLE submission_files
    DROP COLUMN in_storage,
    DROP COLUMN from_hub,
    DROP CONSTRAINT submission_files_name_check,
    ADD CONSTRAINT submission_files_name_check CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$') NOT VALID;
COMMENT ON TABLE submission_files IS 'Uploaded files of a model; the content is the object model/<sha256>.';
