"""The thirteen methods, as robots call them."""

import copy
import json
import pickle
import sys
import uuid
from datetime import datetime, timedelta

from OpenOrchestrator.database.constants import Constant, Credential
from OpenOrchestrator.database.queues import QueueElement
from OpenOrchestrator.errors import DataError, ElementHeldError, NotFoundError, OrchestratorError
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection, QueueStatus

from tests.fake import RobotTest

LONG_AGO = timedelta(days=1)


class Itself(RobotTest):
    def test_it_is_shown_as_openorchestrator_shows_it(self):
        self.assertEqual(repr(self.robot), "OrchestratorConnection - Process name: process")


class Logs(RobotTest):
    def test_each_level_arrives_with_id_and_time_in_order(self):
        for log in (self.robot.log_trace, self.robot.log_info, self.robot.log_error):
            log("blåbærgrød 😀\nnext line")
        self.assertEqual([line["logLevel"] for line in self.fake.logs], ["TRACE", "INFO", "ERROR"])
        self.assertEqual({line["logMessage"] for line in self.fake.logs}, {"blåbærgrød 😀\nnext line"})
        for field in ("id", "logTime"):
            values = [line[field] for line in self.fake.logs]
            self.assertEqual(values, sorted(set(values)))

    def test_a_line_of_a_connection_of_another_name_begins_with_that(self):
        other = OrchestratorConnection("helper", self.fake.url, "not-a-key", "")
        self.robot.log_info("one")
        other.log_info("two")
        other.log_error(ValueError("three"))
        self.assertEqual([line["logMessage"] for line in self.fake.logs], ["one", "[helper] two", "[helper] three"])
        other.process_name = "process"
        other.log_info("four")
        nameless = OrchestratorConnection(None, self.fake.url, "not-a-key", "")
        nameless.log_info("five")
        self.assertEqual([line["logMessage"] for line in self.fake.logs[3:]], ["four", "five"])
        self.assertEqual(self.called("GetContext"), [], "the robot's arguments tell its name")

    def test_a_robot_that_was_given_other_arguments_asks_once_what_its_job_is_called(self):
        for arguments in (["main.py"], ["main.py", "helper", self.fake.url, "not-a-key", ""]):
            sys.argv = arguments
            self.fake.calls.clear()
            robot = OrchestratorConnection("helper", self.fake.url, "not-a-key", "")
            robot.log_info("one")
            robot.log_info("two")
            self.assertEqual(self.fake.logs[-1]["logMessage"], "[helper] two")
            self.assertEqual(len(self.called("GetContext")), 1)

    def test_a_line_that_is_too_long_is_cut_in_the_middle_with_a_mark(self):
        self.robot.log_error("a" * 9000 + "the end")
        line = self.fake.logs[0]["logMessage"]
        self.assertLessEqual(len(line), 8000)
        self.assertTrue(line.startswith("aaa") and line.endswith("the end"), line[-20:])
        missing = 9007 - (len(line) - len(" [… 1048 characters cut …] "))
        self.assertIn(f" [… {missing} characters cut …] ", line)
        self.robot.log_error("å" * 8000)
        self.assertEqual(self.fake.logs[1]["logMessage"], "å" * 8000)

    def test_nothing_about_a_line_is_an_error(self):
        for message in ("a\0b", "half \udce6", ValueError("no text"), None, 3):
            self.robot.log_error(message)
        written = [line["logMessage"] for line in self.fake.logs]
        self.assertEqual(written, ["a\ufffdb", "half \\udce6", "no text", "None", "3"])


class ConstantsAndCredentials(RobotTest):
    def test_they_are_read_and_changed(self):
        self.fake.constants["limit"] = "ten"
        self.fake.credentials["mail"] = ("ada", "pässword 1")
        constant = self.robot.get_constant("limit")
        self.assertIsInstance(constant, Constant)
        self.assertEqual((constant.name, constant.value), ("limit", "ten"))
        self.assertLess(abs(datetime.now() - constant.changed_at), LONG_AGO)
        credential = self.robot.get_credential("mail")
        self.assertIsInstance(credential, Credential)
        self.assertEqual((credential.username, credential.password), ("ada", "pässword 1"))
        self.robot.update_constant("limit", "eleven")
        self.robot.update_credential("mail", new_username="eve", new_password="pässword 2")
        self.assertEqual(self.robot.get_constant("limit").value, "eleven")
        self.assertEqual(self.robot.get_credential("mail").password, "pässword 2")

    def test_one_that_is_missing_is_a_value_error_that_names_it(self):
        for call in (
            lambda: self.robot.get_constant("nobody"),
            lambda: self.robot.update_constant("nobody", "x"),
            lambda: self.robot.get_credential("nobody"),
            lambda: self.robot.update_credential("nobody", "x", "y"),
        ):
            with self.assertRaisesRegex(ValueError, "'nobody' does not exist") as caught:
                call()
            self.assertIsInstance(caught.exception, NotFoundError)

    def test_a_password_is_in_no_representation(self):
        self.fake.credentials["mail"] = ("ada", "hunter2")
        credential = self.robot.get_credential("mail")
        self.assertNotIn("hunter2", f"{credential!r} {credential} {credential.to_row_dict()}")


class Elements(RobotTest):
    def test_an_element_is_created_with_all_that_robots_read(self):
        element = self.robot.create_queue_element("q", "ref", '{"æ": 1}', "me")
        self.assertIsInstance(element, QueueElement)
        self.assertIsInstance(element.id, uuid.UUID)
        self.assertEqual((element.queue_name, element.status, element.reference), ("q", QueueStatus.NEW, "ref"))
        self.assertEqual((json.loads(element.data), element.created_by), ({"æ": 1}, "me"))
        self.assertLess(abs(datetime.now() - element.created_date), LONG_AGO)
        self.assertEqual((element.start_date, element.end_date, element.message), (None, None, None))
        self.assertIn(str(element.id), f"{element}")
        empty = self.robot.create_queue_element(queue_name="q")
        self.assertEqual((empty.reference, empty.data, empty.created_by), (None, None, None))

    def test_numbers_and_ids_are_written_out_as_databases_do(self):
        id_ = uuid.uuid4()
        element = self.robot.create_queue_element("q", 123, data=id_)
        self.assertEqual((element.reference, element.data), ("123", str(id_)))

    def test_the_queue_is_worked_on_in_order(self):
        self.robot.bulk_create_queue_elements("q", references=("a", "b"), data=["1", None], created_by="me")
        self.assertEqual(self.robot.get_next_queue_element("q", set_status=False).status, QueueStatus.NEW)
        first = self.robot.get_next_queue_element("q")
        self.assertEqual((first.reference, first.status), ("a", QueueStatus.IN_PROGRESS))
        self.assertIsNotNone(first.start_date)
        self.robot.set_queue_element_status(first.id, QueueStatus.DONE)
        second = self.robot.get_next_queue_element("q", reference="b")
        self.robot.set_queue_element_status(str(second.id), status=QueueStatus.FAILED, message="why")
        self.assertIsNone(self.robot.get_next_queue_element("q"))
        self.assertIsNone(self.robot.get_next_queue_element("q", "a", False))
        (failed,) = self.robot.get_queue_elements("q", status=QueueStatus.FAILED)
        self.assertEqual((failed.id, failed.message), (second.id, "why"))
        self.robot.delete_queue_element(failed.id)
        with self.assertRaisesRegex(ValueError, "does not exist"):
            self.robot.delete_queue_element(failed.id)
        with self.assertRaisesRegex(ValueError, "does not exist"):
            self.robot.set_queue_element_status(failed.id, QueueStatus.DONE)

    def test_a_list_has_100_elements_unless_told_otherwise_the_oldest_first(self):
        references = [str(number) for number in range(2500)]
        self.robot.bulk_create_queue_elements("q", references, references)

        def listed(*args, **kwargs):
            return [element.reference for element in self.robot.get_queue_elements("q", *args, **kwargs)]

        self.assertEqual(listed(), references[:100])
        self.assertIsInstance(self.robot.get_queue_elements("q"), tuple)
        self.assertEqual(listed(offset=2, limit=3), references[2:5])
        self.assertEqual(listed(offset=1100, limit=1300), references[1100:2400])
        self.assertEqual(listed(limit=0), references)
        self.assertEqual(listed(limit=5000), references)
        self.assertEqual(listed(offset=2499), ["2499"])
        self.assertEqual(listed(offset=2500), [])
        self.assertEqual(listed("7", QueueStatus.NEW, 0, 100, None, None), ["7"])
        self.assertEqual(self.robot.get_queue_elements("nothing"), ())

    def test_a_list_is_bounded_by_local_times(self):
        element = self.robot.create_queue_element("q")
        created = element.created_date
        second = timedelta(seconds=1)
        for from_date, to_date, count in (
            (created - second, created + second, 1),
            (created + second, None, 0),
            (None, created - second, 0),
            (datetime.min, datetime.max, 1),
            (created.date(), None, 1),
        ):
            found = self.robot.get_queue_elements("q", from_date=from_date, to_date=to_date)
            self.assertEqual(len(found), count, (from_date, to_date))

    def test_a_message_that_is_too_long_is_cut_in_the_middle(self):
        element = self.robot.create_queue_element("q")
        self.robot.set_queue_element_status(element.id, QueueStatus.FAILED, "x" * 3000 + "\0 the end")
        message = self.robot.get_queue_elements("q")[0].message
        self.assertLessEqual(len(message), 1000)
        self.assertIn("characters cut", message)
        self.assertTrue(message.endswith("\ufffd the end"), message[-20:])

    def test_data_that_is_too_long_is_refused_with_field_limit_and_length(self):
        with self.assertRaisesRegex(DataError, "data is 3000 characters long; the limit is 2000") as caught:
            self.robot.create_queue_element("q", data="x" * 3000)
        self.assertEqual(caught.exception.metadata, {"field": "data", "limit": "2000", "length": "3000"})
        self.assertEqual(self.fake.elements, {})
        with self.assertRaisesRegex(DataError, "reference is 101 characters long; the limit is 100"):
            self.robot.bulk_create_queue_elements("q", ["x" * 101], [None])

    def test_what_is_not_stored_is_no_value_error_that_a_robot_takes_for_its_own(self):
        self.fake.constants["limit"] = "1"
        refused = (
            lambda: self.robot.create_queue_element("q", data="x" * 3000),
            lambda: self.robot.create_queue_element("q", data="a\0b"),
            lambda: self.robot.create_queue_element("q", data={"a": 1}),
            lambda: self.robot.create_queue_element(""),
            lambda: self.robot.bulk_create_queue_elements("q", ["x" * 101], [None]),
            lambda: self.robot.update_constant("limit", "x" * 3000),
        )
        for call in refused:
            with self.assertRaises(OrchestratorError):
                try:
                    call()
                except (ValueError, TypeError):
                    print("skipped, as robots do with what they cannot read")

    def test_no_text_is_the_name_of_a_constant_or_credential(self):
        for name in (None, "", "a\0b"):
            for call in (self.robot.get_constant, self.robot.get_credential):
                with self.assertRaisesRegex(ValueError, "_name"):
                    call(name)

    def test_a_name_that_the_server_refuses_is_a_value_error_and_a_value_is_none(self):
        self.fake.limits["name"] = 100
        self.fake.constants["limit"] = "1"
        check = self.fake._check
        for service in ("GetConstant", "GetCredential", "UpdateConstant", "UpdateCredential"):
            answer = getattr(self.fake, service)
            setattr(self.fake, service, lambda message, answer=answer: check(name=message["name"]) or answer(message))
        for call in (
            lambda: self.robot.get_constant("x" * 101),
            lambda: self.robot.get_credential("x" * 101),
            lambda: self.robot.update_constant("x" * 101, "y"),
            lambda: self.robot.update_credential("x" * 101, "y", "z"),
        ):
            with self.assertRaisesRegex(ValueError, "name is 101 characters long; the limit is 100"):
                call()
        with self.assertRaisesRegex(DataError, "value is 1001 characters long"):
            self.robot.update_constant("limit", "x" * 1001)

    def test_texts_that_cannot_be_stored_are_refused_by_name(self):
        cases = {
            "data contains a NUL character at position 1": {"data": "a\0b"},
            "reference contains U\\+DCE6 at position 5, half of a character": {"reference": "half \udce6"},
            "data is of type dict; it must be text .*json.dumps": {"data": {"a": 1}},
            "created_by is of type bytes": {"created_by": b"me"},
            "queue_name is missing": {"queue_name": ""},
        }
        for words, arguments in cases.items():
            with self.assertRaisesRegex(DataError, words):
                self.robot.create_queue_element(**{"queue_name": "q", **arguments})
        self.assertEqual(self.fake.calls, [], "nobody was called")

    def test_a_bulk_is_checked_as_openorchestrator_does(self):
        for references, data in (((), ()), (("a",), ()), (("a",), ("1", "2"))):
            with self.assertRaises(ValueError):
                self.robot.bulk_create_queue_elements("q", references, data)
        self.assertEqual(self.fake.calls, [])

    def test_a_bulk_beyond_one_call_is_sent_in_parts_and_taken_back_whole(self):
        count = 10_001
        self.robot.bulk_create_queue_elements("q", [None] * count, ["x"] * count)
        self.assertEqual([len(call["elements"]) for call in self.called("BulkCreateQueueElements")], [10_000, 1])
        self.assertEqual(len(self.fake.elements), count)
        self.fake.limits["data"] = 20_000_000
        self.robot.bulk_create_queue_elements("large", [None] * 3, ["\"" * 10_000_000, "é" * 3_000_000, "x"])
        self.assertEqual([len(call["elements"]) for call in self.called("BulkCreateQueueElements")], [10_000, 1, 1, 2])
        self.assertLess(max(len(body) for body in self.fake.bodies), 32 << 20)
        self.fake.limits["data"], count = 2000, count + 3
        with self.assertRaisesRegex(DataError, "the limit is 2000 .of 10001 elements, .*; nothing was stored"):
            self.robot.bulk_create_queue_elements("other", [None] * 10_001, ["x"] * 10_000 + ["x" * 2001])
        self.assertEqual(len(self.fake.elements), count)

    def test_what_is_no_status_and_no_id_is_refused_with_what_is(self):
        element = self.robot.create_queue_element("q")
        for wrong in ("FINISHED", None, 3, object()):
            with self.assertRaisesRegex(ValueError, "QueueStatus.NEW, QueueStatus.IN_PROGRESS, .*ABANDONED"):
                self.robot.set_queue_element_status(element.id, wrong)
        for right in ("DONE", "Done", "In Progress", "in_progress"):
            self.robot.set_queue_element_status(element.id, right)
        with self.assertRaisesRegex(ValueError, "element_id 'x' is no id"):
            self.robot.set_queue_element_status("x", QueueStatus.DONE)
        with self.assertRaisesRegex(DataError, "offset is -1"):
            self.robot.get_queue_elements("q", offset=-1)

    def test_an_element_of_another_job_is_refused_with_advice(self):
        element = self.robot.create_queue_element("q")
        self.fake.elements[str(element.id)]["held"] = True
        with self.assertRaisesRegex(ElementHeldError, "held by job 9.*get_next_queue_element"):
            self.robot.set_queue_element_status(element.id, QueueStatus.DONE)

    def test_a_status_of_a_newer_server_breaks_no_list(self):
        element = self.robot.create_queue_element("q")
        self.fake.elements[str(element.id)]["status"] = "POSTPONED"
        self.assertEqual(self.robot.get_queue_elements("q")[0].status, QueueStatus.IN_PROGRESS)


class Pausing(RobotTest):
    def test_a_robot_sees_and_sets_the_hold_of_its_trigger(self):
        self.assertIs(self.robot.is_trigger_pausing(), False)
        self.robot.pause_my_trigger()
        self.assertIs(self.robot.is_trigger_pausing(), True)
        self.assertEqual(self.fake.paused, 1)


class Object(RobotTest):
    def test_robots_hang_their_own_things_onto_it(self):
        self.assertEqual((self.robot.process_name, self.robot.process_arguments), ("process", "arguments"))
        self.assertEqual((self.robot.trigger_id, self.robot.job_id), ("t", "j"))
        self.robot.browser = object()
        self.robot.process_arguments = "changed"
        self.robot.log_info("still works")

    def test_a_copy_in_another_process_is_a_connection_of_its_own_and_carries_no_token(self):
        pickled = pickle.dumps(self.robot)
        self.assertNotIn(b"secret", pickled)
        for other in (pickle.loads(pickled), copy.deepcopy(self.robot)):
            other.log_info("from there")
        self.assertEqual(len(self.fake.logs), 2)

    def test_it_is_a_subclassable_class(self):
        class Mine(OrchestratorConnection):
            pass

        Mine("p", self.fake.url, "", "").log_info("mine")
        self.assertEqual(len(self.fake.logs), 1)
