"""The work itself: one element. This is the file that every robot writes for itself."""

from __future__ import annotations

import json

from OpenOrchestrator.database.queues import QueueElement
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

from robot import config
from robot.errors import BusinessError
from robot.system import InvoiceSystem


def process(connection: OrchestratorConnection, system: InvoiceSystem, element: QueueElement) -> str:
    """Handles one invoice. What it returns becomes the message of the element."""
    try:
        invoice = json.loads(element.data)
        amount = int(invoice["amount"])
    except (TypeError, ValueError, KeyError) as error:
        raise BusinessError(f"The data of this invoice cannot be read: {error}") from error
    limit = int(connection.get_constant(config.LIMIT_CONSTANT).value)
    if amount > limit:
        raise BusinessError(f"The amount {amount} is over the limit {limit}: a person has to approve it")
    receipt = system.pay(invoice["number"], amount)
    return f"Paid, receipt {receipt}"
