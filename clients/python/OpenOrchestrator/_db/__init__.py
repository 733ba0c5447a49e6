"""The functions of ``database.db_util``, by what they are about.

With a user token they call the server's services; in the robot of a job they do what that job may do, and say so where it
may not.
"""

from __future__ import annotations

from OpenOrchestrator import _robot, _session
from OpenOrchestrator.errors import NotSupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from OpenOrchestrator._session import Session


def user(function: str, instead: str) -> Session:
    """The session, if it is a user's. A job may do less: ``instead`` tells what to do there."""
    session = _session.current()
    if session.is_job:
        raise NotSupportedError(f"db_util.{function} is not for the robots of jobs: {instead}")
    return session


def unsupported(function: str, instead: str) -> NotSupportedError:
    """A function that makes no sense here."""
    return NotSupportedError(f"db_util.{function} does nothing here: {instead}")


def caller(session: Session, service: str, method: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A method to call with one message."""
    return lambda message: session.call(service, method, message)


def listed(
    session: Session,
    service: str,
    request: dict[str, Any],
    items: str,
    offset: int = 0,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Items of a service's list."""
    return _robot.pages(caller(session, service, "List"), request, items, offset, limit)


def ordered(records: list[Any], order_by: str | None, default: str, descending: bool) -> list[Any]:
    """Sorts as OpenOrchestrator does: by a field, which may be named as a column's title; empty ones first."""
    field = (order_by or default).lower().replace(" ", "_")
    field = {"level": "log_level", "message": "log_message"}.get(field, field) if default == "log_time" else field
    field = "job_id" if field in ("short_job_id", "full_job_id") else field
    if records and field not in records[0]._fields:
        field = default

    def key(record: Any) -> tuple[bool, Any]:
        value = getattr(record, field)
        value = getattr(value, "name", value)
        return value is not None, value if value is not None else 0

    return sorted(records, key=key, reverse=descending)
