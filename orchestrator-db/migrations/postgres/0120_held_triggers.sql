-- Whoever watches asks often how many triggers are held: they are few, and those that have had their run are many.
CREATE INDEX triggers_held ON triggers (hold) WHERE hold IN ('PAUSED', 'FAILED', 'KILLED') AND deleted_at IS NULL;
