"""Jobs."""

from __future__ import annotations

import enum

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util


class JobStatus(enum.Enum):
    """The states of a job that OpenOrchestrator knows."""

    RUNNING = "Running"
    DONE = "Done"
    FAILED = "Failed"
    KILLED = "Killed"


class Job(Record):
    """One execution of a process.

    ``server_status`` is the state as the server names it, which knows more of them.
    """

    _fields = ("id", "process_name", "scheduler_name", "status", "start_time", "end_time", "server_status")
    _shown = ("id", "process_name", "status")

    id: t.UUID
    process_name: str
    scheduler_name: str
    status: JobStatus
    start_time: t.Optional[t.datetime]
    end_time: t.Optional[t.datetime]
    server_status: t.Optional[str]

    def to_row_dict(self) -> dict[str, t.Any]:
        """The job as a row of a table."""
        return {
            "ID": str(self.id),
            "Process Name": self.process_name,
            "Scheduler": self.scheduler_name,
            "Start Time": datetime_util.format_datetime(self.start_time),
            "End Time": datetime_util.format_datetime(self.end_time),
            "Status": self.status.value,
        }


#: The server's states under the names of OpenOrchestrator; whatever is not over is running.
_STATES = {
    JobStatus.RUNNING: ("QUEUED", "ASSIGNED", "RUNNING", "LOST"),
    JobStatus.DONE: ("DONE",),
    JobStatus.FAILED: ("FAILED", "TIMED_OUT"),
    JobStatus.KILLED: ("KILLED", "CANCELLED"),
}


def _job_from_wire(given: dict[str, t.Any]) -> Job:
    server_status = given.get("status", "")
    shown = (status for status, names in _STATES.items() if server_status in names)
    return Job(
        id=_values.to_uuid(given["id"]),
        process_name=given.get("processName", ""),
        scheduler_name=given.get("workerName", ""),
        status=next(shown, JobStatus.RUNNING),
        start_time=_values.instant_from_wire(given.get("startTime")),
        end_time=_values.instant_from_wire(given.get("endTime")),
        server_status=server_status,
    )
