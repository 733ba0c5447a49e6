"""The sample robot "hello": says who it is and what it was given."""

from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

connection = OrchestratorConnection.create_connection_from_args()

print("Hello! I am a robot.")
print(f"  process name: {connection.process_name}")
print(f"  arguments: {connection.process_arguments or '(none)'}")
print(f"  trigger id: {connection.trigger_id}")
print(f"  job id: {connection.job_id}")
for step in range(1, 4):
    # What is printed is the job's output; what is logged is found under Logs, across all jobs.
    connection.log_info(f"step {step} of 3")
print("Done.")
