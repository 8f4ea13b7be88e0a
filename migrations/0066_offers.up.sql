-- What a worker can run, so that nobody waits for a worker that is not there.

ALTER TABLE workers ADD COLUMN runtimes text[];
COMMENT ON COLUMN workers.runtimes IS 'Names of the runtimes it had when it last asked for work; NULL before it has asked, empty where it only renders.';
