DROP INDEX jobs_of_worker;
DROP TABLE paces;
DROP TABLE kept_items;
DROP TABLE kept_parts;
