-- E-mail: a confirmed address of a user is told of what matters. Messages are written with the event itself.

ALTER TABLE users
    ADD COLUMN email             text CHECK (length(email) BETWEEN 3 AND 254),
    ADD COLUMN email_code_sha256 bytea,
    ADD COLUMN email_confirmed   boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT email_confirmed OR email IS NOT NULL);
COMMENT ON COLUMN users.email IS 'Where the user wants to be told. Nothing but a request to confirm goes to an address before it is confirmed.';
COMMENT ON COLUMN users.email_code_sha256 IS 'Hash of the code in the latest request to confirm.';

CREATE TABLE mails (
    id               uuid PRIMARY KEY,
    user_id          uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    event_id         bigint REFERENCES submission_events ON DELETE CASCADE,
    code             text,
    tries            integer NOT NULL DEFAULT 0,
    run_after        timestamptz NOT NULL DEFAULT now(),
    lease_token      uuid,
    lease_expires_at timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CHECK ((event_id IS NULL) <> (code IS NULL)),
    CHECK ((lease_token IS NULL) = (lease_expires_at IS NULL))
);
CREATE INDEX mails_due ON mails (run_after);
COMMENT ON TABLE mails IS 'Messages on their way; gone when they are sent or given up.';
COMMENT ON COLUMN mails.event_id IS 'What is told; null for a request to confirm an address.';
COMMENT ON COLUMN mails.code IS 'Of a request to confirm: opens nothing but that.';
