"""Logs and jobs."""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _robot, _session, _values
from OpenOrchestrator._db import listed, ordered, unsupported, user
from OpenOrchestrator.database.jobs import _STATES, Job, JobStatus, _job_from_wire
from OpenOrchestrator.database.logs import Log, LogLevel, _log_from_wire


_LOGS = "it takes a user token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator log list`"
_JOBS = "it takes a user token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator job list`"
_WORKER = "jobs are made by the server and ended by their workers"


def get_logs(
    offset: int,
    limit: int,
    from_date: t.Optional[t.datetime] = None,
    to_date: t.Optional[t.datetime] = None,
    process_name: t.Optional[str] = None,
    log_level: t.Optional[LogLevel] = None,
    job_id: t.Optional[t.Union[str, t.UUID]] = None,
    order_by: t.Optional[str] = None,
    order_desc: bool = True,
    include_count: bool = False,
) -> t.Union[tuple[Log, ...], tuple[tuple[Log, ...], int]]:
    """Log lines, the newest first unless told otherwise; all of them when ``limit`` is 0.

    Another order, and the count, read everything that fits.
    """
    session = user("get_logs", _LOGS)
    request: dict[str, t.Any] = {}
    if process_name is not None:
        request["processName"] = _values.text("process_name", process_name)
    if log_level is not None:
        request["levels"] = [LogLevel(log_level).name]
    if job_id is not None:
        request["job"] = _values.identifier("job_id", job_id)
    for key, field, value in (("since", "from_date", from_date), ("until", "to_date", to_date)):
        if value is not None:
            request[key] = _values.instant_to_wire(field, value)
    natural = order_desc and (order_by or "log_time").lower().replace(" ", "_") == "log_time"
    if natural and not include_count:
        return tuple(map(_log_from_wire, listed(session, "LogService", request, "logs", offset, limit)))
    every = list(map(_log_from_wire, listed(session, "LogService", request, "logs")))
    found = every if natural else ordered(every, order_by, "log_time", order_desc)
    chosen = tuple(found[offset : offset + limit] if limit else found[offset:])
    return (chosen, len(every)) if include_count else chosen


def create_log(
    process_name: str, level: LogLevel, job_id: t.Optional[t.Union[str, t.UUID]] = None, message: t.Optional[str] = None
) -> None:
    """Writes a line into the log of the job that calls, whichever job and process are named: nobody writes for others.

    Versions 1 and 2 of OpenOrchestrator have no ``job_id``: the third of three arguments is the message.
    """
    if message is None:
        message = str(job_id)
    session = _session.current()
    _robot.log(session, LogLevel(level), message, process_name)


def get_unique_log_process_names() -> tuple[str, ...]:
    """The names of processes that have log lines. Reads all of them."""
    session = user("get_unique_log_process_names", _LOGS)
    return tuple(sorted({line.get("processName", "") for line in listed(session, "LogService", {}, "logs")}))


def get_jobs(status: t.Optional[JobStatus] = None, process_name: t.Optional[str] = None) -> tuple[Job, ...]:
    """All jobs, the newest first."""
    session = user("get_jobs", _JOBS)
    request: dict[str, t.Any] = {}
    if status is not None:
        request["statuses"] = list(_STATES[JobStatus(status)])
    if process_name is not None:
        request["processName"] = _values.text("process_name", process_name)
    return tuple(_job_from_wire(job) for job in listed(session, "JobService", request, "jobs"))


def get_job(job_id: t.Union[t.UUID, str]) -> Job:
    """A job."""
    session = user("get_job", _JOBS)
    return _job_from_wire(session.call("JobService", "Get", {"job": _values.identifier("job_id", job_id)})["job"])


def start_job(process_name: str, scheduler_name: str) -> Job:
    """Not here: the server makes jobs."""
    raise unsupported("start_job", _WORKER + "; to make one now: `orchestrator trigger run NAME`")


def set_job_status(job_id: t.Union[t.UUID, str], status: JobStatus) -> None:
    """Not here: a job's end is what its process says."""
    raise unsupported("set_job_status", _WORKER + "; to end one: `orchestrator job kill JOB`")
