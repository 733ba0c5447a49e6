"""Annotations can be evaluated while a program runs, as frameworks and editors do, on every version."""

import importlib
import inspect
import pathlib
import typing
import unittest
import uuid
from datetime import datetime

from OpenOrchestrator.database import db_util
from OpenOrchestrator.database.triggers import QueueTrigger, Trigger
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

PACKAGE = pathlib.Path(__file__).parent.parent


def public_modules():
    for path in sorted(PACKAGE.glob("OpenOrchestrator/**/*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            yield importlib.import_module(".".join(part for part in parts if part != "__init__"))


def annotated(owner):
    """The public functions and classes of a module or class, and what these have."""
    for name, value in sorted(vars(owner).items()):
        value = getattr(value, "fget", None) or getattr(value, "__func__", None) or value
        special = name == "__init__" or name == "__getattr__"
        if (name.startswith("_") and not special) or not str(getattr(value, "__module__", "")).startswith("OpenOrchestrator"):
            continue
        if inspect.isclass(value):
            yield value
            yield from annotated(value)
        elif inspect.isfunction(value):
            yield value


class Hints(unittest.TestCase):
    def test_every_public_function_and_class_has_hints_that_can_be_evaluated(self):
        seen = set()
        for module in public_modules():
            for one in annotated(module):
                with self.subTest(module=module.__name__, name=one.__qualname__):
                    hints = typing.get_type_hints(one)
                    self.assertEqual(set(getattr(one, "__annotations__", {})) - set(hints), set())
                    seen.add(one)
        self.assertGreater(len(seen), 100)

    def test_they_mean_what_they_say(self):
        self.assertEqual(typing.get_type_hints(QueueTrigger)["queue_name"], str)
        self.assertEqual(typing.get_type_hints(Trigger)["last_run"], typing.Optional[datetime])
        hints = typing.get_type_hints(db_util.get_trigger)
        self.assertEqual(hints, {"trigger_id": typing.Union[uuid.UUID, str], "return": Trigger})
        for method in ("create_queue_element", "get_next_queue_element", "__init__"):
            self.assertIn("return", typing.get_type_hints(getattr(OrchestratorConnection, method)))


if __name__ == "__main__":
    unittest.main()
