"""Constants and credentials."""

from __future__ import annotations

from OpenOrchestrator import _robot, _session, _values
from OpenOrchestrator._db import listed, user
from OpenOrchestrator.database.constants import (
    Constant,
    Credential,
    _constant_from_wire,
    _credential_from_wire,
)

_CONSTANTS = "it takes an administrator's token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator constant`"
_CREDENTIALS = (
    "it takes an administrator's token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator credential`"
)


def get_constant(name: str) -> Constant:
    """A constant."""
    session = _session.current()
    if session.is_job:
        return _robot.get_constant(session, name)
    request = {"name": _values.known_name("name", name)}
    return _constant_from_wire(_robot.of_name(session.call, "ConstantService", "Get", request)["constant"])


def get_constants() -> tuple[Constant, ...]:
    """All constants, by name."""
    session = user("get_constants", "read those it needs with connection.get_constant(name); " + _CONSTANTS)
    return tuple(_constant_from_wire(constant) for constant in listed(session, "ConstantService", {}, "constants"))


def create_constant(name: str, value: str) -> None:
    """Makes a constant."""
    session = user("create_constant", _CONSTANTS)
    request = {"name": _values.name("name", name), "value": _values.text("value", value), "createOnly": True}
    session.call("ConstantService", "Set", request)


def update_constant(name: str, new_value: str) -> None:
    """Changes a constant."""
    session = _session.current()
    if session.is_job:
        _robot.update_constant(session, name, new_value)
        return
    get_constant(name)
    session.call("ConstantService", "Set", {"name": name, "value": _values.text("new_value", new_value)})


def delete_constant(name: str) -> None:
    """Removes a constant."""
    session = user("delete_constant", _CONSTANTS)
    session.call("ConstantService", "Delete", {"name": _values.name("name", name)})


def get_credential(name: str, decrypt_password: bool = True) -> Credential:
    """A credential. Its password is empty unless ``decrypt_password``, which the server remembers."""
    session = _session.current()
    if session.is_job:
        credential = _robot.get_credential(session, name)
        if not decrypt_password:
            credential.password = ""
        return credential
    method = "Reveal" if decrypt_password else "Get"
    answer = _robot.of_name(session.call, "CredentialService", method, {"name": _values.known_name("name", name)})
    return _credential_from_wire(answer["credential"], answer.get("password", ""))


def get_credentials() -> tuple[Credential, ...]:
    """All credentials, by name, without their passwords."""
    session = user("get_credentials", "read those it needs with connection.get_credential(name); " + _CREDENTIALS)
    found = listed(session, "CredentialService", {}, "credentials")
    return tuple(_credential_from_wire(credential, "") for credential in found)


def _set_credential(name: str, username: str, password: str, create_only: bool) -> None:
    session = user("create_credential", _CREDENTIALS)
    request = {
        "name": _values.name("name", name),
        "username": _values.text("username", username),
        "password": _values.text("password", password),
        "createOnly": create_only,
    }
    session.call("CredentialService", "Set", request)


def create_credential(name: str, username: str, password: str) -> None:
    """Makes a credential. The server encrypts the password."""
    _set_credential(name, username, password, True)


def update_credential(name: str, new_username: str, new_password: str) -> None:
    """Changes a credential."""
    session = _session.current()
    if session.is_job:
        _robot.update_credential(session, name, new_username, new_password)
        return
    get_credential(name, decrypt_password=False)
    _set_credential(name, new_username, new_password, False)


def delete_credential(name: str) -> None:
    """Removes a credential."""
    session = user("delete_credential", _CREDENTIALS)
    session.call("CredentialService", "Delete", {"name": _values.name("name", name)})
