-- Nightly archives of everything that is public.

CREATE TABLE dumps (
    day         date PRIMARY KEY,
    token       uuid NOT NULL,
    lease_until timestamptz NOT NULL,
    sha256      text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes       bigint CHECK (bytes > 0),
    made_at     timestamptz,
    CHECK ((sha256 IS NULL) = (bytes IS NULL) AND (sha256 IS NULL) = (made_at IS NULL))
);
COMMENT ON TABLE dumps IS 'One archive a day; a row without a hash is a lease on making it. The content is the object dump/<sha256>.';
COMMENT ON COLUMN dumps.token IS 'Fencing token of whoever makes it; a stale one changes nothing.';
