-- The bootstrap draws of a result, kept so that ranking a board does not read and resample every item of every result.

CREATE TABLE score_draws (
    attempt_id   uuid NOT NULL,
    scorer       text NOT NULL,
    replications integer NOT NULL CHECK (replications > 0),
    seed         bigint NOT NULL,
    estimate     double precision NOT NULL,
    average      bytea NOT NULL CHECK (octet_length(average) = 4 * replications),
    tracks       text[] NOT NULL,
    covariances  double precision[] NOT NULL,
    PRIMARY KEY (attempt_id, scorer),
    FOREIGN KEY (attempt_id, scorer) REFERENCES scores ON DELETE CASCADE,
    CHECK (cardinality(covariances) = cardinality(tracks) * (cardinality(tracks) + 1) / 2)
);
-- Random bits do not compress, and a large board reads only the first of them.
ALTER TABLE score_draws ALTER COLUMN average SET STORAGE EXTERNAL;
COMMENT ON TABLE score_draws IS 'Computed from item_scores by the plan named here; may be deleted at any time and is then computed again.';
COMMENT ON COLUMN score_draws.estimate IS 'Avg WER of the result itself, as a fraction.';
COMMENT ON COLUMN score_draws.average IS 'Avg WER of each replication: single precision, little endian.';
COMMENT ON COLUMN score_draws.covariances IS 'Of the tracks'' WERs over the replications: rows of the lower triangle, diagonal included.';
