"""The functions without a connection: of scripts with a user token, and of robots."""

import importlib
import sys
import types
import unittest
import uuid
from datetime import datetime

from OpenOrchestrator import _session
from OpenOrchestrator.common import crypto_util, datetime_util
from OpenOrchestrator.database import db_util, triggers
from OpenOrchestrator.database.jobs import JobStatus
from OpenOrchestrator.database.logs import LogLevel
from OpenOrchestrator.database.queues import QueueElement, QueueStatus
from OpenOrchestrator.database.triggers import QueueTrigger, ScheduledTrigger, SingleTrigger, Trigger, TriggerStatus, TriggerType
from OpenOrchestrator.database.truncated_string import truncate_message
from OpenOrchestrator.errors import DataError, NotConfiguredError, NotFoundError, NotSupportedError
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

from tests.fake import TOKEN, USER_TOKEN, Refusal, RobotTest, refuse

TRIGGER = str(uuid.UUID(int=8))
ELEMENT = {
    "id": str(uuid.UUID(int=5)), "queueName": "q", "status": "NEW", "data": None, "reference": "r", "message": None,
    "createdBy": None, "createdDate": "2026-01-02T03:04:05Z", "startDate": None, "endDate": None,
}


def trigger(**changes):
    return {
        "id": TRIGGER, "name": "night", "type": "SCHEDULED", "status": "QUEUED", "hold": "NONE", "processName": "p",
        "processPath": "/srv/robot/main.py", "processArgs": "a", "isGitRepo": False, "gitBranch": None, "isBlocking": True,
        "priority": 3, "workerWhitelist": ["w"], "policies": {"maxAttempts": 2}, "lastRun": None,
        "nextRun": "2026-01-02T03:04:05Z", "updatedAt": "2026-01-01T00:00:00Z",
        "scheduled": {"cronExpr": "0 4 * * *", "timeZone": "Europe/Copenhagen", "nextRun": None}, **changes,
    }


class Script(RobotTest):
    """A script of an administrator."""

    def setUp(self):
        super().setUp()
        self.environment(ORCHESTRATOR_JOB_TOKEN=None)
        self.fake.tokens = {USER_TOKEN}
        self.fake.answers["AdminService/WhoAmI"] = {"kind": "USER", "name": "ada", "role": "ADMIN"}
        crypto_util.set_key(USER_TOKEN)
        self.addCleanup(crypto_util.set_key, None)
        self.assertTrue(db_util.connect(self.fake.url))

    def last(self):
        return self.fake.calls[-1]

    def answers(self, **answers):
        self.fake.answers.update({name.replace("_", "/"): answer for name, answer in answers.items()})

    def test_it_connects_with_a_token_and_disconnects(self):
        self.assertEqual(db_util.get_conn_string(), self.fake.url)
        self.assertTrue(db_util.check_database_revision())
        db_util.disconnect()
        with self.assertRaisesRegex(NotConfiguredError, "not connected.*set_key"):
            db_util.get_constants()
        with self.assertRaises(RuntimeError):
            db_util.get_constants()
        db_util.initialize_database()
        self.assertFalse(db_util.connect("sqlite:///x.db"))
        self.assertFalse(db_util.connect("http://127.0.0.1:9"))
        crypto_util.set_key("orc_user_wrong")
        self.assertFalse(db_util.connect(self.fake.url))

    def test_sqlalchemy_is_told_that_the_address_is_no_database(self):
        class Registry:
            """As that of SQLAlchemy."""

            def __init__(self):
                self.loaders = {}

            def register(self, name, module, attribute):
                self.loaders[name] = lambda: getattr(importlib.import_module(module), attribute)

        dialects = types.ModuleType("sqlalchemy.dialects")
        dialects.registry = Registry()
        sys.modules["sqlalchemy.dialects"] = dialects
        self.addCleanup(sys.modules.pop, "sqlalchemy.dialects")
        self.assertEqual(db_util.get_conn_string(), self.fake.url, "it can be handed on")
        for scheme in ("http", "https"):
            with self.assertRaisesRegex(NotSupportedError, r"no database.*\[retention\].*orchestrator db prune"):
                dialects.registry.loaders[scheme]()

    def test_after_a_server_that_does_not_answer_none_is_used(self):
        self.assertFalse(db_util.connect("http://127.0.0.1:9"))
        with self.assertRaisesRegex(NotConfiguredError, "not connected, as db_util.connect .*: the server at .*:9 does not answer"):
            db_util.get_constants()
        self.assertTrue(db_util.connect(self.fake.url))
        db_util.disconnect()
        with self.assertRaisesRegex(NotConfiguredError, "not connected: make"):
            db_util.get_constants()

    def test_a_script_that_sets_no_key_has_it_in_the_environment(self):
        crypto_util.set_key(None)
        self.environment(OpenOrchestratorKey=None)
        self.assertFalse(db_util.connect(self.fake.url))
        with self.assertRaisesRegex(NotConfiguredError, "there is no token.*OpenOrchestratorKey"):
            db_util.create_queue_element("q")
        self.environment(OpenOrchestratorKey=USER_TOKEN)
        self.assertTrue(db_util.connect(self.fake.url))
        self.answers(QueueService_Create={"element": ELEMENT})
        self.assertEqual(db_util.create_queue_element("q", data="{}").reference, "r")
        # What is set is not looked up.
        crypto_util.set_key("orc_user_wrong")
        self.assertFalse(db_util.connect(self.fake.url))

    def test_a_key_that_is_set_after_connecting_is_used(self):
        crypto_util.set_key(None)
        self.environment(OpenOrchestratorKey=None)
        self.answers(QueueService_Create={"element": ELEMENT})
        self.assertFalse(db_util.connect(self.fake.url))
        crypto_util.set_key(USER_TOKEN)
        self.assertEqual(db_util.get_conn_string(), self.fake.url)
        self.assertEqual(db_util.create_queue_element("q", data="{}").reference, "r")
        # A server that did not answer is none that a key opens, and disconnecting ends it.
        self.assertFalse(db_util.connect("http://127.0.0.1:9"))
        crypto_util.set_key(USER_TOKEN)
        with self.assertRaisesRegex(NotConfiguredError, "not connected, as"):
            db_util.create_queue_element("q")
        crypto_util.set_key(None)
        self.assertFalse(db_util.connect(self.fake.url))
        db_util.disconnect()
        crypto_util.set_key(USER_TOKEN)
        with self.assertRaisesRegex(NotConfiguredError, "not connected: make"):
            db_util.create_queue_element("q")

    def test_the_key_of_the_last_connection_is_the_key(self):
        OrchestratorConnection("p", self.fake.url, "one", "")
        self.assertEqual(crypto_util.get_key(), "one")
        OrchestratorConnection("p", self.fake.url, USER_TOKEN, "")
        self.assertTrue(db_util.connect(self.fake.url))

    def test_a_robot_is_its_job_whatever_key_its_machine_has(self):
        self.environment(ORCHESTRATOR_JOB_TOKEN=TOKEN, OpenOrchestratorKey=USER_TOKEN)
        self.fake.tokens = {TOKEN}
        crypto_util.set_key(None)
        self.assertTrue(db_util.connect(self.fake.url))
        self.assertEqual(self.last()[0], "RobotService/GetContext")

    def test_triggers_are_shown_under_the_old_names(self):
        self.answers(TriggerService_List={"triggers": [
            trigger(),
            trigger(type="QUEUE", scheduled=None, queue={"queueName": "q", "minBatchSize": 2}, status="PAUSING"),
            trigger(type="SINGLE", scheduled=None, single={"nextRun": None}, status="DONE", nextRun=None),
        ], "nextCursor": ""})
        scheduled, queue, single = db_util.get_all_triggers()
        self.assertIsInstance(scheduled, triggers.ScheduledTrigger)
        self.assertEqual((scheduled.id, scheduled.cron_expr), (uuid.UUID(TRIGGER), "0 4 * * *"))
        self.assertEqual(scheduled.process_status, TriggerStatus.RUNNING, "what waits for a worker runs, for old robots")
        self.assertEqual((queue.queue_name, queue.min_batch_size, queue.type), ("q", 2, TriggerType.QUEUE))
        self.assertEqual((queue.process_status, single.process_status), (TriggerStatus.PAUSING, TriggerStatus.DONE))
        self.assertEqual(scheduled.scheduler_whitelist, ["w"])
        row = single.to_row_dict()
        self.assertEqual((row["Type"], row["Last Run"], row["Next Run"]), ("Single", "Never", "N/A"))
        self.answers(TriggerService_List={"triggers": [], "nextCursor": ""})
        for function, type_ in ((db_util.get_scheduled_triggers, "SCHEDULED"), (db_util.get_single_triggers, "SINGLE"),
                                (db_util.get_queue_triggers, "QUEUE")):
            self.assertEqual(function(), ())
            self.assertEqual(self.last()[1]["type"], type_)

    def test_triggers_are_created_changed_and_deleted(self):
        self.fake.answers["TriggerService/Create"] = lambda message: {"trigger": message["trigger"]}
        common = ("n", "p", "/srv/main.py", "args", False, True)
        at = datetime(2026, 1, 2, 3, 4, 5)
        made = db_util.create_single_trigger(*common[:2], at, *common[2:])
        sent = self.last()[1]["trigger"]
        self.assertEqual((str(made), sent["isBlocking"], sent["processArgs"]), (sent["id"], True, "args"))
        self.assertTrue(sent["single"]["nextRun"].endswith("Z"))
        db_util.create_scheduled_trigger(*common[:2], "0 4 * * *", at, *common[2:], 5, ["w"], "main")
        sent = self.last()[1]["trigger"]
        self.assertEqual((sent["priority"], sent["workerWhitelist"], sent["gitBranch"]), (5, ["w"], "main"))
        self.assertEqual(sent["scheduled"]["cronExpr"], "0 4 * * *")
        db_util.create_queue_trigger(*common[:2], "q", *common[2:], 7, priority=1)
        self.assertEqual(self.last()[1]["trigger"]["queue"], {"queueName": "q", "minBatchSize": 7})

        self.answers(TriggerService_Get={"trigger": trigger()}, TriggerService_Update={}, TriggerService_Delete={})
        found = db_util.get_trigger(TRIGGER)
        found.process_args, found.cron_expr, found.git_branch = "", "0 5 * * *", None
        db_util.update_trigger(found)
        sent = self.last()[1]["trigger"]
        self.assertNotIn("processArgs", sent)
        self.assertEqual(sent["policies"], {"maxAttempts": 2}, "what this package does not know stays")
        self.assertEqual(sent["scheduled"], {"cronExpr": "0 5 * * *", "timeZone": "Europe/Copenhagen", "nextRun": None})
        db_util.delete_trigger(uuid.UUID(TRIGGER))
        self.assertEqual(self.last(), ("TriggerService/Delete", {"trigger": TRIGGER}))

    def test_a_changed_status_is_stored_with_the_trigger_and_an_unchanged_one_is_not(self):
        self.answers(TriggerService_Get={"trigger": trigger(status="IDLE")}, TriggerService_Update={}, TriggerService_Disable={})
        found = db_util.get_trigger(TRIGGER)
        # It begins to run after it was read: that is no wish of the script's.
        self.answers(TriggerService_Get={"trigger": trigger(status="RUNNING")})
        db_util.update_trigger(found)
        self.assertEqual(self.last()[0], "TriggerService/Update")
        found.process_status = TriggerStatus.PAUSED
        for _ in range(2):
            db_util.update_trigger(found)
        paths = [path.partition("/")[2] for path, _ in self.fake.calls[-5:]]
        self.assertEqual(paths, ["Get", "Update", "Disable", "Get", "Update"], "it is set once")
        found.process_status = TriggerStatus.DONE
        with self.assertRaisesRegex(ValueError, "cannot be set"):
            db_util.update_trigger(found)
        self.assertEqual(self.last()[0], "TriggerService/Get", "nothing else is stored then")

    def test_a_status_is_set_by_what_an_administrator_would_do(self):
        for status, verb in ((TriggerStatus.IDLE, "Enable"), (TriggerStatus.PAUSED, "Disable"), (TriggerStatus.KILLED, "Kill")):
            self.fake.answers[f"TriggerService/{verb}"] = {}
            db_util.set_trigger_status(TRIGGER, status)
            self.assertEqual(self.last(), (f"TriggerService/{verb}", {"trigger": TRIGGER}))
        with self.assertRaisesRegex(ValueError, "cannot be set"):
            db_util.set_trigger_status(TRIGGER, TriggerStatus.RUNNING)

    def test_logs_are_filtered_ordered_and_counted(self):
        lines = [
            {"id": str(uuid.UUID(int=number)), "logTime": f"2026-01-02T03:04:0{number}Z", "logLevel": level,
             "processName": name, "logMessage": name, "jobId": ""}
            for number, level, name in ((3, "INFO", "b"), (2, "NEWER", "a"), (1, "ERROR", "c"))
        ]
        self.answers(LogService_List={"logs": lines, "nextCursor": ""})
        found = db_util.get_logs(0, 10, log_level=LogLevel.INFO, process_name="x", from_date=datetime(2026, 1, 1), job_id=TRIGGER)
        self.assertEqual([line.process_name for line in found], ["b", "a", "c"])
        self.assertEqual((found[0].log_level, found[1].log_level, found[0].job_id), (LogLevel.INFO, LogLevel.INFO, None))
        request = self.last()[1]
        self.assertEqual((request["levels"], request["processName"], request["job"]), (["INFO"], "x", TRIGGER))
        self.assertTrue({"ID", "Level", "Message", "Short Job ID"} <= set(found[0].to_row_dict()))
        found, count = db_util.get_logs(1, 1, order_by="Process Name", order_desc=False, include_count=True)
        self.assertEqual(([line.process_name for line in found], count), (["b"], 3))
        self.assertEqual([line.process_name for line in db_util.get_logs(0, 0, order_desc=False)], ["c", "a", "b"])
        self.assertEqual([line.process_name for line in db_util.get_logs(0, 1, order_by="message")], ["c"])
        self.assertEqual(db_util.get_unique_log_process_names(), ("a", "b", "c"))

    def test_jobs_have_the_old_states(self):
        states = ["QUEUED", "ASSIGNED", "RUNNING", "LOST", "DONE", "FAILED", "TIMED_OUT", "KILLED", "CANCELLED", "NEWER"]
        jobs = [{"id": TRIGGER, "processName": "p", "workerName": "w", "status": state, "startTime": None} for state in states]
        self.answers(JobService_List={"jobs": jobs, "nextCursor": ""}, JobService_Get={"job": jobs[6]})
        shown = [job.status.name for job in db_util.get_jobs(JobStatus.FAILED, "p")]
        self.assertEqual(shown, ["RUNNING"] * 4 + ["DONE", "FAILED", "FAILED", "KILLED", "KILLED", "RUNNING"])
        self.assertEqual(self.last()[1]["statuses"], ["FAILED", "TIMED_OUT"])
        job = db_util.get_job(TRIGGER)
        self.assertEqual((job.server_status, job.to_row_dict()["Status"]), ("TIMED_OUT", "Failed"))

    def test_constants_and_credentials_are_managed(self):
        constant = {"name": "c", "value": "v", "changedAt": "2026-01-02T03:04:05.5Z"}
        credential = {"name": "c", "username": "u", "changedAt": "2026-01-02T03:04:05Z"}
        self.answers(
            ConstantService_List={"constants": [constant], "nextCursor": ""}, ConstantService_Get={"constant": constant},
            ConstantService_Set={}, ConstantService_Delete={}, CredentialService_Get={"credential": credential},
            CredentialService_List={"credentials": [credential], "nextCursor": ""}, CredentialService_Delete={},
            CredentialService_Reveal={"credential": credential, "password": "secret"}, CredentialService_Set={},
        )
        self.assertEqual(db_util.get_constants()[0].value, "v")
        self.assertEqual(db_util.get_constant("c").changed_at.microsecond, 500_000)
        db_util.create_constant("c", "v")
        self.assertEqual(self.last()[1], {"name": "c", "value": "v", "createOnly": True})
        db_util.update_constant("c", "w")
        self.assertEqual(self.last()[1], {"name": "c", "value": "w"})
        db_util.delete_constant("c")
        self.assertEqual(db_util.get_credentials()[0].password, "")
        self.assertEqual(db_util.get_credential("c").password, "secret")
        self.assertEqual(db_util.get_credential("c", decrypt_password=False).password, "")
        db_util.create_credential("c", "u", "p")
        db_util.update_credential("c", "u", "q")
        self.assertEqual(self.last()[1], {"name": "c", "username": "u", "password": "q", "createOnly": False})
        db_util.delete_credential("c")
        self.assertEqual(self.last(), ("CredentialService/Delete", {"name": "c"}))

    def test_elements_are_managed(self):
        queue = {"queueName": "q", "newCount": "2", "inProgressCount": "0", "doneCount": "1", "failedCount": "0", "abandonedCount": "0"}
        others = [{**ELEMENT, "reference": reference} for reference in ("b", None, "a")]
        self.answers(
            QueueService_Create={"element": ELEMENT}, QueueService_Claim={"elements": [ELEMENT]}, QueueService_Get={"element": ELEMENT},
            QueueService_List={"elements": others, "nextCursor": ""}, QueueService_Update={}, QueueService_SetStatus={},
            QueueService_Delete={}, QueueService_ListQueues={"queues": [queue]},
        )
        self.assertIsInstance(db_util.create_queue_element("q", "r"), QueueElement)
        self.assertEqual(db_util.get_next_queue_element("q").reference, "r")
        self.assertEqual(self.last()[1]["count"], 1)
        self.fake.answers["QueueService/Claim"] = {"elements": []}
        self.assertIsNone(db_util.get_next_queue_element("q", set_status=False))
        self.assertEqual(db_util.get_queue_element(ELEMENT["id"]).reference, "r")
        db_util.get_queue_elements("q", search_term="50%", order_by="Created Date", order_desc=True)
        self.assertEqual((self.last()[1]["search"], self.last()[1]["newestFirst"]), ("50%", True))
        db_util.get_queue_elements("q", order_desc=True)
        self.assertTrue(self.last()[1]["newestFirst"])
        self.assertEqual(len(db_util.get_queue_elements("q", order_by="to_row_dict")), 3, "what is no field is passed over")
        found, count = db_util.get_queue_elements("q", order_by="Reference", order_desc=True, limit=2, include_count=True)
        self.assertEqual(([element.reference for element in found], count), (["b", "a"], 3))
        db_util.update_queue_element(ELEMENT["id"], reference="", message="m", status=QueueStatus.NEW)
        self.assertEqual(self.fake.calls[-2][1], {"element": ELEMENT["id"], "reference": "", "message": "m"})
        self.assertEqual(self.last()[1], {"element": ELEMENT["id"], "status": "NEW"})
        with self.assertRaisesRegex(NotSupportedError, "created_date"):
            db_util.update_queue_element(ELEMENT["id"], created_date=datetime.now())
        db_util.delete_queue_element(ELEMENT["id"])
        self.assertEqual(db_util.get_queue_count(), {"q": {QueueStatus.NEW: 2, QueueStatus.DONE: 1}})

    def test_many_elements_are_added_without_a_job(self):
        self.answers(QueueService_BulkCreate={"createdCount": "1"}, QueueService_Delete={})
        db_util.bulk_create_queue_elements("q", ["x"], [None])
        path, message = self.last()
        self.assertEqual((path, message["queueName"], message["elements"][0]["reference"]), ("QueueService/BulkCreate", "q", "x"))
        full = Refusal(400, "invalid_argument", "INVALID_FIELD", "elements[0]: data is 9 characters long")
        self.fake.faults += [None, refuse(full)]
        with self.assertRaisesRegex(DataError, "of 10001 elements, in a part that begins with the one at 10000; nothing was stored"):
            db_util.bulk_create_queue_elements("q", [None] * 10_001, [None] * 10_001)
        self.assertEqual(len(self.called("Delete")), 10_000)
        self.assertEqual(self.called("GetContext"), [])

    def test_lines_go_to_one_development_job(self):
        db_util.create_log("p", LogLevel.INFO, None, "one")
        db_util.create_log("p", LogLevel.INFO, "two")
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["[p] one", "[p] two"])
        self.assertEqual(len(self.called("GetContext")), 1)

    def test_workers_are_the_schedulers(self):
        worker = {"name": "w", "lastHeartbeat": "2026-01-02T03:04:05Z", "latestTrigger": "", "latestTriggerTime": None}
        self.answers(AdminService_ListWorkers={"workers": [worker]})
        (scheduler,) = db_util.get_schedulers()
        self.assertEqual(scheduler.to_row_dict()["Latest Trigger"], "None yet")


class Robot(RobotTest):
    """The same functions in the robot of a job."""

    def test_it_sees_its_own_trigger_and_whether_that_is_pausing(self):
        (own,) = db_util.get_all_triggers()
        self.assertEqual((own.trigger_name, own.process_status), ("night", TriggerStatus.RUNNING))
        self.fake.pausing = True
        self.assertEqual(db_util.get_trigger(own.id).process_status, TriggerStatus.PAUSING)
        self.assertEqual(own.to_row_dict()["Type"], "N/A", "of a development job, or from an older server")
        with self.assertRaisesRegex(NotFoundError, "not this job's"):
            db_util.get_trigger(uuid.uuid4())

    def test_its_own_trigger_is_of_the_right_class(self):
        for told, class_, type_ in (
            ("SINGLE", SingleTrigger, TriggerType.SINGLE),
            ("SCHEDULED", ScheduledTrigger, TriggerType.SCHEDULED),
            ("QUEUE", QueueTrigger, TriggerType.QUEUE),
            ("NEW KIND", Trigger, None),
        ):
            self.fake.trigger_type = told
            (own,) = db_util.get_all_triggers()
            self.assertEqual((type(own), own.type, own.trigger_name), (class_, type_, "night"))

    def test_it_works_on_queues_constants_and_logs_as_its_connection_does(self):
        self.fake.constants["c"] = "1"
        self.fake.credentials["c"] = ("u", "p")
        db_util.update_constant("c", "2")
        db_util.update_credential("c", "v", "q")
        self.assertEqual((db_util.get_constant("c").value, db_util.get_credential("c").password), ("2", "q"))
        self.assertEqual(db_util.get_credential("c", decrypt_password=False).password, "")
        element = db_util.create_queue_element("q", "r")
        self.assertEqual(db_util.get_next_queue_element("q").id, element.id)
        db_util.update_queue_element(element.id, status=QueueStatus.FAILED, message="m")
        db_util.set_queue_element_status(element.id, QueueStatus.DONE)
        (found,), count = db_util.get_queue_elements("q", include_count=True)
        self.assertEqual((found.status, found.message, count), (QueueStatus.DONE, "m", 1))
        db_util.delete_queue_element(element.id)
        db_util.create_log("process", LogLevel.ERROR, None, "mine")
        db_util.create_log("other", LogLevel.INFO, "x", "for another")
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["mine", "[other] for another"])
        self.assertEqual({path.partition("/")[0] for path, _ in self.fake.calls}, {"RobotService"})

    def test_what_a_job_may_not_do_names_who_may(self):
        for call in (
            db_util.get_constants, db_util.get_credentials, db_util.get_jobs, db_util.get_queue_count, db_util.get_schedulers,
            db_util.get_scheduled_triggers, lambda: db_util.get_logs(0, 1), lambda: db_util.create_constant("a", "b"),
            lambda: db_util.delete_trigger("x"), lambda: db_util.get_queue_element("x"),
            lambda: db_util.set_trigger_status("x", TriggerStatus.IDLE), lambda: db_util.delete_credential("x"),
            lambda: db_util.create_single_trigger("n", "p", datetime.now(), "/x", "", False, True),
        ):
            with self.assertRaisesRegex(NotSupportedError, "token|connection"):
                call()
        self.assertEqual(self.fake.calls, [])

    def test_without_a_connection_it_is_the_robot_of_its_environment(self):
        _session.use(None)
        self.environment(ORCHESTRATOR_ENDPOINT=self.fake.url)
        self.fake.constants["c"] = "1"
        self.assertEqual(db_util.get_constant("c").value, "1")


class Small(unittest.TestCase):
    def test_keys_live_on_the_server(self):
        for call in (crypto_util.generate_key, lambda: crypto_util.encrypt_string("x"), lambda: crypto_util.decrypt_string("x")):
            with self.assertRaisesRegex(NotSupportedError, "server"):
                call()
        crypto_util.set_key("orc_user_x")
        self.addCleanup(crypto_util.set_key, None)
        self.assertEqual((crypto_util.get_key(), crypto_util.validate_key("orc_user_x")), ("orc_user_x", True))
        self.assertFalse(crypto_util.validate_key("aGVsbG8="))

    def test_times_and_long_texts_look_as_they_did(self):
        self.assertEqual(datetime_util.format_datetime(datetime(2026, 1, 2, 3, 4, 5, 678)), "02-01-2026 03:04:05")
        self.assertEqual((datetime_util.format_datetime(None), datetime_util.format_datetime(None, "x")), ("N/A", "x"))
        self.assertEqual(len(truncate_message("x" * 200, 100)), 83)
        self.assertEqual(truncate_message("x" * 100, 100), "x" * 100)
        self.assertEqual(len(truncate_message("x" * 9000, 10)), 10)


