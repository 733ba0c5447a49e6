"""The sample robot "morning-report": on every working day at six, says how the queue "demo" stands."""

from collections import Counter

from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

connection = OrchestratorConnection.create_connection_from_args()
counts = Counter(element.status.value for element in connection.get_queue_elements("demo", limit=1000))
report = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing in it"
connection.log_info(f"Queue demo: {report}")
print(f"Queue demo: {report}")
