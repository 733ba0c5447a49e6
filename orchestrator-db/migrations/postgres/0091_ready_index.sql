-- What may be claimed is found by an index that nothing else can stand in for. After a large import every element is ready: to
-- the planner the index of all elements was then as good, and claims that took it walked over all that is done. It orders by
-- the bytes of names, and so do the statements that are meant to take it.
DROP INDEX queues_ready;
DROP INDEX queues_ready_reference;
CREATE INDEX queues_ready ON queues (queue_name COLLATE "C", created_date, id) WHERE ready;
CREATE INDEX queues_ready_reference ON queues (queue_name COLLATE "C", reference, created_date, id) WHERE ready;
