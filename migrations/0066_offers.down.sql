ALTER TABLE workers DROP COLUMN runtimes;
