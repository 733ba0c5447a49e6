"""What annotations name. A robot pays for ``typing`` and ``uuid`` only when something evaluates annotations, as
``typing.get_type_hints`` does: each name is imported when it is asked for. ``Optional`` and ``Union`` are spelled out, because
Python 3.9 cannot evaluate ``X | None``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable as Callable
    from collections.abc import Sequence as Sequence
    from datetime import datetime as datetime
    from types import ModuleType as ModuleType
    from typing import Any as Any
    from typing import ClassVar as ClassVar
    from typing import Optional as Optional
    from typing import Union as Union
    from uuid import UUID as UUID

    from OpenOrchestrator._session import Session as Session
else:
    #: Where each of them is.
    _HOMES = {
        "Any": "typing",
        "Callable": "collections.abc",
        "ClassVar": "typing",
        "ModuleType": "types",
        "Optional": "typing",
        "Sequence": "collections.abc",
        "Session": "OpenOrchestrator._session",
        "UUID": "uuid",
        "Union": "typing",
        "datetime": "datetime",
    }

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        return getattr(importlib.import_module(home), name)
