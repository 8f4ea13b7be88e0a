-- The queue can be paused: what runs goes on, nothing more is given to workers.

CREATE TABLE queue_pauses (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    paused_at  timestamptz NOT NULL DEFAULT now(),
    paused_by  text NOT NULL,
    reason     text NOT NULL CHECK (length(reason) BETWEEN 1 AND 400),
    resumed_at timestamptz,
    resumed_by text,
    CHECK ((resumed_at IS NULL) = (resumed_by IS NULL))
);
CREATE UNIQUE INDEX queue_pauses_one ON queue_pauses ((true)) WHERE resumed_at IS NULL;
COMMENT ON TABLE queue_pauses IS 'When the queue was paused, by whom and why. It is paused while one of them has no end.';
COMMENT ON COLUMN queue_pauses.reason IS 'One sentence that everybody reads.';
