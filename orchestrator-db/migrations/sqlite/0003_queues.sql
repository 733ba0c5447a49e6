-- All elements of all queues. `status` is in no index and no index predicate, so that the change to DONE stays an
-- update in place; the flags `ready` (may be claimed) and `attention` (failed or abandoned) serve the indexes.
CREATE TABLE queues (
    id BLOB PRIMARY KEY,
    queue_name TEXT NOT NULL,
    status TEXT NOT NULL,
    ready BOOLEAN NOT NULL,
    attention BOOLEAN NOT NULL,
    created_date TEXT NOT NULL,
    start_date TEXT,
    end_date TEXT,
    lease_token INTEGER NOT NULL,
    lease_expires_at TEXT,
    attempt INTEGER NOT NULL,
    job_id BLOB,
    request_id BLOB,
    reference TEXT,
    created_by TEXT,
    message TEXT,
    data TEXT
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
    id INTEGER PRIMARY KEY,
    queue_name TEXT NOT NULL,
    status TEXT NOT NULL,
    delta INTEGER NOT NULL
);
CREATE INDEX queue_counts_queue ON queue_counts (queue_name, status);

CREATE TABLE queue_settings (
    queue_name TEXT PRIMARY KEY,
    max_attempts INTEGER NOT NULL,
    changed_at TEXT NOT NULL,
    changed_by TEXT
);
