DROP TABLE external_results, external_boards, item_scores, scores, jobs, submission_events, submission_files, submissions,
    items, releases, workers, api_tokens, sessions, users;
