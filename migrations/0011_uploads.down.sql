DROP INDEX submission_files_content;
DROP TABLE upload_files, uploads;
