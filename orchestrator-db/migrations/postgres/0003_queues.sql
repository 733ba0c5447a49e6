-- All elements of all queues. `status` is in no index and no index predicate, so that the change to DONE stays an
-- update in place; the flags `ready` (may be claimed) and `attention` (failed or abandoned) serve the indexes.
CREATE TABLE queues (
    id UUID PRIMARY KEY,
    queue_name TEXT NOT NULL,
    status TEXT NOT NULL,
    ready BOOLEAN NOT NULL,
    attention BOOLEAN NOT NULL,
    created_date TIMESTAMPTZ NOT NULL,
    start_date TIMESTAMPTZ,
    end_date TIMESTAMPTZ,
    lease_token BIGINT NOT NULL,
    lease_expires_at TIMESTAMPTZ,
    attempt BIGINT NOT NULL,
    job_id UUID,
    request_id UUID,
    reference TEXT,
    created_by TEXT,
    message TEXT,
    data TEXT
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.02
);
CREATE INDEX queues_ready ON queues (queue_name, created_date, id) WHERE ready;
CREATE INDEX queues_ready_reference ON queues (queue_name, reference, created_date, id) WHERE ready;
CREATE INDEX queues_attention ON queues (queue_name, created_date, id) WHERE attention;
CREATE INDEX queues_order ON queues (queue_name, created_date, id);
CREATE INDEX queues_reference ON queues (queue_name, reference, created_date, id) WHERE reference IS NOT NULL;
CREATE INDEX queues_job ON queues (job_id) WHERE job_id IS NOT NULL;
CREATE INDEX queues_request ON queues (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX queues_lease ON queues (lease_expires_at) WHERE lease_expires_at IS NOT NULL;

-- Counts per queue and status are the sum of these rows: each transaction adds what it changed, a maintenance task
-- folds them together.
CREATE TABLE queue_counts (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_name TEXT NOT NULL,
    status TEXT NOT NULL,
    delta BIGINT NOT NULL
);
CREATE INDEX queue_counts_queue ON queue_counts (queue_name, status);

CREATE TABLE queue_settings (
    queue_name TEXT PRIMARY KEY,
    max_attempts BIGINT NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    changed_by TEXT
);
