"""Makes an OpenOrchestrator database with its own functions: make.py FILE; prints the key."""
import datetime
import os
import sys

os.environ["ORCHESTRATOR_TEST"] = "1"
from OpenOrchestrator.common import crypto_util
from OpenOrchestrator.database import base, constants, db_util, jobs, logs, queues, schedulers, triggers  # noqa: F401

path = os.path.abspath(sys.argv[1])
key = crypto_util.generate_key()
key = key if isinstance(key, str) else key.decode()
crypto_util.set_key(key)
assert db_util.connect("sqlite:///" + path)
base.Base.metadata.create_all(db_util._connection_engine)

db_util.create_constant("Error Email", "robots@example.org")
db_util.create_credential("SAP", "robot", "s3cret æøå")
when = datetime.datetime(2030, 1, 2, 3, 4, 5)
robot = "C:\\robots\\main.py"
db_util.create_single_trigger("Once", "Invoices", when, robot, '{"a": 1}', False, True, 0)
fired = db_util.create_single_trigger("Fired", "Invoices", when, robot, "", False, True, 0)
db_util.set_trigger_status(fired, triggers.TriggerStatus.DONE)
git = "https://git.example.org/robots/mail.git"
db_util.create_scheduled_trigger("Mail", "Mail", "0 6 * * 1-5", when, git, "", True, False, 5, ["RPA-01"], "v1")
paused = db_util.create_scheduled_trigger("Mail", "Mail again", "*/15 * * * *", when, git, "", True, False, 0)
db_util.set_trigger_status(paused, triggers.TriggerStatus.PAUSED)
db_util.create_scheduled_trigger("Broken", "Broken", "61 * * * *", when, robot, "", False, True, 0)
db_util.create_queue_trigger("Work", "Work", "Letters", robot, "", False, True, 3, 0)
for number in range(5):
    db_util.create_queue_element("Letters", f"letter-{number}", '{"to": "Ærø"}', "robot")
done = db_util.get_next_queue_element("Letters")
db_util.set_queue_element_status(done.id, queues.QueueStatus.FAILED, "no such address")
db_util.get_next_queue_element("Letters")
print(key)
