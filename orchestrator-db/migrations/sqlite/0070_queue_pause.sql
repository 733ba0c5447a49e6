-- A paused queue hands out nothing and fires no trigger; elements may still be added to it.
ALTER TABLE queue_settings ADD COLUMN paused BOOLEAN NOT NULL DEFAULT FALSE;
