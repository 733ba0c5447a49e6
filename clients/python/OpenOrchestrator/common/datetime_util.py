"""Dates and times as people read them."""

from __future__ import annotations

from OpenOrchestrator import _types as t


def format_datetime(datetime_: t.Optional[t.datetime], default: str = "N/A") -> str:
    """Day-month-year and the time, or ``default`` when there is none."""
    return default if datetime_ is None else datetime_.strftime("%d-%m-%Y %H:%M:%S")
