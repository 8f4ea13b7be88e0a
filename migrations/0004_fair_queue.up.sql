-- Fairness between submitters as a number that is given when an attempt is queued, so that claiming reads one row.

ALTER TABLE jobs ADD COLUMN turn bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN jobs.turn IS 'Start tag of start-time fair queueing: among equal priorities, the smaller turn runs first. A submitter''s next attempt gets the turn after his last, or that of the latest attempt started, whichever is later.';
CREATE INDEX jobs_turns ON jobs (hardware_class, priority, turn, id) WHERE kind = 'evaluate' AND state = 'queued';
CREATE INDEX jobs_started_turns ON jobs (hardware_class, turn) WHERE kind = 'evaluate' AND state <> 'queued';
