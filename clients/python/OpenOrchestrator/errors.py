"""What goes wrong, as exceptions that say what to do.

Where OpenOrchestrator raises ``ValueError``, these are ``ValueError`` too, so that robots that catch it go on working. Where its
database raises, they are not: a robot that catches ``ValueError`` for reasons of its own must not take for done what was never
stored.
"""

from __future__ import annotations

from OpenOrchestrator import _types as t


class OrchestratorError(Exception):
    """The beginning of all of them.

    ``reason`` is the server's stable code, such as ``CONSTANT_NOT_FOUND``; empty when the server was not reached.
    ``metadata`` holds values that programs may use, such as ``limit`` and ``length``.
    """

    def __init__(self, message: str, *, reason: str = "", metadata: t.Optional[dict[str, str]] = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})


class NotConfiguredError(OrchestratorError, RuntimeError):
    """An address or a token is missing, or is none. OpenOrchestrator raises ``RuntimeError`` where nothing is connected."""


class WrongArgumentsError(OrchestratorError, IndexError):
    """The program was started with other arguments than a robot gets."""


class InvalidValueError(OrchestratorError, ValueError):
    """An id that is none, a status that is none, no name, no elements."""


class DataError(OrchestratorError):
    """What cannot be stored or asked for: too long, not text, a NUL character. Nothing was stored. The message names the field,
    the limit and the length."""


class NotFoundError(OrchestratorError, ValueError):
    """A constant, credential, element or trigger that is not there."""


class AlreadyExistsError(OrchestratorError):
    """Something with this name or id is there already."""


class TooLargeError(OrchestratorError):
    """More at once than the server takes."""


class NotAllowedError(OrchestratorError):
    """The caller may not do this."""


class JobEndedError(NotAllowedError):
    """The job of this robot has ended, or its worker has lost it: nothing more is taken from it."""


class ElementHeldError(OrchestratorError):
    """Another job that still runs holds the element."""


class ConflictError(OrchestratorError):
    """The thing is not in the state that the change needs, or somebody else changed it meanwhile."""


class UnavailableError(OrchestratorError):
    """Nobody answered for as long as a robot waits, or the server could not serve. The same call may succeed later."""


class ServerError(OrchestratorError):
    """A mistake on the other side, or an answer that is none."""


class NotSupportedError(OrchestratorError, NotImplementedError):
    """A function that makes no sense here. The message names what does the same."""
