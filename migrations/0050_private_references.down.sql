-- Rows that hold a sealed reference, or a canary, cannot be what the older schema knows: remove their releases first.

DROP TABLE release_files;
ALTER TABLE items
    DROP CONSTRAINT items_part_check,
    ADD CONSTRAINT items_part_check CHECK (part IN ('scored', 'warm_up', 'repeat')),
    DROP CONSTRAINT items_segments,
    DROP CONSTRAINT items_reference,
    ALTER COLUMN reference SET NOT NULL,
    DROP COLUMN sealed,
    DROP COLUMN segments,
    DROP COLUMN mono_sha256,
    DROP COLUMN channels;
COMMENT ON COLUMN items.part IS 'scored: once, timed and scored; warm_up: neither; repeat: timed only.';
