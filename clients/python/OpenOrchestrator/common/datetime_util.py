"""Dates and times as people read them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


def format_datetime(datetime_: datetime | None, default: str = "N/A") -> str:
    """Day-month-year and the time, or ``default`` when there is none."""
    return default if datetime_ is None else datetime_.strftime("%d-%m-%Y %H:%M:%S")
