-- How queues stood: one row a queue and minute, of which those of the last hour stay, then one a quarter of an hour. The totals
-- count how often an element became done, or failed or abandoned, whatever became of it since: they only grow.
CREATE TABLE queue_samples (
    queue_name TEXT NOT NULL,
    sampled_at TIMESTAMPTZ NOT NULL,
    -- The longest of 60, 15 and 1 minutes that the instant is a whole number of.
    step_minutes BIGINT NOT NULL,
    new_count BIGINT NOT NULL,
    in_progress_count BIGINT NOT NULL,
    done_total BIGINT NOT NULL,
    failed_total BIGINT NOT NULL,
    PRIMARY KEY (queue_name, sampled_at)
);
CREATE INDEX queue_samples_step ON queue_samples (step_minutes, sampled_at);
