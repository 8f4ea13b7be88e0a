-- Objections: anybody with an account may doubt a published result; everybody may read it and the decision.

CREATE TABLE objections (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    at            timestamptz NOT NULL DEFAULT now(),
    author        text NOT NULL,
    body          text NOT NULL CHECK (length(body) BETWEEN 1 AND 4000),
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'upheld', 'dismissed')),
    decided_at    timestamptz,
    decided_by    text,
    decision      text,
    CHECK ((state = 'open') = (decided_at IS NULL)),
    CHECK ((state = 'open') = (decided_by IS NULL)),
    CHECK ((state = 'open') = (decision IS NULL))
);
CREATE INDEX objections_of ON objections (submission_id, id);
CREATE INDEX objections_open ON objections (at) WHERE state = 'open';
COMMENT ON TABLE objections IS 'Doubts about a published result, in public, with the decision and its reason.';
