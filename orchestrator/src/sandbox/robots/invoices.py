"""The sample robot of the queue trigger "invoices": is started when 25 elements wait in the queue "demo", and handles them."""

import json

from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

LIMIT = 2000

connection = OrchestratorConnection.create_connection_from_args()
paid = refused = 0
while element := connection.get_next_queue_element("demo"):
    amount = json.loads(element.data or "{}").get("amount", 0)
    if amount > LIMIT:
        refused += 1
        connection.set_queue_element_status(element.id, QueueStatus.FAILED, f"The amount {amount} is over the limit {LIMIT}")
    else:
        paid += 1
        connection.set_queue_element_status(element.id, QueueStatus.DONE, f"Paid {amount}")
connection.log_info(f"Paid {paid} invoices, {refused} need a person")
