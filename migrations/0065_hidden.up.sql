-- A result can be kept from the board without being doubted: it stays published and on record, and says so.

ALTER TABLE submissions
    ADD COLUMN hidden_at timestamptz,
    ADD COLUMN hidden_by text,
    ADD CHECK ((hidden_at IS NULL) = (hidden_by IS NULL));
COMMENT ON COLUMN submissions.hidden_at IS 'Since when staff keep its result from the board. The reason is in the audit log and in the events.';
