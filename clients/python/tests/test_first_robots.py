"""The package of the first robots, which gives plain values."""

import sys

from OpenOrchestrator.errors import WrongArgumentsError
from OpenOrchestratorConnection.orchestrator_connection import OrchestratorConnection

from tests.fake import RobotTest


class FirstRobots(RobotTest):
    def setUp(self):
        super().setUp()
        self.fake.constants["Error Email"] = "ada@example.org"
        self.fake.credentials["SAP"] = ("ada", "pässword")
        self.first = OrchestratorConnection.create_connection_from_args()

    def test_constants_and_credentials_are_plain_values(self):
        self.assertEqual(self.first.get_constant("Error Email"), "ada@example.org")
        self.first.update_constant("Error Email", "bob@example.org")
        self.assertEqual(self.first.get_constant("Error Email"), "bob@example.org")
        username, password = self.first.get_credential("SAP")
        self.assertEqual((username, password), ("ada", "pässword"))
        self.first.update_credential("SAP", username, "new")
        self.assertEqual(self.first.get_credential("SAP"), ("ada", "new"))
        for call in (self.first.get_constant, self.first.get_credential):
            with self.assertRaisesRegex(ValueError, "'nobody' does not exist"):
                call("nobody")

    def test_lines_of_each_level_are_written(self):
        for log in (self.first.log_trace, self.first.log_info, self.first.log_error):
            log("x")
        self.assertEqual([line["logLevel"] for line in self.fake.logs], ["TRACE", "INFO", "ERROR"])

    def test_three_arguments_are_enough_and_two_are_not(self):
        sys.argv = sys.argv[:4]
        self.assertEqual(OrchestratorConnection.create_connection_from_args().process_name, "process")
        sys.argv = sys.argv[:3]
        with self.assertRaisesRegex(WrongArgumentsError, "at least 3 arguments .*got 2"):
            OrchestratorConnection.create_connection_from_args()
