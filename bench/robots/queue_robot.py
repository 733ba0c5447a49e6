"""A robot that claims elements and completes them, and notes how long each claim took. The same file runs with both.

Arguments (JSON): "queue", "gate" (a file; work begins when it exists), "out" (a folder for what was noted)
"""

import json
import os
import time

import OpenOrchestrator
from OpenOrchestrator.database.queues import QueueStatus
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

connection = OrchestratorConnection.create_connection_from_args()
arguments = json.loads(connection.process_arguments)
name = os.path.join(arguments["out"], str(os.getpid()))
# The first call opens the connection: that is no part of the work.
connection.get_next_queue_element("nothing")
with open(name + ".ready", "w", encoding="utf-8") as file:
    file.write(os.path.dirname(OpenOrchestrator.__file__))
while not os.path.exists(arguments["gate"]):
    time.sleep(0.002)

ids, claims = [], []
begun = time.time()
while True:
    before = time.perf_counter()
    element = connection.get_next_queue_element(arguments["queue"])
    claims.append(time.perf_counter() - before)
    if element is None:
        break
    ids.append(str(element.id))
    connection.set_queue_element_status(element.id, QueueStatus.DONE)
noted = {"begun": begun, "ended": time.time(), "ids": ids, "claims": claims}
with open(name + ".new", "w", encoding="utf-8") as file:
    json.dump(noted, file)
os.rename(name + ".new", name + ".json")
