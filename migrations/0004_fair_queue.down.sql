DROP INDEX jobs_started_turns, jobs_turns;
ALTER TABLE jobs DROP COLUMN turn;
