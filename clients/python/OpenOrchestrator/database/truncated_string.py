"""Texts that are too long."""

from __future__ import annotations

from OpenOrchestrator import _values


def truncate_message(message: str, max_length: int = _values.LOG_MESSAGE_LIMIT) -> str:
    """Cuts the middle out of a text that is too long, leaving a mark that counts what is missing."""
    return _values.cut_middle(message, max_length)
