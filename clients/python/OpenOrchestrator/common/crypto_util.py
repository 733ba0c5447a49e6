"""Keys live on the server: it encrypts and decrypts, and no robot ever holds a key.

What is set as "the key" here is a user token, for scripts that use ``database.db_util`` without a connection.
"""

from __future__ import annotations

from OpenOrchestrator import _session
from OpenOrchestrator import _types as t
from OpenOrchestrator.errors import NotSupportedError

def set_key(key: t.Optional[str]) -> None:
    """Keeps a user token for ``db_util.connect``, also for one that was made without. Anything else, such as an old encryption
    key, is of no use and no harm."""
    _session.set_key(key.decode("latin-1") if isinstance(key, bytes) else key)


def get_key() -> t.Optional[str]:
    """What was set, by ``set_key`` or with the last connection."""
    return _session.key  # type: ignore[return-value]


def validate_key(key: str) -> bool:
    """Whether this is a token, which is what stands in the place of a key here."""
    return isinstance(key, str) and key.strip().startswith("orc_")


def generate_key() -> bytes:
    """There is nothing to generate."""
    raise NotSupportedError(
        "encryption keys live on the server only: make its key file with `orchestrator key generate FILE`, and a token for a "
        "script with `orchestrator token create user NAME`"
    )


def encrypt_string(data: str) -> str:
    """The server does that."""
    raise NotSupportedError(
        "the server encrypts passwords itself: set them with connection.update_credential(name, username, password), or with "
        "`orchestrator credential set NAME`"
    )


def decrypt_string(data: str) -> str:
    """The server does that."""
    raise NotSupportedError(
        "the server decrypts passwords itself: connection.get_credential(name).password is the password, ready for use"
    )
