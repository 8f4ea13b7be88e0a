DROP TABLE score_draws;
