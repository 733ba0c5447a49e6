"""The functions that scripts call without a connection object, under OpenOrchestrator's names.

There is no database here. After ``OrchestratorConnection(…)`` they use that connection. A script of its own calls
``crypto_util.set_key(token)`` and ``db_util.connect("http://localhost:8420")`` with a user token, whose role decides what it
may do. What makes no sense on a server raises :class:`~OpenOrchestrator.errors.NotSupportedError`, which names what does.
"""

from __future__ import annotations

import os

from OpenOrchestrator import _no_database, _session
from OpenOrchestrator._db.constants import (
    create_constant,
    create_credential,
    delete_constant,
    delete_credential,
    get_constant,
    get_constants,
    get_credential,
    get_credentials,
    update_constant,
    update_credential,
)
from OpenOrchestrator._db.logs_and_jobs import (
    create_log,
    get_job,
    get_jobs,
    get_logs,
    get_unique_log_process_names,
    set_job_status,
    start_job,
)
from OpenOrchestrator._db.queues import (
    bulk_create_queue_elements,
    create_queue_element,
    delete_queue_element,
    get_next_queue_element,
    get_queue_count,
    get_queue_element,
    get_queue_elements,
    set_queue_element_status,
    update_queue_element,
)
from OpenOrchestrator._db.triggers import (
    begin_queue_trigger,
    begin_scheduled_trigger,
    begin_single_trigger,
    create_queue_trigger,
    create_scheduled_trigger,
    create_single_trigger,
    delete_trigger,
    get_all_triggers,
    get_next_queue_trigger,
    get_next_scheduled_trigger,
    get_next_single_trigger,
    get_pending_queue_triggers,
    get_pending_scheduled_triggers,
    get_pending_single_triggers,
    get_queue_triggers,
    get_scheduled_triggers,
    get_schedulers,
    get_single_triggers,
    get_trigger,
    send_ping_from_scheduler,
    set_trigger_status,
    start_trigger_from_machine,
    update_trigger,
)
from OpenOrchestrator.common import crypto_util
from OpenOrchestrator.database.constants import Constant, Credential
from OpenOrchestrator.database.jobs import Job, JobStatus
from OpenOrchestrator.database.logs import Log, LogLevel
from OpenOrchestrator.database.queues import QueueElement, QueueStatus
from OpenOrchestrator.database.schedulers import Scheduler
from OpenOrchestrator.database.triggers import QueueTrigger, ScheduledTrigger, SingleTrigger, Trigger, TriggerStatus
from OpenOrchestrator.errors import OrchestratorError

__all__ = [
    "Constant",
    "Credential",
    "Job",
    "JobStatus",
    "Log",
    "LogLevel",
    "QueueElement",
    "QueueStatus",
    "QueueTrigger",
    "ScheduledTrigger",
    "Scheduler",
    "SingleTrigger",
    "Trigger",
    "TriggerStatus",
    "begin_queue_trigger",
    "begin_scheduled_trigger",
    "begin_single_trigger",
    "bulk_create_queue_elements",
    "check_database_revision",
    "connect",
    "create_constant",
    "create_credential",
    "create_log",
    "create_queue_element",
    "create_queue_trigger",
    "create_scheduled_trigger",
    "create_single_trigger",
    "delete_constant",
    "delete_credential",
    "delete_queue_element",
    "delete_trigger",
    "disconnect",
    "get_all_triggers",
    "get_conn_string",
    "get_constant",
    "get_constants",
    "get_credential",
    "get_credentials",
    "get_job",
    "get_jobs",
    "get_logs",
    "get_next_queue_element",
    "get_next_queue_trigger",
    "get_next_scheduled_trigger",
    "get_next_single_trigger",
    "get_pending_queue_triggers",
    "get_pending_scheduled_triggers",
    "get_pending_single_triggers",
    "get_queue_count",
    "get_queue_element",
    "get_queue_elements",
    "get_queue_triggers",
    "get_scheduled_triggers",
    "get_schedulers",
    "get_single_triggers",
    "get_trigger",
    "get_unique_log_process_names",
    "initialize_database",
    "send_ping_from_scheduler",
    "set_job_status",
    "set_queue_element_status",
    "set_trigger_status",
    "start_job",
    "start_trigger_from_machine",
    "update_constant",
    "update_credential",
    "update_queue_element",
    "update_trigger",
]


def connect(conn_string: str) -> bool:
    """Uses this server, with the token that ``crypto_util.set_key`` was given. Whether somebody answers there with it: if
    nobody does, none is used any more.

    A script that has set no key gets it from the environment (``OpenOrchestratorKey``), as OpenOrchestrator needs none to connect.
    Where there is none either, the answer is no, and a key that is set later is used with this server.
    """
    key = _key()
    session = _session.Session(conn_string, key)
    session.patience = 0
    try:
        if session.is_job:
            session.context()
        else:
            session.call("AdminService", "WhoAmI", {})
    except OrchestratorError as error:
        _session.use(None, str(error), waiting=None if key else conn_string)
        return False
    session.patience = _session.PATIENCE
    _session.use(session)
    return True


def _key() -> str:
    """What ``connect`` shows. A robot is its job, whatever else the machine has."""
    return crypto_util.get_key() or ("" if _session.TOKEN_VARIABLE in os.environ else os.environ.get(_session.KEY_VARIABLE, ""))


def disconnect() -> None:
    """Uses no server any more."""
    _session.use(None)


def get_conn_string() -> str:
    """The address in use. It holds no password, and it is no database: SQLAlchemy is told so."""
    address = _session.current().endpoint()
    _no_database.register()
    return address


def initialize_database() -> None:
    """Does nothing: the server takes care of its database."""


def check_database_revision() -> bool:
    """Always right: the server takes care of its database."""
    return True
