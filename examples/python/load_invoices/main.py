"""A linear robot: it does one thing from beginning to end.

Arguments (JSON): {"count": how many invoices to add, "first": the first number}
Constant: "Invoice limit", only to show how one is read.
"""

import json

from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

QUEUE = "Invoices"


def process(connection: OrchestratorConnection) -> None:
    arguments = json.loads(connection.process_arguments or "{}")
    count, first = int(arguments.get("count", 10)), int(arguments.get("first", 1))
    limit = int(connection.get_constant("Invoice limit").value)

    numbers = range(first, first + count)
    references = [f"invoice-{number}" for number in numbers]
    # Whoever fills a queue twice should not fill it double.
    known = {element.reference for element in connection.get_queue_elements(QUEUE, limit=10_000)}
    new = [reference for reference in references if reference not in known]
    data = [json.dumps({"number": reference, "amount": 100 * int(reference.rsplit("-")[-1])}) for reference in new]
    if new:
        connection.bulk_create_queue_elements(QUEUE, new, data, created_by=connection.process_name)
    connection.log_info(f"Added {len(new)} invoices, {len(references) - len(new)} were there; the limit is {limit}")


if __name__ == "__main__":
    conn = OrchestratorConnection.create_connection_from_args()
    conn.log_trace("Robot started")
    process(conn)
    conn.log_trace("Robot finished")
