-- Whether a robot itself set the element to IN_PROGRESS: it stays so when the job ends, as state for a later run. Means something
-- while the element is in progress only.
ALTER TABLE queues ADD COLUMN parked BOOLEAN NOT NULL DEFAULT FALSE;
