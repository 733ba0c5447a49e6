-- The trail is read by time, whoever wrote it: pages go on after (at, id).
CREATE INDEX audit_time ON audit (at, id);
CREATE INDEX audit_subject_time ON audit (subject, at, id);
CREATE INDEX audit_actor_time ON audit (actor, at, id);
DROP INDEX audit_subject;
DROP INDEX audit_actor;

-- Append-only: rows are never changed, and only those older than the setting audit_pruned_before may go.
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM settings WHERE name = 'audit_pruned_before' AND OLD.at < json_extract(value, '$'))
BEGIN
    SELECT RAISE(ABORT, 'the audit trail is append-only');
END;
