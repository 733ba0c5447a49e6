"""Takes elements until there are none; starts over after an application error."""

import sys
import traceback

from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

from robot_framework import config
from robot_framework.errors import BusinessError, log_exception
from robot_framework.process import process


def reset(connection: OrchestratorConnection) -> None:
    connection.log_trace("Closing and opening applications")


def main() -> None:
    connection = OrchestratorConnection.create_connection_from_args()
    sys.excepthook = log_exception(connection)
    connection.log_info(f"{connection.process_name} begins, with {connection.process_arguments}")
    errors = 0
    while errors < config.MOST_ERRORS:
        try:
            reset(connection)
            work(connection)
            break
        except Exception as error:  # pylint: disable=broad-except
            errors += 1
            connection.log_error(f"Error {errors}: {type(error).__name__}: {error}\n{traceback.format_exc()}")
    reset(connection)
    if errors == config.MOST_ERRORS:
        raise RuntimeError("Too many errors")


def work(connection: OrchestratorConnection) -> None:
    for _ in range(config.MOST_TASKS):
        element = connection.get_next_queue_element(config.QUEUE)
        if element is None:
            connection.log_info("Queue is empty")
            return
        try:
            process(connection, element)
        except BusinessError as error:
            connection.log_info(f"BusinessError: {error}")
            connection.set_queue_element_status(element.id, QueueStatus.FAILED, str(error))
        except Exception:
            connection.set_queue_element_status(element.id, QueueStatus.FAILED, traceback.format_exc())
            raise
        else:
            connection.set_queue_element_status(element.id, QueueStatus.DONE)
