-- The agents on robot machines.
CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    last_heartbeat TEXT NOT NULL,
    slots INTEGER NOT NULL,
    exclusive BOOLEAN NOT NULL,
    version TEXT NOT NULL,
    labels TEXT NOT NULL,
    session_id BLOB NOT NULL,
    instance_id BLOB NOT NULL,
    -- An administrator asked it to take nothing new.
    drain_requested BOOLEAN NOT NULL,
    registered_at TEXT NOT NULL,
    latest_trigger TEXT,
    latest_trigger_time TEXT
);

-- Intended executions of processes.
CREATE TABLE jobs (
    id BLOB PRIMARY KEY,
    trigger_id BLOB NOT NULL REFERENCES triggers (id),
    trigger_name TEXT NOT NULL,
    process_name TEXT NOT NULL,
    worker_name TEXT,
    status TEXT NOT NULL,
    scheduled_at TEXT NOT NULL,
    not_before TEXT,
    queued_at TEXT NOT NULL,
    start_time TEXT,
    end_time TEXT,
    lost_since TEXT,
    attempt INTEGER NOT NULL,
    superseded_by BLOB,
    kill_requested BOOLEAN NOT NULL,
    reserved_worker TEXT,
    session_id BLOB,
    lease_token INTEGER NOT NULL,
    lease_expires_at TEXT,
    -- The claim that granted it, so that a repeated claim gets the same grant.
    request_id BLOB,
    -- The call that made it (run now, retry), so that a repeated call makes no second one.
    origin_request_id BLOB,
    hand_back_count INTEGER NOT NULL,
    exit_code INTEGER,
    commit_id TEXT,
    reason TEXT,
    -- SHA-256 of the token that the robot holds while the job runs.
    job_token_hash BLOB,
    is_blocking BOOLEAN NOT NULL,
    priority INTEGER NOT NULL,
    -- 0 single, 1 scheduled, 2 queue: the order in which they are claimed.
    type_rank INTEGER NOT NULL,
    -- Run with arguments of its own: an edit of the trigger leaves them alone.
    own_arguments BOOLEAN NOT NULL,
    snapshot TEXT NOT NULL,
    UNIQUE (trigger_id, scheduled_at, attempt)
);
CREATE INDEX jobs_queued ON jobs (priority DESC, type_rank, scheduled_at, id) WHERE status = 'QUEUED';
CREATE INDEX jobs_not_before ON jobs (not_before) WHERE status = 'QUEUED' AND not_before IS NOT NULL;
CREATE INDEX jobs_reserved ON jobs (reserved_worker) WHERE reserved_worker IS NOT NULL;
CREATE INDEX jobs_active_by_trigger ON jobs (trigger_id) WHERE status IN ('QUEUED', 'ASSIGNED', 'RUNNING', 'LOST');
CREATE INDEX jobs_active_by_worker ON jobs (worker_name) WHERE status IN ('ASSIGNED', 'RUNNING', 'LOST');
CREATE INDEX jobs_by_trigger ON jobs (trigger_id, id);
CREATE INDEX jobs_by_process ON jobs (process_name, id);
CREATE INDEX jobs_by_status ON jobs (status, id);
CREATE INDEX jobs_by_worker ON jobs (worker_name, id) WHERE worker_name IS NOT NULL;
-- People name a job by the end of its id, as lists show it.
CREATE INDEX jobs_id_end ON jobs (lower(substr(hex(id), 29)));
CREATE INDEX jobs_request ON jobs (request_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_origin_request ON jobs (origin_request_id) WHERE origin_request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_token ON jobs (job_token_hash) WHERE job_token_hash IS NOT NULL;

-- What robots print.
CREATE TABLE job_output (
    job_id BLOB NOT NULL REFERENCES jobs (id),
    seq INTEGER NOT NULL,
    stream TEXT NOT NULL,
    at TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (job_id, seq)
);
