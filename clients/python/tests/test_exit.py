"""How programs end: without a word."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading

from tests.fake import TOKEN, RobotTest

PACKAGE = pathlib.Path(__file__).parent.parent

BEGIN = """
import atexit, os, signal, sys, threading
from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection

def log_exception(connection):
    def inner(type_, value, traceback):
        connection.log_error(f"{type_.__name__}: {value}")
    return inner

def main():
    connection = OrchestratorConnection.create_connection_from_args()
    sys.excepthook = log_exception(connection)
    connection.log_trace("begun")
"""


class End(RobotTest):
    def end_of(self, robot):
        """Runs a robot that begins as the public template's do. Its exit code, and everything that it says."""
        command = [sys.executable, "-W", "error", "-c", BEGIN + textwrap.indent(textwrap.dedent(robot), "    ") + "\nmain()"]
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "ORCHESTRATOR_JOB_TOKEN": TOKEN}
        arguments = ["process", self.fake.url, "not-a-key", "", "t", "j"]
        done = subprocess.run(
            command + arguments, capture_output=True, text=True, check=False, env=environment, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def logged(self):
        return [line["logMessage"] for line in self.fake.logs]

    def test_a_robot_whose_excepthook_keeps_the_connection_ends_silently(self):
        # The function outlives the modules of which the connection is made.
        for robot, code, logs in (
            ("", 0, ["begun"]),
            ("raise KeyError('broken')", 1, ["begun", "KeyError: 'broken'"]),
            ("sys.exit(3)", 3, ["begun"]),
            ("sys.kept = connection", 0, ["begun"]),
        ):
            self.fake.logs.clear()
            with self.subTest(robot=robot):
                self.assertEqual(self.end_of(robot), (code, ""))
                self.assertEqual(self.logged(), logs)

    def test_what_is_written_after_everything_was_closed_is_written_silently(self):
        # What was registered first is called last.
        robot = """
            from OpenOrchestrator._http import _close_all
            atexit.unregister(_close_all)
            atexit.register(connection.log_info, "late")
            atexit.register(_close_all)
        """
        self.assertEqual(self.end_of(robot), (0, ""))
        self.assertEqual(self.logged(), ["begun", "late"])

    def test_threads_that_are_left_in_the_middle_of_a_call_hold_nothing_up(self):
        came, hold = threading.Event(), threading.Event()
        self.addCleanup(hold.set)

        def in_the_middle(handler, _body):
            if handler.path.endswith("/GetConstant"):
                came.set()
                hold.wait(30)
            else:
                # The robot goes on, and ends, once the thread waits for its answer.
                came.wait(30)

        self.fake.faults += [None, in_the_middle, in_the_middle]
        robot = """
            threading.Thread(target=connection.get_constant, args=("held",), daemon=True).start()
            connection.log_info("last")
        """
        self.assertEqual(self.end_of(robot), (0, ""))
        self.assertTrue(came.is_set())
        self.assertEqual(self.logged(), ["begun", "last"])

    def test_a_call_that_a_handler_of_signals_ended_leaves_nothing_to_say(self):
        def interrupt(_handler, _body):
            os.kill(int(self.fake.logs[-1]["logMessage"]), signal.SIGTERM)
            return False

        self.fake.faults += [None, None, interrupt]
        robot = """
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(4))
            connection.log_info(str(os.getpid()))
            connection.get_constant("x")
        """
        code, said = self.end_of(robot)
        self.assertEqual((code, said), (4, ""))
