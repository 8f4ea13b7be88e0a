DROP TABLE board_places;
DROP TABLE board_snapshots;
