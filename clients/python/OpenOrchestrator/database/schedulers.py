"""Workers, which OpenOrchestrator calls schedulers."""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util


class Scheduler(Record):
    """A worker."""

    _fields = ("machine_name", "last_update", "latest_trigger", "latest_trigger_time")
    _shown = ("machine_name", "last_update")

    machine_name: str
    last_update: t.datetime
    latest_trigger: t.Optional[str]
    latest_trigger_time: t.Optional[t.datetime]

    def to_row_dict(self) -> dict[str, t.Any]:
        """The worker as a row of a table."""
        return {
            "Machine Name": self.machine_name,
            "Last Connection": datetime_util.format_datetime(self.last_update),
            "Latest Trigger": self.latest_trigger or "None yet",
            "Latest Trigger Time": datetime_util.format_datetime(self.latest_trigger_time, ""),
        }


def _scheduler_from_wire(given: dict[str, t.Any]) -> Scheduler:
    return Scheduler(
        machine_name=given["name"],
        last_update=_values.instant_from_wire(given.get("lastHeartbeat")),
        latest_trigger=given.get("latestTrigger") or None,
        latest_trigger_time=_values.instant_from_wire(given.get("latestTriggerTime")),
    )
