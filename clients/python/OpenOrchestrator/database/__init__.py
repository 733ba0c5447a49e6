"""What robots and scripts read and change: queues, constants, logs, triggers, jobs."""
