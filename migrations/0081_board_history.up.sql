-- The history of the boards: a snapshot whenever the ranking has changed, and the places of each result as long as they held.

CREATE TABLE board_snapshots (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taken_at       timestamptz NOT NULL DEFAULT now(),
    release_id     uuid NOT NULL REFERENCES releases ON DELETE CASCADE,
    hardware_class text NOT NULL,
    scorer         text NOT NULL,
    models         integer NOT NULL CHECK (models >= 0)
);
CREATE INDEX board_snapshots_of ON board_snapshots (release_id, hardware_class, id DESC);
COMMENT ON TABLE board_snapshots IS 'Moments at which the ranking of a release on a hardware class changed. The id is its permalink.';
COMMENT ON COLUMN board_snapshots.models IS 'How many were ranked.';

CREATE TABLE board_places (
    submission_id  uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    first_snapshot bigint NOT NULL REFERENCES board_snapshots ON DELETE CASCADE,
    next_snapshot  bigint REFERENCES board_snapshots ON DELETE CASCADE,
    release_id     uuid NOT NULL,
    hardware_class text NOT NULL,
    attempt_id     uuid NOT NULL,
    place          integer NOT NULL CHECK (place >= 1),
    lowest         integer NOT NULL,
    highest        integer NOT NULL,
    wer            double precision NOT NULL,
    wer_low        double precision,
    wer_high       double precision,
    PRIMARY KEY (submission_id, first_snapshot),
    CHECK (next_snapshot > first_snapshot)
);
CREATE UNIQUE INDEX board_places_now ON board_places (release_id, hardware_class, submission_id)
    WHERE next_snapshot IS NULL;
CREATE INDEX board_places_of ON board_places (release_id, hardware_class, first_snapshot);
COMMENT ON TABLE board_places IS 'Where a result stood, from one snapshot up to, and not in, another. Only what changes is written.';
COMMENT ON COLUMN board_places.next_snapshot IS 'The first snapshot in which this no longer holds; null as long as it does.';
COMMENT ON COLUMN board_places.lowest IS 'The best place of the 95 % interval; "highest" is the worst.';
