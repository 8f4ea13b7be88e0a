ALTER TABLE item_scores DROP COLUMN faults, DROP COLUMN path, DROP COLUMN char_errors, DROP COLUMN ref_chars;
ALTER TABLE scores DROP COLUMN analysis;
