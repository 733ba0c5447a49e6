-- An element that the job had taken was deleted, so that its end is not taken for one that found nothing to do.
ALTER TABLE jobs ADD COLUMN work_deleted BOOLEAN NOT NULL DEFAULT FALSE;
