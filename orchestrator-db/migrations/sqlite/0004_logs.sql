CREATE TABLE logs (
    id BLOB PRIMARY KEY,
    log_time TEXT NOT NULL,
    log_level TEXT NOT NULL,
    process_name TEXT NOT NULL,
    log_message TEXT NOT NULL,
    job_id BLOB
);
CREATE INDEX logs_time ON logs (log_time, id);
CREATE INDEX logs_process ON logs (process_name, log_time, id);
CREATE INDEX logs_job ON logs (job_id, log_time, id) WHERE job_id IS NOT NULL;
CREATE INDEX logs_errors ON logs (log_time, id) WHERE log_level = 'ERROR';
