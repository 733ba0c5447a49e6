-- Elements without a reference are not looked for by one, and every creation of one paid for an entry.
DROP INDEX queues_ready_reference;
CREATE INDEX queues_ready_reference ON queues (queue_name COLLATE "C", reference, created_date, id)
    WHERE ready AND reference IS NOT NULL;
