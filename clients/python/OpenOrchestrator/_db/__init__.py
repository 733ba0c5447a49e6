"""The functions of ``database.db_util``, by what they are about.

With a user token they call the server's services; in the robot of a job they do what that job may do, and say so where it
may not.
"""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _robot, _session
from OpenOrchestrator.errors import NotSupportedError


def user(function: str, instead: str) -> t.Session:
    """The session, if it is a user's. A job may do less: ``instead`` tells what to do there."""
    session = _session.current()
    if session.is_job:
        raise NotSupportedError(f"db_util.{function} is not for the robots of jobs: {instead}")
    return session


def unsupported(function: str, instead: str) -> NotSupportedError:
    """A function that makes no sense here."""
    return NotSupportedError(f"db_util.{function} does nothing here: {instead}")


def caller(session: t.Session, service: str, method: str) -> t.Callable[[dict[str, t.Any]], dict[str, t.Any]]:
    """A method to call with one message."""
    return lambda message: session.call(service, method, message)


def listed(
    session: t.Session,
    service: str,
    request: dict[str, t.Any],
    items: str,
    offset: int = 0,
    limit: t.Optional[int] = None,
) -> list[dict[str, t.Any]]:
    """Items of a service's list."""
    return _robot.pages(caller(session, service, "List"), request, items, offset, limit)


def ordered(records: list[t.Any], order_by: t.Optional[str], default: str, descending: bool) -> list[t.Any]:
    """Sorts as OpenOrchestrator does: by a field, which may be named as a column's title; empty ones first."""
    field = (order_by or default).lower().replace(" ", "_")
    field = {"level": "log_level", "message": "log_message"}.get(field, field) if default == "log_time" else field
    field = "job_id" if field in ("short_job_id", "full_job_id") else field
    if records and field not in records[0]._fields:
        field = default

    def key(record: t.Any) -> tuple[bool, t.Any]:
        value = getattr(record, field)
        value = getattr(value, "name", value)
        return value is not None, value if value is not None else 0

    return sorted(records, key=key, reverse=descending)
