"""The interface has everything that the OpenOrchestrator package has, as introspection of its versions found it.

``contract/*.json`` are written by ``describe.py``, which a Python with the real package runs.
"""

import enum
import importlib
import inspect
import json
import pathlib
import unittest
from unittest import mock

from OpenOrchestrator.database import db_util
from OpenOrchestrator.errors import NotSupportedError

CONTRACTS = [json.loads(path.read_text()) for path in sorted((pathlib.Path(__file__).parent / "contract").glob("*.json"))]


class Contract(unittest.TestCase):
    def each_module(self):
        for contract in CONTRACTS:
            for name, module in contract["modules"].items():
                with self.subTest(version=contract["version"], module=name):
                    yield module, importlib.import_module(f"OpenOrchestrator.{name}")

    def test_there_is_a_contract_of_each_line(self):
        self.assertEqual([contract["version"] for contract in CONTRACTS], ["1.3.1", "2.0.1", "3.0.0"])
        for contract in CONTRACTS:
            self.assertIn("database.db_util", contract["modules"])

    def test_every_function_can_be_called_in_the_same_ways(self):
        for described, module in self.each_module():
            for name, parameters in described["functions"].items():
                # Between the versions a parameter came in the middle: how many there are tells which is meant.
                if name != "create_log" or len(parameters) == 4:
                    self.assert_fits(getattr(module, name), parameters)

    def test_every_method_can_be_called_in_the_same_ways(self):
        for described, module in self.each_module():
            for class_name, described_class in described["classes"].items():
                for name, parameters in described_class.get("methods", {}).items():
                    function = getattr(module, class_name) if name == "__init__" else getattr(getattr(module, class_name), name)
                    self.assert_fits(function, parameters)

    def assert_fits(self, function, described):
        """The same names in the same order with the same defaults; what is ours comes after them and has a default."""
        ours = [parameter for parameter in inspect.signature(function).parameters.values() if parameter.name != "self"]
        for parameter, (name, default) in zip(ours, described):
            self.assertEqual(parameter.name, name, function)
            if default is not None:
                self.assertEqual(repr(parameter.default), default, (function, name))
        self.assertGreaterEqual(len(ours), len(described), function)
        for parameter in ours[len(described) :]:
            self.assertIsNot(parameter.default, parameter.empty, (function, parameter.name))

    def test_every_enum_has_the_same_members_in_the_same_order(self):
        for described, module in self.each_module():
            for class_name, described_class in described["classes"].items():
                ours = getattr(module, class_name)
                if "members" in described_class:
                    self.assertTrue(issubclass(ours, enum.Enum))
                    members = {member.name: member.value for member in ours}
                    self.assertEqual({**members, **described_class["members"]}, members)

    def test_every_record_is_made_by_keywords_and_has_the_same_fields(self):
        for described, module in self.each_module():
            for class_name, described_class in described["classes"].items():
                ours = getattr(module, class_name)
                fields = described_class.get("fields")
                if fields:
                    record = ours(**{field: f"of {field}" for field in fields})
                    for field in fields:
                        self.assertEqual(getattr(record, field), f"of {field}")
                        setattr(record, field, "changed")
                        self.assertEqual(getattr(record, field), "changed")
                    self.assertTrue(all(getattr(ours(), field) is None for field in fields if field != "type"))
                    self.assertNotEqual(ours(), ours())
                    self.assertEqual(len({record, record}), 1)
                    with self.assertRaisesRegex(TypeError, "'nonsense' is an invalid keyword argument"):
                        ours(nonsense=1)
                    with self.assertRaises(TypeError):
                        ours("positional")

    def test_everything_is_documented_and_typed(self):
        for described, module in self.each_module():
            for name in (*described["functions"], *described["classes"]):
                self.assertTrue(getattr(module, name).__doc__, name)
            for name in described["functions"]:
                signature = inspect.signature(getattr(module, name))
                self.assertIsNot(signature.return_annotation, signature.empty, name)
                for parameter in signature.parameters.values():
                    self.assertIsNot(parameter.annotation, parameter.empty, (name, parameter.name))

    def test_names_are_found_where_robots_look_for_them(self):
        connection = importlib.import_module("OpenOrchestrator.orchestrator_connection.connection")
        database = importlib.import_module("OpenOrchestrator.database")
        self.assertIs(connection.db_util, db_util)
        self.assertIs(database.db_util, db_util)
        self.assertTrue(connection.crypto_util.get_key)
        for name in ("Constant", "Credential", "Job", "JobStatus", "Log", "LogLevel", "QueueElement", "QueueStatus", "QueueTrigger",
                     "ScheduledTrigger", "Scheduler", "SingleTrigger", "Trigger", "TriggerStatus", "crypto_util"):
            self.assertTrue(hasattr(db_util, name), name)
        for module in (connection, database):
            with self.assertRaises(AttributeError):
                module.nonsense  # pylint: disable=pointless-statement

    def test_a_record_can_be_imitated_by_tests_of_robots(self):
        element = mock.create_autospec(db_util.QueueElement)
        element.data = "x"
        self.assertTrue(hasattr(element, "reference"))
        with self.assertRaises(AttributeError):
            element.nonsense  # pylint: disable=pointless-statement

    def test_what_makes_no_sense_here_names_what_does(self):
        for name, arguments in {
            "get_next_single_trigger": (),
            "get_next_scheduled_trigger": (),
            "get_next_queue_trigger": (),
            "get_pending_single_triggers": (),
            "get_pending_scheduled_triggers": (),
            "get_pending_queue_triggers": (),
            "begin_single_trigger": ("x",),
            "begin_scheduled_trigger": ("x",),
            "begin_queue_trigger": ("x",),
            "send_ping_from_scheduler": ("x",),
            "start_trigger_from_machine": ("x", "y"),
            "start_job": ("x", "y"),
            "set_job_status": ("x", "y"),
        }.items():
            with self.assertRaisesRegex(NotSupportedError, f"{name}.*(server|workers)"):
                getattr(db_util, name)(*arguments)
