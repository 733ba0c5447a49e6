"""How calls reach the worker or the server: address, token, repetition, refusals."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time

from OpenOrchestrator import __version__, _values
from OpenOrchestrator._http import Address, Connection, LostError
from OpenOrchestrator.errors import (
    AlreadyExistsError,
    ConflictError,
    DataError,
    ElementHeldError,
    JobEndedError,
    NotAllowedError,
    NotConfiguredError,
    NotFoundError,
    NotSupportedError,
    OrchestratorError,
    ServerError,
    TooLargeError,
    UnavailableError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Message = dict[str, Any]

#: Where a worker tells its robots how to reach it.
ENDPOINT_VARIABLE = "ORCHESTRATOR_ENDPOINT"
TOKEN_VARIABLE = "ORCHESTRATOR_JOB_TOKEN"
JOB_VARIABLE = "ORCHESTRATOR_JOB_ID"

#: Tells the connections of a program, and the programs that it starts, that their development job has begun.
_DEVELOPMENT_VARIABLE = "ORCHESTRATOR_DEVELOPMENT_JOB"

#: How the tokens of users begin.
_USER_TOKEN = "orc_user_"

#: Where machines of OpenOrchestrator keep its key, and scripts here a user token.
KEY_VARIABLE = "OpenOrchestratorKey"

#: What stands where OpenOrchestrator gives its encryption key.
KEY_PLACEHOLDER = "not-a-key"

#: How long a call is tried again while nobody answers, in seconds.
PATIENCE = 60.0
#: How long one answer may take: the worker itself waits for the server before it gives up.
ANSWER_TIMEOUT = 120.0
CONNECT_TIMEOUT = 10.0
#: The shortest and the longest pause between tries.
_PAUSES = (0.05, 2.0)

_ROBOT = "RobotService"
_NO_DEVELOPMENT_JOB = "NO_DEVELOPMENT_JOB"

#: A host and a port, and nothing that could be a part of a connection string.
_LACKS_SCHEME = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):[0-9]{1,5}/?", re.ASCII)
#: Held while a development job begins.
_beginning = threading.RLock()
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Session:
    """One caller: the robot of a job, or a user who develops one.

    Nothing is looked at before the first call, as OpenOrchestrator's connection never fails when it is made.
    """

    def __init__(self, endpoint: object, key: object, process_name: object = "", process_arguments: object = "") -> None:
        self._arguments = (endpoint, key, process_name, process_arguments)
        self._threads = threading.local()
        self._resolved: tuple[Address, str] | None = None
        #: The name of the job's process, once it is known.
        self._own_name: str | None = None
        #: Whether there is a job that calls belong to.
        self._begun = False
        self.patience = PATIENCE

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process makes its own; the job's token is in its environment.
        return Session, self._arguments

    # -- who calls, and whom ------------------------------------------------------------------------------------------

    @property
    def is_job(self) -> bool:
        """Whether this is the robot of a job that a worker runs."""
        return TOKEN_VARIABLE in os.environ and not self._key().startswith(_USER_TOKEN)

    def _key(self) -> str:
        """The token: a user's in the place of the key, else what the environment has, else whatever stands there."""
        key = self._arguments[1]
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        key = key.strip() if isinstance(key, str) else ""
        return key if key.startswith(_USER_TOKEN) else os.environ.get(TOKEN_VARIABLE, key).strip()

    def endpoint(self) -> str:
        """The address, or an error that says where to get one."""
        given = self._arguments[0]
        given = given.strip() if isinstance(given, str) else ""
        if given.lower().startswith(("http://", "https://")):
            return given
        # A robot that finds a connection string of its own, from a file or its environment, has found the old one.
        if TOKEN_VARIABLE in os.environ and os.environ.get(ENDPOINT_VARIABLE):
            return os.environ[ENDPOINT_VARIABLE]
        if _LACKS_SCHEME.fullmatch(given):
            raise NotConfiguredError(
                f"the second argument, {given!r}, is no whole address: write http:// before it (or https://, where the server has a "
                "certificate), as in http://localhost:8420"
            )
        if given and given != "none":
            scheme = given.partition("://")[0] if "://" in given else "?"
            raise NotConfiguredError(
                f"the second argument is no address of a server (it begins with {scheme[:20]!r}): this OpenOrchestrator "
                "package talks to an orchestrator server, such as http://localhost:8420, and never to a database"
            )
        raise NotConfiguredError(
            "there is no address of a worker or server. A robot that a worker starts gets it as its second argument: pass "
            "sys.argv[1:] on unchanged. Elsewhere: OrchestratorConnection(name, 'http://localhost:8420', token, arguments)"
        )

    def token(self) -> str:
        """The token, or an error that says where to get one."""
        key = self._key()
        if not key or key == KEY_PLACEHOLDER:
            raise NotConfiguredError(
                f"there is no token. A worker gives it to its robots in the environment variable {TOKEN_VARIABLE}: start "
                "child processes with the environment as it is. Elsewhere, the third argument is a user token: "
                "orchestrator token create user NAME --role operator. A script gives it to crypto_util.set_key, or has it in the "
                f"environment variable {KEY_VARIABLE}"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise NotConfiguredError("the token contains characters that no token has; copy it again")
        return key

    def _resolve(self) -> tuple[Address, str]:
        if self._resolved is None:
            address = Address(self.endpoint())
            self._resolved = address, (
                f"Authorization: Bearer {self.token()}\r\nContent-Type: application/json\r\n"
                f"User-Agent: OpenOrchestrator-python/{__version__}\r\n"
            )
        return self._resolved

    # -- calls ----------------------------------------------------------------------------------------------------------

    def robot(self, method: str, message: Message, repeat: Callable[[Message], None] | None = None) -> Message:
        """Calls what a running job may do. Off a worker, the first call makes a development job."""
        if not self._begun:
            is_shared = not self.is_job and not self._begin()
            self._begun = True
            if is_shared:
                try:
                    return self.call(_ROBOT, method, message, repeat)
                except JobEndedError as error:
                    if error.reason != _NO_DEVELOPMENT_JOB:
                        raise
                # What another connection had begun was over before this one was made.
                self._begin()
        return self.call(_ROBOT, method, message, repeat)

    def is_called(self, process_name: object) -> bool:
        """Whether this is the name of the process whose job calls."""
        if not self.is_job:
            mark, _, name = os.environ.get(_DEVELOPMENT_VARIABLE, "").partition(" ")
            if mark != self._mark():
                # Nothing has begun: this call begins a job.
                return process_name == self._development_name()
            return name == _digest(str(process_name))
        if self._own_name is None:
            # The arguments of a robot that passes all of them on are those of the job: most robots need not ask.
            given = sys.argv[1:7]
            if len(given) == 6 and given[5] == os.environ.get(JOB_VARIABLE):
                self._own_name = given[0]
            else:
                self._own_name = self.context().get("processName", "")
        return process_name == self._own_name

    def context(self) -> Message:
        """The job that a worker runs."""
        return self.call(_ROBOT, "GetContext", {})

    def _begin(self) -> bool:
        """Begins a development job: once for all connections of a program and for the programs that it starts, which are one
        job under a worker, too. Each call of this kind ends the job before, and takes its work away from it. Whether it
        was this one that began it."""
        with _beginning:
            mark = self._mark()
            if _begun() == mark:
                return False
            name, arguments = self._development_name(), self._arguments[3]
            request = {"processName": _values.text("process_name", name)}
            request["processArgs"] = _values.text("process_arguments", arguments if isinstance(arguments, str) else "")
            self.call(_ROBOT, "GetContext", request)
            # The name as its digest, because not every name fits every environment.
            os.environ[_DEVELOPMENT_VARIABLE] = f"{mark} {_digest(name)}"
            return True

    def _development_name(self) -> str:
        """What the development job is called that this connection begins."""
        given = self._arguments[2]
        return (given if isinstance(given, str) else "") or os.path.basename(sys.argv[0] if sys.argv else "") or "python"

    def _mark(self) -> str:
        """Whose development job: a token has one on each server."""
        return _digest(f"{self.endpoint()} {self.token()}")

    def _ended(self) -> None:
        """The development job is over; the next new connection begins another."""
        with _beginning:
            if _begun() == self._mark():
                del os.environ[_DEVELOPMENT_VARIABLE]

    def call(
        self, service: str, method: str, message: Message, repeat: Callable[[Message], None] | None = None
    ) -> Message:
        """Calls a method. While nobody answers, it is called again, marked by ``repeat``, for as long as patience lasts."""
        address, headers = self._resolve()
        path = f"/rpc/orchestrator.v1.{service}/{method}"
        body = _encoder.encode(message).encode()
        began = time.monotonic()
        pause, tries = 0.0, 0
        while True:
            tries += 1
            try:
                status, head, answer = self._connection(address).post(path, headers, body)
            except LostError as lost:
                failure: OrchestratorError = self._unavailable(address, lost)
                pause = 0.0 if lost.stale and tries == 1 else _longer(pause)
            else:
                if status == 200:
                    return _decoded(address, answer)
                failure = _refusal(address, status, answer, self.is_job)
                if failure.reason == _NO_DEVELOPMENT_JOB:
                    self._ended()
                if not isinstance(failure, UnavailableError):
                    raise failure
                pause = max(_longer(pause), _retry_after(head))
            if time.monotonic() - began + pause > self.patience:
                raise failure
            time.sleep(pause)
            if repeat is not None:
                repeat(message)
                body = _encoder.encode(message).encode()
                repeat = None

    def _connection(self, address: Address) -> Connection:
        connection: Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = self._threads.connection = Connection(address, CONNECT_TIMEOUT, ANSWER_TIMEOUT)
        return connection

    def _unavailable(self, address: Address, lost: LostError) -> UnavailableError:
        who = "the worker" if self.is_job else "the server"
        return UnavailableError(
            f"{who} at {address.url} does not answer ({lost}); tried for {self.patience:.0f} s. Is it running?"
        )


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _begun() -> str:
    """The mark of the development job that has begun, if any."""
    return os.environ.get(_DEVELOPMENT_VARIABLE, "").partition(" ")[0]


def _longer(pause: float) -> float:
    shortest, longest = _PAUSES
    # Robots that lost the same worker should not come back in the same instant.
    jitter = 1 + (time.perf_counter_ns() % 1000) / 2000
    return min(max(pause * 2, shortest) * jitter, longest)


def _retry_after(head: dict[str, str]) -> float:
    given = head.get("retry-after", "")
    return min(float(given), 10.0) if given.isdigit() else 0.0


def _decoded(address: Address, answer: bytes) -> Message:
    try:
        message = json.loads(answer.decode())
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise ServerError(f"what {address.url} answers is no JSON: is there another program at this address?")
    return message


_KINDS: dict[str, type[OrchestratorError]] = {
    "invalid_argument": DataError,
    "out_of_range": DataError,
    "not_found": NotFoundError,
    "already_exists": AlreadyExistsError,
    "permission_denied": NotAllowedError,
    "unauthenticated": NotAllowedError,
    "failed_precondition": ConflictError,
    "aborted": ConflictError,
    "resource_exhausted": TooLargeError,
    "unavailable": UnavailableError,
    "deadline_exceeded": UnavailableError,
    "canceled": UnavailableError,
    "unimplemented": NotSupportedError,
}

#: Reasons that say more than their code.
_REASONS: dict[str, type[OrchestratorError]] = {
    "ELEMENT_HELD": ElementHeldError,
    "JOB_ENDED": JobEndedError,
    "JOB_TOKEN_UNKNOWN": JobEndedError,
    _NO_DEVELOPMENT_JOB: JobEndedError,
    "OVERLOADED": UnavailableError,
    "DATABASE_FULL": ServerError,
}


def _refusal(address: Address, status: int, answer: bytes, is_job: bool) -> OrchestratorError:
    """What a refusal is as an exception."""
    try:
        given = json.loads(answer)
        code, message = given["code"], given["message"]
        details: list[Message] = [detail for detail in given.get("details") or [] if isinstance(detail, dict)]
    except (ValueError, KeyError, TypeError, AttributeError):
        if status in (502, 503, 504):
            return UnavailableError(f"what stands in front of {address.url} cannot reach it (HTTP status {status})")
        return ServerError(
            f"{address.url} answers with HTTP status {status} and not as an orchestrator does: "
            "is there another program at this address?"
        )
    reason = next((str(detail["reason"]) for detail in details if detail.get("reason")), "")
    metadata: dict[str, str] = next((detail["metadata"] for detail in details if isinstance(detail.get("metadata"), dict)), {})
    kind = _REASONS.get(reason) or _KINDS.get(code, ServerError)
    advice = _ADVICE.get(reason) or ("" if is_job else _DEVELOPERS_ADVICE.get(reason, ""))
    needed = str(metadata.get("needed", "operator")).lower()
    message = f"{message} ({advice.format(needed=needed)})" if advice else str(message)
    return kind(message, reason=reason, metadata=metadata)


#: What a robot's developer can do, where the server's words are for everybody.
_ADVICE = {
    "JOB_ENDED": "the job of this robot has ended, or was given to another worker; nothing more is taken from it, so end",
    "JOB_TOKEN_UNKNOWN": "the job of this robot has ended, or was given to another worker; nothing more is taken from it, so end",
    _NO_DEVELOPMENT_JOB: "make a new OrchestratorConnection to begin another",
    "ELEMENT_HELD": "take elements with get_next_queue_element, and set only statuses of those",
}

_NEW_TOKEN = "make another with: orchestrator token create user NAME --role {needed}"

#: What a developer can do about a user token.
_DEVELOPERS_ADVICE = {
    "ROLE_TOO_LOW": _NEW_TOKEN,
    "TOKEN_EXPIRED": _NEW_TOKEN,
    "TOKEN_REVOKED": _NEW_TOKEN,
    "TOKEN_UNKNOWN": f"copy it again; is it a token of this server? If not, {_NEW_TOKEN}",
    "TOKEN_MALFORMED": "copy it again: it begins with orc_user_ and has no spaces",
    # A worker's, or that of a job that a worker runs.
    "WRONG_CALLER": "a user token is needed; make one with: orchestrator token create user NAME --role operator",
}


#: What was last given as "the key": to a connection, or to ``crypto_util.set_key``.
key: object = None

_current: Session | None = None
#: Why there is none, as far as that is known.
_failure = ""
#: Where there is none because there was no key yet.
_waiting: object = None


def use(session: Session | None, failure: str = "", waiting: object = None) -> None:
    """Makes a session the one that functions without a connection use, as OpenOrchestrator's connection does. None with an
    address that waits for its key begins when that is set."""
    global _current, _failure, _waiting
    _current, _failure, _waiting = session, failure, waiting


def set_key(value: object) -> None:
    """Keeps what is given as "the key". OpenOrchestrator connects without one, and scripts may set it afterwards."""
    global key
    key = value
    if value and _current is None and _waiting is not None:
        use(Session(_waiting, value))


def current() -> Session:
    """That session: of the last connection that was made, else of this process' own job."""
    global _current
    if _current is None:
        if TOKEN_VARIABLE not in os.environ:
            if _failure:
                raise NotConfiguredError(f"not connected, as db_util.connect has answered with False: {_failure}")
            raise NotConfiguredError(
                "not connected: make an OrchestratorConnection first, or call db_util.connect('http://localhost:8420') after "
                "crypto_util.set_key(token) with a user token"
            )
        _current = Session(os.environ.get(ENDPOINT_VARIABLE, ""), "")
    return _current
