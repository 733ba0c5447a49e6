"""One HTTP/1.1 connection that stays open, for small JSON calls.

``http.client`` would do, but importing it takes as long as everything else of a robot's start together (it brings the mail
parser and TLS), and it spends several times what a call to the worker on the same machine takes.
"""

from __future__ import annotations

import atexit
import os
import weakref

from OpenOrchestrator.errors import NotConfiguredError, ServerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import BinaryIO

#: The longest line of a head, and the most lines.
_LINE_LIMIT = 65536
_HEAD_LINES = 200


class LostError(Exception):
    """The connection broke before the answer was there. Whether the call was carried out is not known."""

    def __init__(self, cause: str, *, refused: bool = False, stale: bool = False) -> None:
        super().__init__(cause)
        #: Nobody listens: the call was certainly not carried out.
        self.refused = refused
        #: The connection had been idle, and its other end may just have closed it.
        self.stale = stale


#: What OpenSSL says of bytes that are no TLS, by version.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
#: How TLS refuses bytes that are none.
_TLS_ALERT = b"\x15\x03"


class Address:
    """Where to connect to."""

    def __init__(self, url: str) -> None:
        scheme, separator, rest = url.strip().partition("://")
        authority, slash, path = rest.partition("/")
        self.tls = scheme.lower() == "https"
        self.prefix = (slash + path).rstrip("/")
        host, port = authority, ""
        if authority.startswith("["):
            host, _, port = authority[1:].partition("]")
            port = port[1:]
        elif ":" in authority:
            host, _, port = authority.rpartition(":")
        usable = (
            separator
            and scheme.lower() in ("http", "https")
            and host
            and not any(character in " @" for character in authority)
            and (not port or (port.isascii() and port.isdigit()))
            and url.strip().isprintable()
        )
        if "@" in authority:
            # Not shown: it may be a password.
            raise NotConfiguredError("an address has no user and no password in it; it looks like http://localhost:8420")
        if not usable:
            raise NotConfiguredError(f"{url!r} is no address; it looks like http://localhost:8420")
        self.host = host
        self.port = int(port) if port else (443 if self.tls else 80)
        self.authority = authority
        self.url = f"{'https' if self.tls else 'http'}://{authority}{self.prefix}"

    def connect(self, timeout: float) -> socket.socket:
        """Opens a connection."""
        import socket

        try:
            opened = socket.create_connection((self.host, self.port), timeout)
        except UnicodeError as error:
            raise NotConfiguredError(f"{self.url} has no valid name of a host ({error})") from error
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.tls:
            return opened
        import ssl

        authority = os.environ.get("ORCHESTRATOR_CA_CERT")
        try:
            context = ssl.create_default_context(cafile=authority or None)
        except OSError as error:
            raise NotConfiguredError(f"the certificate authority in ORCHESTRATOR_CA_CERT ({authority}): {error}") from error
        try:
            return context.wrap_socket(opened, server_hostname=self.host)
        except ssl.SSLCertVerificationError as error:
            raise NotConfiguredError(
                f"the certificate of {self.url} is not trusted ({error.verify_message}); name the file of its authority in "
                "the environment variable ORCHESTRATOR_CA_CERT"
            ) from error
        except ssl.SSLError as error:
            if error.reason not in _NO_TLS:
                raise
            raise NotConfiguredError(
                f"what answers at {self.url} does not speak https: write http:// where the server has no certificate"
            ) from error


#: The connections that are open, by their id. A dictionary, because its single operations need no lock: one that another thread
#: holds during a fork would stay held in the child.
_open: dict[int, weakref.ref[Connection]] = {}
_is_ending = False


@atexit.register
def _close_all() -> None:
    """Closes what is still open at the end of the program. What lives on until the interpreter has taken its modules apart,
    such as the connection of a function in ``sys.excepthook``, could not be closed without noise any more."""
    global _is_ending
    _is_ending = True
    for reference in list(_open.values()):
        connection = reference()
        # One in the middle of a call belongs to a thread that nobody waits for: to close it would be to wait.
        if connection is not None and not connection._busy:
            connection.close()


class Connection:
    """A connection, made when it is first used and again when it broke. For one thread."""

    def __init__(self, address: Address, connect_timeout: float, answer_timeout: float) -> None:
        self._address = address
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._socket: socket.socket | None = None
        self._answers: BinaryIO | None = None
        #: Whether a call is under way; one that an exception interrupted leaves bytes that are no answer to the next.
        self._busy = False
        self._pid = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Closes it; the next call opens another."""
        answers, opened = self._answers, self._socket
        self._answers = self._socket = None
        self._busy = False
        if opened is None:
            return
        _open.pop(id(self), None)
        for closing in (answers, opened):
            if closing is not None:
                try:
                    closing.close()
                except OSError:
                    pass

    def post(self, path: str, headers: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Sends a request and reads its answer: the status, the head (names in lower case), the body."""
        # What a fork took over belongs to its parent.
        if self._busy or self._pid != os.getpid():
            self.close()
        reused = self._socket is not None
        self._busy = True
        try:
            answer = self._exchange(path, headers, body)
        except OSError as error:
            self.close()
            if not _is_of_connection(error):
                raise
            # A reused connection that breaks at once was closed by its other end before the call, most likely.
            stale = reused and not isinstance(error, TimeoutError) and not _is_timeout(error)
            raise LostError(_words(error), refused=isinstance(error, ConnectionRefusedError), stale=stale) from error
        except LostError as error:
            self.close()
            error.stale = error.stale and reused
            raise
        except BaseException:
            # Also what a handler of signals raises: bytes are left that are no answer to the next call.
            self.close()
            raise
        self._busy = False
        if _is_ending or answer[1].get("connection", "").lower() == "close":
            self.close()
        return answer

    def _exchange(self, path: str, headers: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._socket is None:
            self._socket = self._address.connect(self._connect_timeout)
            self._socket.settimeout(self._answer_timeout)
            self._answers = self._socket.makefile("rb")
            self._pid = os.getpid()
            _open[id(self)] = weakref.ref(self)
        head = (
            f"POST {self._address.prefix}{path} HTTP/1.1\r\nHost: {self._address.authority}\r\n{headers}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._send(head.encode("latin-1") + body)
        while True:
            status, answer_headers = self._read_head()
            if status >= 200:
                return status, answer_headers, self._read_body(answer_headers)

    def _send(self, request: bytes) -> None:
        assert self._socket is not None
        try:
            self._socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            # A server that refuses a body that is too large answers before it has read it: look for that answer.
            if len(request) < 65536:
                raise

    def _line(self) -> bytes:
        assert self._answers is not None
        line = self._answers.readline(_LINE_LIMIT + 1)
        if not line.endswith(b"\n"):
            if len(line) > _LINE_LIMIT:
                raise ServerError(f"what {self._address.url} answers is no HTTP: a line has no end")
            if line.startswith(_TLS_ALERT):
                raise NotConfiguredError(f"what answers at {self._address.url} speaks https: write https://")
            raise LostError("the connection was closed without an answer", stale=not line)
        return line

    def _read_head(self) -> tuple[int, dict[str, str]]:
        first = self._line()
        words = first.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise ServerError(f"what {self._address.url} answers is no HTTP: {first[:80]!r}")
        headers: dict[str, str] = {}
        for _ in range(_HEAD_LINES):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return int(words[1]), headers
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        raise ServerError(f"what {self._address.url} answers is no HTTP: its head has no end")

    def _read_body(self, headers: dict[str, str]) -> bytes:
        assert self._answers is not None
        if "chunked" in headers.get("transfer-encoding", "").lower():
            parts: list[bytes] = []
            while True:
                size = self._line().split(b";")[0].strip()
                try:
                    length = int(size, 16)
                except ValueError:
                    raise ServerError(f"what {self._address.url} answers is no HTTP: {size[:80]!r}") from None
                if length == 0:
                    while self._line().strip():
                        pass
                    return b"".join(parts)
                parts.append(self._read(length))
                self._line()
        if "content-length" in headers:
            if not headers["content-length"].isdigit():
                raise ServerError(f"what {self._address.url} answers is no HTTP: {headers['content-length'][:80]!r}")
            return self._read(int(headers["content-length"]))
        headers["connection"] = "close"
        return self._answers.read()

    def _read(self, length: int) -> bytes:
        assert self._answers is not None
        found = self._answers.read(length)
        if len(found) < length:
            raise LostError("the connection was closed in the middle of an answer")
        return found


def _is_of_connection(error: OSError) -> bool:
    """Whether it comes from the connection. What the robot's own code raises in the middle of a call, such as a handler of
    signals that ends what takes too long, is the robot's own affair."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is None or place.tb_frame.f_globals.get("__name__") in (__name__, "socket", "ssl")


def _is_timeout(error: OSError) -> bool:
    """Before Python 3.10, sockets have a time-out of their own."""
    return type(error).__name__ == "timeout"


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError) or _is_timeout(error):
        return "no answer in time"
    return error.strerror or str(error) or type(error).__name__
