"""Log lines."""

from __future__ import annotations

import enum

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util


class LogLevel(enum.Enum):
    """How much a line matters."""

    TRACE = "Trace"
    INFO = "Info"
    ERROR = "Error"


class Log(Record):
    """One line."""

    _fields = ("id", "log_time", "log_level", "process_name", "job_id", "log_message")
    _shown = ("log_time", "log_level", "process_name")

    id: t.UUID
    log_time: t.datetime
    log_level: LogLevel
    process_name: str
    job_id: t.Optional[t.UUID]
    log_message: str

    def to_row_dict(self) -> dict[str, t.Any]:
        """The line as a row of a table."""
        return {
            "Log Time": datetime_util.format_datetime(self.log_time),
            "Level": self.log_level.value,
            "Process Name": self.process_name,
            "Message": self.log_message,
            "Short Job ID": str(self.job_id)[:8],
            "Full Job ID": self.job_id,
            "ID": str(self.id),
        }


def _log_from_wire(given: dict[str, t.Any]) -> Log:
    return Log(
        id=_values.to_uuid(given["id"]),
        log_time=_values.instant_from_wire(given.get("logTime")),
        log_level=LogLevel.__members__.get(given.get("logLevel", ""), LogLevel.INFO),
        process_name=given.get("processName", ""),
        job_id=_values.to_uuid(given.get("jobId")),
        log_message=given.get("logMessage", ""),
    )
