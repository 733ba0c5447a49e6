"""Queue elements."""

from __future__ import annotations

import enum

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util
from OpenOrchestrator.errors import InvalidValueError


class QueueStatus(enum.Enum):
    """The states of a queue element."""

    NEW = "New"
    IN_PROGRESS = "In Progress"
    DONE = "Done"
    FAILED = "Failed"
    ABANDONED = "Abandoned"


class QueueElement(Record):
    """One piece of work.

    A copy: changing it here changes nothing on the server.
    """

    _fields = (
        "id",
        "queue_name",
        "status",
        "data",
        "reference",
        "created_date",
        "start_date",
        "end_date",
        "message",
        "created_by",
    )
    _shown = ("id", "queue_name", "status", "reference")

    id: t.UUID
    queue_name: str
    status: QueueStatus
    data: t.Optional[str]
    reference: t.Optional[str]
    created_date: t.datetime
    start_date: t.Optional[t.datetime]
    end_date: t.Optional[t.datetime]
    message: t.Optional[str]
    created_by: t.Optional[str]

    def to_row_dict(self) -> dict[str, t.Any]:
        """The element as a row of a table."""
        return {
            "ID": self.id,
            "Reference": self.reference,
            "Status": self.status,
            "Data": self.data,
            "Created Date": datetime_util.format_datetime(self.created_date),
            "Start Date": datetime_util.format_datetime(self.start_date),
            "End Date": datetime_util.format_datetime(self.end_date),
            "Message": self.message,
            "Created By": self.created_by,
        }


def _status_to_wire(status: t.Union[QueueStatus, str]) -> str:
    """The name of a status. Names and values are taken as text, too."""
    if isinstance(status, QueueStatus):
        return status.name
    # An enum of the robot's own, or of another copy of this module.
    word = status.name if isinstance(status, enum.Enum) else status
    wanted = str(word).upper().replace(" ", "_")
    if isinstance(word, str) and wanted in QueueStatus.__members__:
        return wanted
    known = ", ".join(f"QueueStatus.{member.name}" for member in QueueStatus)
    raise InvalidValueError(f"{status!r} is no status of a queue element; use one of {known}", metadata={"field": "status"})


def _element_from_wire(given: dict[str, t.Any]) -> QueueElement:
    element = QueueElement.__new__(QueueElement)
    element.id = _values.to_uuid(given["id"])  # type: ignore[assignment]
    element.queue_name = given["queueName"]
    # A status that a newer server made up is none that a robot may work on.
    element.status = QueueStatus.__members__.get(given["status"], QueueStatus.IN_PROGRESS)
    element.data = given.get("data")
    element.reference = given.get("reference")
    element.created_date = _values.instant_from_wire(given.get("createdDate"))  # type: ignore[assignment]
    element.start_date = _values.instant_from_wire(given.get("startDate"))
    element.end_date = _values.instant_from_wire(given.get("endDate"))
    element.message = given.get("message")
    element.created_by = given.get("createdBy")
    return element
