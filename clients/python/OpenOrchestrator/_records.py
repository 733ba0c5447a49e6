"""Objects with named fields, as OpenOrchestrator's rows are: made by keywords, open to change, compared by identity."""

from __future__ import annotations

from OpenOrchestrator import _types as t


class Record:
    """Something with fields; those that are not given are ``None``."""

    _fields: t.ClassVar[tuple[str, ...]] = ()
    #: What ``repr`` shows: never data, messages or passwords.
    _shown: t.ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        # There on the class, too, for what looks at it alone, such as `mock.create_autospec`.
        for field in cls._fields:
            if not hasattr(cls, field):
                setattr(cls, field, None)

    def __init__(self, **given: t.Any) -> None:
        for field in self._fields:
            setattr(self, field, given.pop(field, None))
        for unknown in given:
            raise TypeError(f"{unknown!r} is an invalid keyword argument for {type(self).__name__}")

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={_shown(getattr(self, field, None))}" for field in self._shown)
        return f"{type(self).__name__}({shown})"


def _shown(value: object) -> str:
    return str(value) if type(value).__name__ == "UUID" else repr(value)
