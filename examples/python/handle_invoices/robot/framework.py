"""The loop around the work: it takes elements, keeps their statuses true, and lives through errors."""

from __future__ import annotations

import traceback

from OpenOrchestrator.database.queues import QueueElement, QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

from robot import config
from robot.errors import BusinessError
from robot.process import process
from robot.system import InvoiceSystem


def run() -> int:
    """Works until the queue is empty. Returns the exit code: 0 for a robot that did its work."""
    connection = OrchestratorConnection.create_connection_from_args()
    connection.log_trace("Robot started")
    errors = 0
    unfinished: QueueElement | None = None
    handled = 0
    while errors < config.MAX_ERRORS:
        system = None
        try:
            system = open_system(connection)
            while handled < config.MAX_ELEMENTS and not connection.is_trigger_pausing():
                element = unfinished or connection.get_next_queue_element(config.QUEUE)
                if element is None:
                    break
                # Until it is finished, this is the element that a new start goes on with.
                unfinished = element
                handle(connection, system, element)
                unfinished = None
                handled += 1
            connection.log_info(f"Handled {handled} invoices")
            return 0
        except Exception as error:  # pylint: disable=broad-except
            errors += 1
            connection.log_error(f"Error {errors} of {config.MAX_ERRORS}: {error}\n{traceback.format_exc()}")
        finally:
            if system is not None:
                system.close()
    if unfinished is not None:
        connection.set_queue_element_status(unfinished.id, QueueStatus.FAILED, "The robot gave up, see its log")
    connection.log_error("The robot gave up")
    return 1


def handle(connection: OrchestratorConnection, system: InvoiceSystem, element: QueueElement) -> None:
    """One element to its end. An application error leaves it as it is."""
    try:
        message = process(connection, system, element)
    except BusinessError as error:
        connection.log_info(f"{element.reference}: {error}")
        connection.set_queue_element_status(element.id, QueueStatus.FAILED, str(error))
    else:
        connection.set_queue_element_status(element.id, QueueStatus.DONE, message)


def open_system(connection: OrchestratorConnection) -> InvoiceSystem:
    """A fresh session in the system."""
    credential = connection.get_credential(config.CREDENTIAL)
    return InvoiceSystem(credential.username, credential.password)
