"""What SQLAlchemy finds behind the address of a server: that there is no database there.

A robot that takes ``db_util.get_conn_string()`` to read or clean OpenOrchestrator's tables with SQL of its own would only be told
that there is no plug-in ``http``. Those that hand the text on, to another process or connection, never come here.
"""

from __future__ import annotations

import sys

from OpenOrchestrator import _types as t
from OpenOrchestrator.errors import NotSupportedError


def register() -> None:
    """Tells SQLAlchemy, where the program uses it, who answers for such addresses."""
    registry = getattr(sys.modules.get("sqlalchemy.dialects"), "registry", None)
    if registry is not None:
        for scheme in ("http", "https"):
            registry.register(scheme, __name__, "Dialect")


def __getattr__(name: str) -> t.Any:
    if name == "Dialect":
        raise NotSupportedError(
            "db_util.get_conn_string() is the address of a worker or server, and no database that SQL reaches. Old logs, jobs and "
            "queue elements are deleted by the server, as [retention] in its configuration says, or by `orchestrator db prune`. "
            "To read: connection.get_queue_elements, or db_util.get_logs and get_jobs with a user token"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
