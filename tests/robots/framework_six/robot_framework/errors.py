"""The two kinds of failure, and what becomes of what nobody catches."""

import traceback
from typing import Callable

from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection


class BusinessError(Exception):
    """Something is wrong with the element: fail it, and go on with the next."""


def log_exception(connection: OrchestratorConnection) -> Callable:
    """For ``sys.excepthook``, as in the public template: the function keeps the connection to the very end of the program."""

    def inner(type_, value, traceback_):
        connection.log_error(f"Uncaught: {''.join(traceback.format_exception(type_, value, traceback_))}")

    return inner
