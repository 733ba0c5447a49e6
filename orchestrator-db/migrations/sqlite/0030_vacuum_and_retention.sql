-- SQLite cleans up by itself.
-- Jobs that are old enough to go.
CREATE INDEX jobs_ended ON jobs (end_time) WHERE end_time IS NOT NULL;
