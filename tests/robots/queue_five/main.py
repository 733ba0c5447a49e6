"""A queue robot as they were written for the second line: five arguments, and it looks whether it should pause."""

import importlib.metadata
import json
import os
import sys
import traceback

import OpenOrchestrator
from OpenOrchestrator.database.queues import QueueElement, QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection


def handle(element: QueueElement) -> None:
    work = json.loads(element.data)
    if work["amount"] < 0:
        raise ValueError(f"{element.reference}: the amount is negative")


def main() -> None:
    connection = OrchestratorConnection(*sys.argv[1:6])
    connection.handled = 0
    references = tuple(str(number) for number in range(6))
    data = tuple(json.dumps({"amount": 10 if number != 3 else -1}) for number in range(6))
    connection.bulk_create_queue_elements("Fakturaer", references=references, data=data, created_by=connection.process_name)
    if connection.get_queue_elements("Fakturaer", reference="2", status=QueueStatus.NEW):
        connection.log_trace("2 is there already: it is not created again")

    while not connection.is_trigger_pausing():
        element = connection.get_next_queue_element("Fakturaer")
        if element is None:
            break
        try:
            handle(element)
        except ValueError:
            connection.set_queue_element_status(element.id, QueueStatus.FAILED, message=traceback.format_exc() * 10)
            connection.log_error(f"{element.reference} failed")
        else:
            connection.set_queue_element_status(element.id, QueueStatus.DONE)
            connection.handled += 1
        if connection.handled == 4:
            connection.pause_my_trigger()
    connection.log_info(f"Handled {connection.handled} of trigger {connection.trigger_id}")


def installed():
    try:
        return importlib.metadata.version("OpenOrchestrator")
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
    print(json.dumps({"installed": installed(), "imported": OpenOrchestrator.__file__, "cwd": os.getcwd()}))
