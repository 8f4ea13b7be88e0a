DROP TABLE dumps;
