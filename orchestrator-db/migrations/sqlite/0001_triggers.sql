-- Rules that create jobs. The contract's columns come first; lengths are checked by the program, in characters.
CREATE TABLE triggers (
    id BLOB PRIMARY KEY,
    trigger_name TEXT NOT NULL,
    process_name TEXT NOT NULL,
    last_run TEXT,
    process_path TEXT NOT NULL,
    process_args TEXT,
    process_status TEXT NOT NULL,
    is_git_repo BOOLEAN NOT NULL,
    is_blocking BOOLEAN NOT NULL,
    type TEXT NOT NULL,
    hold TEXT NOT NULL,
    git_branch TEXT,
    entry_point TEXT,
    worker_whitelist TEXT NOT NULL,
    priority INTEGER NOT NULL,
    policies TEXT NOT NULL,
    -- When the evaluator looks at the trigger next: its next run, the end of a back-off, or never.
    due_at TEXT,
    -- The instant that waits for the end of the active job (overlap policy "buffer one").
    buffered_at TEXT,
    -- The latest instant that became a job, so that instants of one trigger only grow.
    last_scheduled_at TEXT,
    consecutive_failures INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
);
CREATE UNIQUE INDEX triggers_live_name ON triggers (trigger_name) WHERE deleted_at IS NULL;
CREATE INDEX triggers_due ON triggers (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX triggers_failed ON triggers (id) WHERE hold = 'FAILED';

CREATE TABLE scheduled_triggers (
    id BLOB PRIMARY KEY REFERENCES triggers (id),
    cron_expr TEXT NOT NULL,
    next_run TEXT,
    time_zone TEXT NOT NULL
);

CREATE TABLE queue_triggers (
    id BLOB PRIMARY KEY REFERENCES triggers (id),
    queue_name TEXT NOT NULL,
    min_batch_size INTEGER NOT NULL,
    max_parallel INTEGER NOT NULL
);
CREATE INDEX queue_triggers_queue ON queue_triggers (queue_name);

CREATE TABLE single_triggers (
    id BLOB PRIMARY KEY REFERENCES triggers (id),
    next_run TEXT
);

-- Decisions not to run an instant, with the reason in words; pruned.
CREATE TABLE trigger_decisions (
    id BLOB PRIMARY KEY,
    trigger_id BLOB NOT NULL REFERENCES triggers (id),
    scheduled_at TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX trigger_decisions_trigger ON trigger_decisions (trigger_id, id);
CREATE INDEX trigger_decisions_decided ON trigger_decisions (decided_at);
