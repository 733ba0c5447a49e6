-- Rules that create jobs. The contract's columns come first; lengths are checked by the program, in characters.
CREATE TABLE triggers (
    id UUID PRIMARY KEY,
    trigger_name TEXT NOT NULL,
    process_name TEXT NOT NULL,
    last_run TIMESTAMPTZ,
    process_path TEXT NOT NULL,
    process_args TEXT,
    process_status TEXT NOT NULL,
    is_git_repo BOOLEAN NOT NULL,
    is_blocking BOOLEAN NOT NULL,
    type TEXT NOT NULL,
    hold TEXT NOT NULL,
    git_branch TEXT,
    entry_point TEXT,
    worker_whitelist JSONB NOT NULL,
    priority BIGINT NOT NULL,
    policies JSONB NOT NULL,
    -- When the evaluator looks at the trigger next: its next run, the end of a back-off, or never.
    due_at TIMESTAMPTZ,
    -- The instant that waits for the end of the active job (overlap policy "buffer one").
    buffered_at TIMESTAMPTZ,
    -- The latest instant that became a job, so that instants of one trigger only grow.
    last_scheduled_at TIMESTAMPTZ,
    consecutive_failures BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    deleted_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX triggers_live_name ON triggers (trigger_name) WHERE deleted_at IS NULL;
CREATE INDEX triggers_due ON triggers (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX triggers_failed ON triggers (id) WHERE hold = 'FAILED';

CREATE TABLE scheduled_triggers (
    id UUID PRIMARY KEY REFERENCES triggers (id),
    cron_expr TEXT NOT NULL,
    next_run TIMESTAMPTZ,
    time_zone TEXT NOT NULL
);

CREATE TABLE queue_triggers (
    id UUID PRIMARY KEY REFERENCES triggers (id),
    queue_name TEXT NOT NULL,
    min_batch_size BIGINT NOT NULL,
    max_parallel BIGINT NOT NULL
);
CREATE INDEX queue_triggers_queue ON queue_triggers (queue_name);

CREATE TABLE single_triggers (
    id UUID PRIMARY KEY REFERENCES triggers (id),
    next_run TIMESTAMPTZ
);

-- Decisions not to run an instant, with the reason in words; pruned.
CREATE TABLE trigger_decisions (
    id UUID PRIMARY KEY,
    trigger_id UUID NOT NULL REFERENCES triggers (id),
    scheduled_at TIMESTAMPTZ NOT NULL,
    decided_at TIMESTAMPTZ NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX trigger_decisions_trigger ON trigger_decisions (trigger_id, id);
CREATE INDEX trigger_decisions_decided ON trigger_decisions (decided_at);
