//! Everything persistent: SQL queries, the lease queue, object storage, and the embedded servers for both. No HTTP.
