"""A linear robot as they were written for the first line: one script, and a connection from four arguments."""

import importlib.metadata
import json
import os
import sys

import OpenOrchestrator
from OpenOrchestrator.common import datetime_util
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection


def main():
    name, connection_string, crypto_key, process_arguments = sys.argv[1:5]
    connection = OrchestratorConnection(name, connection_string, crypto_key, process_arguments)
    connection.log_trace("Process started")

    arguments = json.loads(connection.process_arguments)
    limit = connection.get_constant("Limit")
    connection.log_info(f"{limit.name} is {limit.value} since {datetime_util.format_datetime(limit.changed_at)[:3]}…")
    mail = connection.get_credential("Mail")
    with open(arguments["proof"], "w", encoding="utf-8") as proof:
        json.dump([mail.username, mail.password], proof)
    connection.update_constant("Limit", str(int(limit.value) + 1))
    connection.update_credential("Mail", mail.username, mail.password + "!")

    for month in arguments["months"]:
        connection.create_queue_element("Rapporter", reference=month, data=json.dumps({"måned": month}), created_by=name)
    connection.log_error("x" * 9000 + " the end of a long traceback")
    connection.log_info("Process done")


def installed():
    """The version of the real package in this environment, which is not the one that is imported."""
    try:
        return importlib.metadata.version("OpenOrchestrator")
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
    print(json.dumps({"installed": installed(), "imported": OpenOrchestrator.__file__, "cwd": os.getcwd()}))
