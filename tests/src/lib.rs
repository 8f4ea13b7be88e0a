//! End-to-end tests over the real parts: PostgreSQL, S3 protocol server, sandbox, recogniser, browser.
