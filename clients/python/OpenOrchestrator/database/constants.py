"""Constants and credentials."""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _values
from OpenOrchestrator._records import Record
from OpenOrchestrator.common import datetime_util


class Constant(Record):
    """A named value."""

    _fields = ("name", "value", "changed_at")
    _shown = ("name",)

    name: str
    value: str
    changed_at: t.datetime

    def to_row_dict(self) -> dict[str, str]:
        """The constant as a row of a table."""
        return {
            "Constant Name": self.name,
            "Value": self.value,
            "Last Changed": datetime_util.format_datetime(self.changed_at),
        }


class Credential(Record):
    """A user name with its password.

    In lists the password is empty: it is only given out one by one, and each time is written to the server's audit trail.
    """

    _fields = ("name", "username", "password", "changed_at")
    _shown = ("name", "username")

    name: str
    username: str
    password: str
    changed_at: t.datetime

    def format_password(self) -> str:
        """What tables show in place of the password."""
        return "(hidden)"

    def to_row_dict(self) -> dict[str, str]:
        """The credential as a row of a table, without its password."""
        return {
            "Credential Name": self.name,
            "Username": self.username,
            "Password": self.format_password(),
            "Last Changed": datetime_util.format_datetime(self.changed_at),
        }


def _constant_from_wire(given: dict[str, t.Any]) -> Constant:
    changed_at = _values.instant_from_wire(given.get("changedAt"))
    return Constant(name=given["name"], value=given.get("value", ""), changed_at=changed_at)


def _credential_from_wire(given: dict[str, t.Any], password: str) -> Credential:
    changed_at = _values.instant_from_wire(given.get("changedAt"))
    return Credential(
        name=given["name"], username=given.get("username", ""), password=password, changed_at=changed_at
    )
