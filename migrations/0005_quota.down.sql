DROP TABLE quota_entries, quota_overrides, quota_buckets;
