-- A claim that is repeated while it is still under way, on this server or another one, must not be granted twice: the second
-- one waits for the first, and finds what it was granted. An element has its place among those of its claim, from 1.
ALTER TABLE queues ADD COLUMN request_place INTEGER;
DROP INDEX queues_request;
CREATE UNIQUE INDEX queues_request ON queues (request_id, request_place) WHERE request_id IS NOT NULL;
