-- When another agent with a copy of a worker's data folder, which wanted its place, was refused last.
ALTER TABLE workers ADD COLUMN contested_at TIMESTAMPTZ;
