"""The work on one element."""

import json

from OpenOrchestrator.database.queues import QueueElement
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

from robot_framework.errors import BusinessError


def process(connection: OrchestratorConnection, element: QueueElement) -> None:
    connection.log_trace(f"Working on {element.reference}")
    task = json.loads(element.data)
    if task["kind"] == "business":
        raise BusinessError(f"{element.reference} has no case number")
    if task["kind"] == "crash":
        raise RuntimeError("the window did not open")
