"""The connection that a robot works with."""

from __future__ import annotations

import os
import sys

from OpenOrchestrator import _types as t
from OpenOrchestrator import _robot, _session
from OpenOrchestrator.database.constants import Constant, Credential
from OpenOrchestrator.database.logs import LogLevel
from OpenOrchestrator.database.queues import QueueElement, QueueStatus
from OpenOrchestrator.database.triggers import TriggerStatus
from OpenOrchestrator.errors import WrongArgumentsError


__all__ = [
    "Constant",
    "Credential",
    "LogLevel",
    "OrchestratorConnection",
    "QueueElement",
    "QueueStatus",
    "TriggerStatus",
]


def __getattr__(name: str) -> t.ModuleType:
    """Modules that are found here in OpenOrchestrator, too, for those who look for them here."""
    if name in ("crypto_util", "db_util"):
        from OpenOrchestrator.common import crypto_util
        from OpenOrchestrator.database import db_util

        return crypto_util if name == "crypto_util" else db_util
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class OrchestratorConnection:
    """What a robot may do: write logs, read and change constants and credentials, work on queues.

    Under a worker, :meth:`create_connection_from_args` makes one. Elsewhere, for development, give the server's address and a
    user token: ``OrchestratorConnection("my process", "http://localhost:8420", "orc_user_…", "arguments")``.

    A robot may hang things of its own onto it.
    """

    def __init__(
        self,
        process_name: str,
        connection_string: str,
        crypto_key: str,
        process_arguments: str,
        trigger_id: t.Optional[str] = None,
        job_id: t.Optional[str] = None,
    ) -> None:
        """Never fails and calls nobody: what is wrong with address or token is told by the first call.

        Args:
            process_name: The name of the process.
            connection_string: The address of the worker or the server, ``http://…``.
            crypto_key: A user token; under a worker it is ignored.
            process_arguments: What the administrator gave the process.
            trigger_id: The trigger, when a worker started the robot.
            job_id: The job, when a worker started the robot.
        """
        self.process_name = process_name
        self.process_arguments = process_arguments
        self.trigger_id = trigger_id
        self.job_id = job_id
        self._session = _session.Session(connection_string, crypto_key, process_name, process_arguments)
        _session.key = crypto_key
        _session.use(self._session)

    @classmethod
    def create_connection_from_args(cls) -> OrchestratorConnection:
        """A connection from the program's own arguments, as a worker gives them."""
        arguments = sys.argv[1:7]
        if len(arguments) < 4:
            raise WrongArgumentsError(
                f"a robot is started with 4 to 6 arguments (process name, endpoint, key, process arguments, trigger id, "
                f"job id), and this program got {len(arguments)}. A program that a worker starts must pass sys.argv[1:] on to "
                "its child. To try it without a worker, make OrchestratorConnection(name, 'http://localhost:8420', token, "
                "arguments)"
            )
        if len(arguments) < 6:
            # Robots of earlier versions pass fewer on.
            arguments += [None] * (5 - len(arguments))  # type: ignore[list-item]
            arguments += [os.environ.get("ORCHESTRATOR_JOB_ID")] * (6 - len(arguments))  # type: ignore[list-item]
        # As there: a class derived from this one may be made of other arguments.
        return OrchestratorConnection(*arguments)

    def __repr__(self) -> str:
        return f"OrchestratorConnection - Process name: {self.process_name}"

    def log_trace(self, message: str) -> None:
        """Writes a line of level Trace. It is on disk when this returns."""
        _robot.log(self._session, LogLevel.TRACE, message, self.process_name)

    def log_info(self, message: str) -> None:
        """Writes a line of level Info. It is on disk when this returns."""
        _robot.log(self._session, LogLevel.INFO, message, self.process_name)

    def log_error(self, message: str) -> None:
        """Writes a line of level Error. It is on disk when this returns."""
        _robot.log(self._session, LogLevel.ERROR, message, self.process_name)

    def get_constant(self, constant_name: str) -> Constant:
        """A constant.

        Raises:
            ValueError: When there is none with this name.
        """
        return _robot.get_constant(self._session, constant_name)

    def get_credential(self, credential_name: str) -> Credential:
        """A credential with its password. The server remembers who read it.

        Raises:
            ValueError: When there is none with this name.
        """
        return _robot.get_credential(self._session, credential_name)

    def update_constant(self, constant_name: str, new_value: str) -> None:
        """Changes a constant.

        Raises:
            ValueError: When there is none with this name.
            DataError: When the value is too long.
        """
        _robot.update_constant(self._session, constant_name, new_value)

    def update_credential(self, credential_name: str, new_username: str, new_password: str) -> None:
        """Changes a credential.

        Raises:
            ValueError: When there is none with this name.
            DataError: When a value is too long.
        """
        _robot.update_credential(self._session, credential_name, new_username, new_password)

    def create_queue_element(
        self, queue_name: str, reference: t.Optional[str] = None, data: t.Optional[str] = None, created_by: t.Optional[str] = None
    ) -> QueueElement:
        """Adds an element to a queue.

        Raises:
            DataError: When a value is too long. Nothing is stored then.
        """
        return _robot.create_queue_element(self._session, queue_name, reference, data, created_by)

    def bulk_create_queue_elements(
        self,
        queue_name: str,
        references: t.Sequence[t.Optional[str]],
        data: t.Sequence[t.Optional[str]],
        created_by: t.Optional[str] = None,
    ) -> None:
        """Adds many elements to a queue, all or none.

        Raises:
            ValueError: When there are no references, or another number of data.
            DataError: When a value is too long. Nothing is stored then.
        """
        _robot.bulk_create_queue_elements(self._session, queue_name, references, data, created_by)

    def get_next_queue_element(
        self, queue_name: str, reference: t.Optional[str] = None, set_status: bool = True
    ) -> t.Optional[QueueElement]:
        """Takes the oldest new element of a queue (with this reference); ``None`` when there is none.

        No other job gets it. It belongs to this job until its status is set, or the job ends: then it becomes Abandoned.

        Args:
            queue_name: The queue.
            reference: Only an element with exactly this reference.
            set_status: ``False`` only looks, and takes nothing.
        """
        return _robot.get_next_queue_element(self._session, queue_name, reference, set_status)

    def get_queue_elements(
        self,
        queue_name: str,
        reference: t.Optional[str] = None,
        status: t.Optional[QueueStatus] = None,
        offset: int = 0,
        limit: int = 100,
        from_date: t.Optional[t.datetime] = None,
        to_date: t.Optional[t.datetime] = None,
    ) -> tuple[QueueElement, ...]:
        """Elements of a queue, the oldest first.

        Args:
            queue_name: The queue.
            reference: Only elements with exactly this reference.
            status: Only elements with this status.
            offset: How many to leave out.
            limit: The most elements; 0 for all.
            from_date: Only elements created at this time or later.
            to_date: Only elements created at this time or earlier.
        """
        return _robot.get_queue_elements(
            self._session, queue_name, reference, status, offset, limit, from_date, to_date
        )

    def set_queue_element_status(
        self, element_id: t.Union[str, t.UUID], status: QueueStatus, message: t.Optional[str] = None
    ) -> None:
        """Sets the status of an element, with a message. A message that is too long is cut in the middle.

        Raises:
            ValueError: When there is no such element or no such status.
        """
        _robot.set_queue_element_status(self._session, element_id, status, message)

    def delete_queue_element(self, element_id: t.Union[str, t.UUID]) -> None:
        """Removes an element for good.

        Raises:
            ValueError: When there is no such element.
        """
        _robot.delete_queue_element(self._session, element_id)

    def is_trigger_pausing(self) -> bool:
        """Whether the robot should end early: its trigger is paused, or its job is to be killed."""
        return _robot.is_pausing(self._session)

    def pause_my_trigger(self) -> None:
        """Pauses the trigger that started this robot. The robot itself goes on."""
        _robot.pause(self._session)
