"""What a robot's start pays for."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

PACKAGE = pathlib.Path(__file__).parent.parent

#: What takes long to import, and what nothing here needs for a call over plain HTTP.
HEAVY = {
    "asyncio", "dataclasses", "decimal", "email", "hashlib", "http", "inspect", "logging", "multiprocessing", "random", "select",
    "selectors", "shutil", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "typing", "urllib", "zoneinfo",
}


class Import(unittest.TestCase):
    def run_python(self, code, *arguments):
        # Without `site`, which imports whatever the machine has installed.
        command = [sys.executable, "-S", "-E", "-s", "-B", "-c", code, str(PACKAGE), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONUTF8": "1"})

    def imported(self, statement):
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
            f"{statement}\nimport json; print(json.dumps(sorted(set(sys.modules) - before)))"
        )
        done = self.run_python(code)
        self.assertEqual(done.returncode, 0, done.stderr)
        return set(json.loads(done.stdout))

    def test_robots_import_little(self):
        for statement in (
            "from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection",
            "from OpenOrchestrator.database.queues import QueueElement, QueueStatus",
            "import OpenOrchestrator.database.db_util",
        ):
            imported = self.imported(statement)
            self.assertEqual({name for name in imported if name.partition(".")[0] in HEAVY}, set(), statement)
        connection = self.imported("from OpenOrchestrator.orchestrator_connection.connection import OrchestratorConnection")
        self.assertFalse(any(name.startswith("OpenOrchestrator._db") for name in connection))
        self.assertLess(len(connection), 60, sorted(connection))

    def test_every_module_imports_alone(self):
        paths = (path.relative_to(PACKAGE).with_suffix("") for path in sorted(PACKAGE.glob("OpenOrchestrator*/**/*.py")))
        names = [".".join(path.parts).replace(".__init__", "") for path in paths if path.name != "__main__"]
        self.assertGreater(len(names), 20)
        code = (
            "import importlib, sys; sys.path.insert(0, sys.argv[1])\n"
            "for name in sys.argv[2:]:\n"
            "    importlib.import_module(name)\n"
            "    for known in [known for known in sys.modules if known.startswith('OpenOrchestrator')]: del sys.modules[known]"
        )
        done = self.run_python(code, *names)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_run_by_nobody_and_says_what_to_run(self):
        done = self.run_python("import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module('OpenOrchestrator', run_name='__main__')")
        self.assertEqual(done.returncode, 2)
        self.assertIn("orchestrator-worker start", done.stderr)
