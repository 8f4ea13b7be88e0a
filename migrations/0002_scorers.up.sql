-- Results by scorer version side by side: what else is kept of a scoring, besides rates and counts of words.

ALTER TABLE scores ADD COLUMN analysis jsonb;
COMMENT ON COLUMN scores.scorer IS 'profile@version/normaliser@version, e.g. ffasr@1/whisper-en@1.';
COMMENT ON COLUMN scores.analysis IS 'Where it fails: counts and rates by word class, entity, fault and condition. Null if the scorer makes none.';

ALTER TABLE item_scores
    ADD COLUMN ref_chars   integer CHECK (ref_chars >= 0),
    ADD COLUMN char_errors integer CHECK (char_errors >= 0),
    ADD COLUMN path        text CHECK (path !~ '[^CSDI]'),
    ADD COLUMN faults      text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN item_scores.ref_chars IS 'Characters of the normalised reference; null where they were not counted.';
COMMENT ON COLUMN item_scores.path IS 'The alignment as C, S, D and I, for tests on segments; null where compounds are merged. No text.';
COMMENT ON COLUMN item_scores.faults IS 'What is wrong with the output as a whole: empty, truncated, looping, runaway, hallucinated, catastrophic.';
