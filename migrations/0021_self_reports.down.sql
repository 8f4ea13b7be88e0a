DROP TABLE self_reports;
