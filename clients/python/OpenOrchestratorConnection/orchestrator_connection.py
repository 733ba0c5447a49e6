"""The connection of the first robots: constants and credentials are plain values, and there are no queues.

What it has beyond theirs, such as queues, it has from the present one.
"""

from __future__ import annotations

import sys

from OpenOrchestrator.errors import WrongArgumentsError
from OpenOrchestrator.orchestrator_connection import connection


class OrchestratorConnection(connection.OrchestratorConnection):
    """What a robot of that time may do: write logs, read and change constants and credentials."""

    def __init__(
        self, process_name: str, connection_string: str, crypto_key: str, process_arguments: str = ""
    ) -> None:
        """Never fails and calls nobody, as the present one."""
        super().__init__(process_name, connection_string, crypto_key, process_arguments)

    @classmethod
    def create_connection_from_args(cls) -> OrchestratorConnection:
        """A connection from the program's own arguments, of which three are enough."""
        if len(sys.argv) < 4:
            raise WrongArgumentsError(
                f"a robot is started with at least 3 arguments (process name, endpoint, key), and this program got "
                f"{max(len(sys.argv) - 1, 0)}. A program that a worker starts must pass sys.argv[1:] on to its child"
            )
        return OrchestratorConnection(*sys.argv[1:5])

    def get_constant(self, constant_name: str) -> str:  # type: ignore[override]
        """The value of a constant.

        Raises:
            ValueError: When there is none with this name.
        """
        return super().get_constant(constant_name).value

    def get_credential(self, credential_name: str) -> tuple[str, str]:  # type: ignore[override]
        """The name of the user, and the password.

        Raises:
            ValueError: When there is none with this name.
        """
        credential = super().get_credential(credential_name)
        return credential.username, credential.password
