"""Triggers."""

from __future__ import annotations

import enum

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util


class TriggerStatus(enum.Enum):
    """The states of a trigger that OpenOrchestrator knows."""

    IDLE = "Idle"
    RUNNING = "Running"
    FAILED = "Failed"
    DONE = "Done"
    PAUSED = "Paused"
    PAUSING = "Pausing"
    KILLING = "Killing"
    KILLED = "Killed"


class TriggerType(enum.Enum):
    """What makes a trigger fire."""

    SINGLE = "Single"
    SCHEDULED = "Scheduled"
    QUEUE = "Queue"


class Trigger(Record):
    """What all triggers have in common."""

    _fields: t.ClassVar[tuple[str, ...]] = (
        "id",
        "trigger_name",
        "process_name",
        "last_run",
        "process_path",
        "process_args",
        "process_status",
        "is_git_repo",
        "git_branch",
        "is_blocking",
        "scheduler_whitelist",
        "priority",
        "type",
    )
    _shown = ("id", "trigger_name", "type", "process_status")
    _type: t.ClassVar[t.Optional[TriggerType]] = None
    #: The state that it was read with.
    _read_status: t.Optional[TriggerStatus] = None

    id: t.UUID
    trigger_name: str
    process_name: str
    last_run: t.Optional[t.datetime]
    process_path: str
    process_args: t.Optional[str]
    process_status: TriggerStatus
    is_git_repo: bool
    git_branch: t.Optional[str]
    is_blocking: bool
    scheduler_whitelist: list[str]
    priority: int
    type: TriggerType

    def __init__(self, **given: t.Any) -> None:
        super().__init__(**given)
        if self.type is None and self._type is not None:
            self.type = self._type

    def to_row_dict(self) -> dict[str, str]:
        """The trigger as a row of a table."""
        return {
            "Trigger Name": self.trigger_name,
            "Type": self.type.value if self.type else "N/A",
            "Status": self.process_status.value,
            "Process Name": self.process_name,
            "Last Run": datetime_util.format_datetime(self.last_run, "Never"),
            "ID": str(self.id),
            "Priority": str(self.priority),
            "Next Run": datetime_util.format_datetime(getattr(self, "next_run", None)),
        }


class SingleTrigger(Trigger):
    """Fires once."""

    _fields = (*Trigger._fields, "next_run")
    _type = TriggerType.SINGLE

    next_run: t.Optional[t.datetime]


class ScheduledTrigger(Trigger):
    """Fires by a cron expression."""

    _fields = (*Trigger._fields, "cron_expr", "next_run")
    _type = TriggerType.SCHEDULED

    cron_expr: str
    next_run: t.Optional[t.datetime]


class QueueTrigger(Trigger):
    """Fires when a queue has enough new elements."""

    _fields = (*Trigger._fields, "queue_name", "min_batch_size")
    _type = TriggerType.QUEUE

    queue_name: str
    min_batch_size: int


def _status_from_wire(name: str) -> TriggerStatus:
    """A state under OpenOrchestrator's names: a job that waits for a worker is shown as one that runs."""
    return TriggerStatus.__members__.get(name, TriggerStatus.RUNNING)


def _trigger_from_wire(given: dict[str, t.Any]) -> Trigger:
    trigger = _of_kind(given)
    trigger._read_status = trigger.process_status
    return trigger


def _of_kind(given: dict[str, t.Any]) -> Trigger:
    common: dict[str, t.Any] = {
        "id": _values.to_uuid(given["id"]),
        "trigger_name": given.get("name", ""),
        "process_name": given.get("processName", ""),
        "last_run": _values.instant_from_wire(given.get("lastRun")),
        "process_path": given.get("processPath", ""),
        "process_args": given.get("processArgs"),
        "process_status": _status_from_wire(given.get("status", "")),
        "is_git_repo": bool(given.get("isGitRepo")),
        "git_branch": given.get("gitBranch"),
        "is_blocking": bool(given.get("isBlocking")),
        "scheduler_whitelist": list(given.get("workerWhitelist") or ()),
        "priority": int(given.get("priority") or 0),
    }
    next_run = _values.instant_from_wire(given.get("nextRun"))
    if given.get("scheduled"):
        return ScheduledTrigger(**common, cron_expr=given["scheduled"].get("cronExpr", ""), next_run=next_run)
    if given.get("queue"):
        queue = given["queue"]
        return QueueTrigger(
            **common, queue_name=queue.get("queueName", ""), min_batch_size=int(queue.get("minBatchSize") or 1)
        )
    return SingleTrigger(**common, next_run=next_run)
