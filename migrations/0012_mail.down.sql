DROP TABLE mails;
ALTER TABLE users DROP COLUMN email_confirmed, DROP COLUMN email_code_sha256, DROP COLUMN email;
