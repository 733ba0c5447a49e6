-- Names are ordered by their bytes, as they were: statements say here which index they take.
DROP INDEX queues_ready;
DROP INDEX queues_ready_reference;
CREATE INDEX queues_ready ON queues (queue_name, created_date, id) WHERE ready;
CREATE INDEX queues_ready_reference ON queues (queue_name, reference, created_date, id) WHERE ready;
