-- Tracks of several channels and talkers, references encrypted at rest, canary items, and what the pages of a release show.

ALTER TABLE items
    ADD COLUMN channels smallint NOT NULL DEFAULT 1 CHECK (channels >= 1),
    ADD COLUMN mono_sha256 text CHECK (mono_sha256 ~ '^[0-9a-f]{64}$'),
    ADD COLUMN segments jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN sealed bytea,
    ALTER COLUMN reference DROP NOT NULL,
    ADD CONSTRAINT items_reference CHECK ((reference IS NULL) = (sealed IS NOT NULL)),
    ADD CONSTRAINT items_segments CHECK (sealed IS NULL OR segments = '[]'),
    DROP CONSTRAINT items_part_check,
    ADD CONSTRAINT items_part_check CHECK (part IN ('scored', 'warm_up', 'repeat', 'canary'));
COMMENT ON COLUMN items.part IS 'scored: once, timed and scored; warm_up: neither; repeat: timed only; canary: as scored for the model, never scored: its reference holds a made-up word that is not said.';
COMMENT ON COLUMN items.channels IS 'Channels of the audio.';
COMMENT ON COLUMN items.mono_sha256 IS 'The same in one channel, for models that take no more.';
COMMENT ON COLUMN items.segments IS 'Who says what, where several talk: protocol::SpokenSegment. PRIVATE.';
COMMENT ON COLUMN items.sealed IS 'Reference and segments, encrypted with the operator''s key and bound to the item; utterance and talker are then pseudonyms.';

CREATE TABLE release_files (
    release_id uuid NOT NULL REFERENCES releases ON DELETE CASCADE,
    path       text NOT NULL CHECK (path ~ '^[a-z0-9][a-z0-9._/-]{0,199}$' AND path !~ '\.\.'),
    media_type text NOT NULL,
    sha256     text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    bytes      bigint NOT NULL CHECK (bytes > 0),
    PRIMARY KEY (release_id, path)
);
COMMENT ON TABLE release_files IS 'What the pages of a release show: plans, pictures, samples of the public dev set. The content is the object page/<sha256>.';
