-- The agents on robot machines.
CREATE TABLE workers (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    last_heartbeat TIMESTAMPTZ NOT NULL,
    slots BIGINT NOT NULL,
    exclusive BOOLEAN NOT NULL,
    version TEXT NOT NULL,
    labels JSONB NOT NULL,
    session_id UUID NOT NULL,
    instance_id UUID NOT NULL,
    -- An administrator asked it to take nothing new.
    drain_requested BOOLEAN NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL,
    latest_trigger TEXT,
    latest_trigger_time TIMESTAMPTZ
) WITH (fillfactor = 70);

-- Intended executions of processes.
CREATE TABLE jobs (
    id UUID PRIMARY KEY,
    trigger_id UUID NOT NULL REFERENCES triggers (id),
    trigger_name TEXT NOT NULL,
    process_name TEXT NOT NULL,
    worker_name TEXT,
    status TEXT NOT NULL,
    scheduled_at TIMESTAMPTZ NOT NULL,
    not_before TIMESTAMPTZ,
    queued_at TIMESTAMPTZ NOT NULL,
    start_time TIMESTAMPTZ,
    end_time TIMESTAMPTZ,
    lost_since TIMESTAMPTZ,
    attempt BIGINT NOT NULL,
    superseded_by UUID,
    kill_requested BOOLEAN NOT NULL,
    reserved_worker TEXT,
    session_id UUID,
    lease_token BIGINT NOT NULL,
    lease_expires_at TIMESTAMPTZ,
    -- The claim that granted it, so that a repeated claim gets the same grant.
    request_id UUID,
    -- The call that made it (run now, retry), so that a repeated call makes no second one.
    origin_request_id UUID,
    hand_back_count BIGINT NOT NULL,
    exit_code BIGINT,
    commit_id TEXT,
    reason TEXT,
    -- SHA-256 of the token that the robot holds while the job runs.
    job_token_hash BYTEA,
    is_blocking BOOLEAN NOT NULL,
    priority BIGINT NOT NULL,
    -- 0 single, 1 scheduled, 2 queue: the order in which they are claimed.
    type_rank BIGINT NOT NULL,
    -- Run with arguments of its own: an edit of the trigger leaves them alone.
    own_arguments BOOLEAN NOT NULL,
    snapshot JSONB NOT NULL,
    UNIQUE (trigger_id, scheduled_at, attempt)
) WITH (fillfactor = 70);
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
CREATE INDEX jobs_id_end ON jobs ((right(CAST(id AS TEXT), 4)));
CREATE INDEX jobs_request ON jobs (request_id) WHERE request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_origin_request ON jobs (origin_request_id) WHERE origin_request_id IS NOT NULL;
CREATE UNIQUE INDEX jobs_token ON jobs (job_token_hash) WHERE job_token_hash IS NOT NULL;

-- What robots print.
CREATE TABLE job_output (
    job_id UUID NOT NULL REFERENCES jobs (id),
    seq BIGINT NOT NULL,
    stream TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (job_id, seq)
);
