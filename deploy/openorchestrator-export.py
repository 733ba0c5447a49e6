#!/usr/bin/env python3
"""Writes what OpenOrchestrator keeps in its database to a file that `orchestrator import openorchestrator` reads.

Run it with the Python that OpenOrchestrator is installed for: it uses its SQLAlchemy, pyodbc and cryptography.

    python openorchestrator-export.py export.jsonl
    orchestrator import openorchestrator export.jsonl --dry-run

The connection string and the key are taken from OpenOrchestratorConnString and OpenOrchestratorKey, or asked for. Nothing in
the database is changed. The file holds the passwords in clear text: it is made readable by you alone; delete it afterwards.
"""

import argparse
import base64
import datetime
import getpass
import json
import os
import sys
import uuid

import sqlalchemy
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import inspect, select

FORMAT = 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="the new file")
    parser.add_argument("--without-passwords", action="store_true", help="leave the passwords of credentials out")
    parser.add_argument("--without-elements", action="store_true", help="leave queue elements out")
    parser.add_argument("--zone", help="the time zone its times are meant in, such as Europe/Copenhagen; this machine's unless given")
    arguments = parser.parse_args()

    connection_string = os.environ.get("OpenOrchestratorConnString") or getpass.getpass("Connection string: ")
    key = None
    if not arguments.without_passwords:
        key = os.environ.get("OpenOrchestratorKey") or getpass.getpass("Encryption key: ")

    engine = sqlalchemy.create_engine(connection_string.strip())
    try:
        with engine.connect() as connection:
            lines = list(export(connection, key, arguments))
    except sqlalchemy.exc.SQLAlchemyError as error:
        sys.exit(f"The database cannot be read: {error}\nIs the connection string right, and its driver installed?")
    except BadKey as error:
        sys.exit(f"{error}\nGive the key that OpenOrchestrator uses, or --without-passwords.")
    write(arguments.file, lines)
    counts = {}
    for line in lines[1:]:
        counts[line["kind"]] = counts.get(line["kind"], 0) + 1
    print(", ".join(f"{count} {kind.replace('_', ' ')}(s)" for kind, count in sorted(counts.items())) or "nothing")
    print(f"Next: orchestrator import openorchestrator {arguments.file} --dry-run")


class BadKey(Exception):
    """The key is none, or not the one the passwords were encrypted with."""


def export(connection, key, arguments):
    """The lines of the file."""
    tables = {name.lower(): name for name in inspect(connection).get_table_names()}
    yield {
        "kind": "openorchestrator",
        "format": FORMAT,
        "zone": arguments.zone or local_zone(),
        "exported_at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    }
    for row in rows(connection, tables, "Constants"):
        yield {"kind": "constant", "name": row["name"], "value": row["value"]}
    for row in rows(connection, tables, "Credentials"):
        yield {
            "kind": "credential",
            "name": row["name"],
            "username": row["username"],
            "password": decrypt(key, row["name"], row["password"]) if key else None,
        }
    yield from triggers(connection, tables)
    if not arguments.without_elements:
        for row in rows(connection, tables, "Queues"):
            yield {"kind": "queue_element", **{name: value for name, value in row.items() if name != "kind"}}


def triggers(connection, tables):
    """Triggers with what their kind has."""
    details = {}
    for table in ("Single_Triggers", "Scheduled_Triggers", "Queue_Triggers"):
        for row in rows(connection, tables, table):
            details[row["id"]] = row
    for row in rows(connection, tables, "Triggers"):
        yield {"kind": "trigger", **row, **details.get(row["id"], {})}


def rows(connection, tables, name):
    """The rows of a table of any version of OpenOrchestrator, with plain values."""
    if name.lower() not in tables:
        return
    # Reflected with the driver's own types: an enum value that a version does not know must not break the export.
    columns = [column["name"] for column in inspect(connection).get_columns(tables[name.lower()])]
    table = sqlalchemy.table(tables[name.lower()], *(sqlalchemy.column(column) for column in columns))
    for row in connection.execute(select(table)).mappings():
        yield {column: plain(column, row[column]) for column in columns}


def plain(column, value):
    """A value as JSON takes it."""
    if column == "id" and value is not None:
        return str(value if isinstance(value, uuid.UUID) else uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(str(value)))
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


def decrypt(key, name, password):
    """The password in clear text, as OpenOrchestrator decrypts it."""
    try:
        if len(base64.urlsafe_b64decode(key)) != 32:
            raise ValueError
        return Fernet(key.encode()).decrypt(password.encode()).decode()
    except ValueError as error:
        raise BadKey("The encryption key is no key.") from error
    except InvalidToken as error:
        raise BadKey(f"The password of credential {name!r} was encrypted with another key.") from error


def local_zone():
    """The IANA name of this machine's zone, where it can be told."""
    try:
        import tzlocal

        return str(tzlocal.get_localzone_name())
    except ImportError:
        pass
    try:
        target = os.path.realpath("/etc/localtime")
        if "zoneinfo/" in target:
            return target.split("zoneinfo/", 1)[1]
    except OSError:
        pass
    return None


def write(path, lines):
    """A new file that only its owner may read."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit(f"{path} is there already and is not overwritten.")
    with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
