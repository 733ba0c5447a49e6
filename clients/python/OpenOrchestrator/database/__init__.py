"""What robots and scripts read and change: queues, constants, logs, triggers, jobs."""

from __future__ import annotations

from OpenOrchestrator import _types as t


def __getattr__(name: str) -> t.ModuleType:
    """``OpenOrchestrator.database.db_util`` is there once a connection was imported, as in OpenOrchestrator."""
    if name == "db_util":
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
