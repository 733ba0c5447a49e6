"""Triggers and workers."""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _robot, _session, _values
from OpenOrchestrator._db import listed, unsupported, user
from OpenOrchestrator.database.schedulers import Scheduler, _scheduler_from_wire
from OpenOrchestrator.database.triggers import (
    QueueTrigger,
    ScheduledTrigger,
    SingleTrigger,
    Trigger,
    TriggerStatus,
    _trigger_from_wire,
)
from OpenOrchestrator.errors import InvalidValueError, NotFoundError


_SERVICE = "TriggerService"
_OWN = "a job sees its own trigger only. Connect with a user token to see others: crypto_util.set_key(token), db_util.connect(url)"
_ADMIN = "it takes an administrator's token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator trigger`"
_SERVER = "the server itself finds what is due and hands it to workers"


def get_trigger(trigger_id: t.Union[t.UUID, str]) -> Trigger:
    """A trigger. The robot of a job sees its own only."""
    id_ = _values.identifier("trigger_id", trigger_id)
    session = _session.current()
    if session.is_job:
        own = _own_trigger(session)
        if str(own.id) != id_:
            raise NotFoundError(f"trigger '{id_}' is not this job's: {_OWN}")
        return own
    return _trigger_from_wire(session.call(_SERVICE, "Get", {"trigger": id_})["trigger"])


#: The class of each kind of trigger, by the name that a job's context has for it.
_KINDS = {"SINGLE": SingleTrigger, "SCHEDULED": ScheduledTrigger, "QUEUE": QueueTrigger}


def _own_trigger(session: t.Session) -> Trigger:
    """What a job knows of its trigger: who and of what kind it is, and whether it is on hold. The rest is ``None``."""
    context = session.context()
    # A development job has none, and an older server or worker does not tell.
    kind = _KINDS.get(context.get("triggerType", ""), Trigger)
    return kind(
        id=_values.to_uuid(context.get("triggerId")),
        trigger_name=context.get("triggerName", ""),
        process_name=context.get("processName", ""),
        process_args=context.get("processArgs"),
        process_status=TriggerStatus.PAUSING if _robot.is_pausing(session) else TriggerStatus.RUNNING,
        scheduler_whitelist=[],
        priority=0,
    )


def get_all_triggers() -> tuple[Trigger, ...]:
    """All triggers. The robot of a job sees its own only."""
    session = _session.current()
    if session.is_job:
        return (_own_trigger(session),)
    return tuple(_trigger_from_wire(trigger) for trigger in listed(session, _SERVICE, {}, "triggers"))


def _of_type(function: str, type_: str) -> tuple[t.Any, ...]:
    session = user(function, _OWN)
    return tuple(_trigger_from_wire(trigger) for trigger in listed(session, _SERVICE, {"type": type_}, "triggers"))


def get_scheduled_triggers() -> tuple[ScheduledTrigger, ...]:
    """All scheduled triggers."""
    return _of_type("get_scheduled_triggers", "SCHEDULED")


def get_single_triggers() -> tuple[SingleTrigger, ...]:
    """All single triggers."""
    return _of_type("get_single_triggers", "SINGLE")


def get_queue_triggers() -> tuple[QueueTrigger, ...]:
    """All queue triggers."""
    return _of_type("get_queue_triggers", "QUEUE")


def _message(
    trigger_name: str,
    process_name: str,
    process_path: str,
    process_args: t.Optional[str],
    is_git_repo: bool,
    is_blocking: bool,
    priority: int,
    scheduler_whitelist: t.Optional[list[str]],
    git_branch: t.Optional[str],
) -> dict[str, t.Any]:
    message: dict[str, t.Any] = {
        "name": _values.name("trigger_name", trigger_name),
        "processName": _values.name("process_name", process_name),
        "processPath": _values.name("process_path", process_path),
        "isGitRepo": bool(is_git_repo),
        "isBlocking": bool(is_blocking),
        "priority": int(priority or 0),
        "workerWhitelist": [_values.text("scheduler_whitelist", worker) for worker in scheduler_whitelist or ()],
    }
    for key, field, value in (("processArgs", "process_args", process_args), ("gitBranch", "git_branch", git_branch)):
        if value:
            message[key] = _values.text(field, value)
    return message


def _create(message: dict[str, t.Any]) -> t.UUID:
    session = user("create_…_trigger", _ADMIN)
    message["id"] = _values.new_id()
    answer = session.call(_SERVICE, "Create", {"trigger": message}, _robot.mark_repeat)
    return _values.to_uuid(answer["trigger"]["id"])  # type: ignore[return-value]


def create_single_trigger(
    trigger_name: str,
    process_name: str,
    next_run: t.datetime,
    process_path: str,
    process_args: str,
    is_git_repo: bool,
    is_blocking: bool,
    priority: int = 0,
    scheduler_whitelist: t.Optional[list[str]] = None,
    git_branch: t.Optional[str] = None,
) -> t.UUID:
    """Makes a trigger that fires once. Its id."""
    message = _message(
        trigger_name, process_name, process_path, process_args, is_git_repo, is_blocking, priority, scheduler_whitelist,
        git_branch,
    )
    message["single"] = {"nextRun": _values.instant_to_wire("next_run", next_run)}
    return _create(message)


def create_scheduled_trigger(
    trigger_name: str,
    process_name: str,
    cron_expr: str,
    next_run: t.Optional[t.datetime],
    process_path: str,
    process_args: str,
    is_git_repo: bool,
    is_blocking: bool,
    priority: int = 0,
    scheduler_whitelist: t.Optional[list[str]] = None,
    git_branch: t.Optional[str] = None,
) -> t.UUID:
    """Makes a trigger that fires by a cron expression, in the server's time zone. Its id."""
    message = _message(
        trigger_name, process_name, process_path, process_args, is_git_repo, is_blocking, priority, scheduler_whitelist,
        git_branch,
    )
    message["scheduled"] = {"cronExpr": _values.name("cron_expr", cron_expr)}
    if next_run is not None:
        message["scheduled"]["nextRun"] = _values.instant_to_wire("next_run", next_run)
    return _create(message)


def create_queue_trigger(
    trigger_name: str,
    process_name: str,
    queue_name: str,
    process_path: str,
    process_args: str,
    is_git_repo: bool,
    is_blocking: bool,
    min_batch_size: int,
    priority: int = 0,
    scheduler_whitelist: t.Optional[list[str]] = None,
    git_branch: t.Optional[str] = None,
) -> t.UUID:
    """Makes a trigger that fires when a queue has enough new elements. Its id."""
    message = _message(
        trigger_name, process_name, process_path, process_args, is_git_repo, is_blocking, priority, scheduler_whitelist,
        git_branch,
    )
    message["queue"] = {"queueName": _values.name("queue_name", queue_name), "minBatchSize": int(min_batch_size)}
    return _create(message)


def update_trigger(trigger: Trigger) -> None:
    """Stores what was changed of a trigger. A changed status is set as ``set_trigger_status`` does."""
    session = user("update_trigger", _ADMIN)
    stored = session.call(_SERVICE, "Get", {"trigger": _values.identifier("trigger.id", trigger.id)})["trigger"]
    changed = _message(
        trigger.trigger_name, trigger.process_name, trigger.process_path, trigger.process_args, trigger.is_git_repo,
        trigger.is_blocking, trigger.priority, trigger.scheduler_whitelist, trigger.git_branch,
    )
    for key in ("processArgs", "gitBranch"):
        stored.pop(key, None)
    stored.update(changed)
    before = _trigger_from_wire(stored)
    verb = _verb_of_change(trigger, before)
    if isinstance(trigger, QueueTrigger):
        stored["queue"].update(queueName=trigger.queue_name, minBatchSize=trigger.min_batch_size)
    elif isinstance(trigger, ScheduledTrigger):
        stored["scheduled"]["cronExpr"] = trigger.cron_expr
    # Only a time that was set, so that another one that the server has found meanwhile stays.
    next_run = getattr(trigger, "next_run", None)
    if next_run is not None and next_run != getattr(before, "next_run", None):
        kind = "scheduled" if isinstance(trigger, ScheduledTrigger) else "single"
        stored[kind]["nextRun"] = _values.instant_to_wire("next_run", next_run)
    session.call(_SERVICE, "Update", {"trigger": stored})
    if verb is not None:
        session.call(_SERVICE, verb, {"trigger": stored["id"]})
        trigger._read_status = trigger.process_status


def _verb_of_change(trigger: Trigger, before: Trigger) -> t.Optional[str]:
    """What brings a trigger into the state that a script gave it; nothing, where it left the one that it had read."""
    read = trigger._read_status or before.process_status
    wanted = trigger.process_status
    return None if wanted is None or wanted == read else _verb(wanted)


def delete_trigger(trigger_id: t.Union[t.UUID, str]) -> None:
    """Removes a trigger. A job of it that runs goes on to its end."""
    session = user("delete_trigger", _ADMIN)
    session.call(_SERVICE, "Delete", {"trigger": _values.identifier("trigger_id", trigger_id)})


#: What an administrator would do to bring a trigger into a state.
_VERBS = {
    TriggerStatus.IDLE: "Enable",
    TriggerStatus.PAUSED: "Disable",
    TriggerStatus.PAUSING: "Disable",
    TriggerStatus.KILLING: "Kill",
    TriggerStatus.KILLED: "Kill",
}


def set_trigger_status(trigger_id: t.Union[t.UUID, str], status: TriggerStatus) -> None:
    """Enables (Idle), disables (Paused, Pausing) or kills (Killing, Killed). The other states come from jobs."""
    session = user("set_trigger_status", "call connection.pause_my_trigger() for its own trigger; else " + _ADMIN)
    verb = _verb(status)
    session.call(_SERVICE, verb, {"trigger": _values.identifier("trigger_id", trigger_id)})


def _verb(status: TriggerStatus) -> str:
    verb = _VERBS.get(status)
    if verb is None:
        raise InvalidValueError(
            f"{status!r} cannot be set: a trigger is Running, Done or Failed because of its jobs; use TriggerStatus.IDLE, "
            "PAUSED or KILLED"
        )
    return verb


def get_next_single_trigger() -> t.Optional[SingleTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_next_single_trigger", _SERVER)


def get_next_scheduled_trigger() -> t.Optional[ScheduledTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_next_scheduled_trigger", _SERVER)


def get_next_queue_trigger() -> t.Optional[QueueTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_next_queue_trigger", _SERVER)


def get_pending_single_triggers() -> list[SingleTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_pending_single_triggers", _SERVER)


def get_pending_scheduled_triggers() -> list[ScheduledTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_pending_scheduled_triggers", _SERVER)


def get_pending_queue_triggers() -> list[QueueTrigger]:
    """Not here: the server hands out what is due."""
    raise unsupported("get_pending_queue_triggers", _SERVER)


def begin_single_trigger(trigger_id: t.Union[t.UUID, str]) -> bool:
    """Not here: the server hands out what is due."""
    raise unsupported("begin_single_trigger", _SERVER + "; to start one now: `orchestrator trigger run NAME`")


def begin_scheduled_trigger(trigger_id: t.Union[t.UUID, str]) -> bool:
    """Not here: the server hands out what is due."""
    raise unsupported("begin_scheduled_trigger", _SERVER + "; to start one now: `orchestrator trigger run NAME`")


def begin_queue_trigger(trigger_id: t.Union[t.UUID, str]) -> bool:
    """Not here: the server hands out what is due."""
    raise unsupported("begin_queue_trigger", _SERVER + "; to start one now: `orchestrator trigger run NAME`")


def get_schedulers() -> tuple[Scheduler, ...]:
    """The workers."""
    session = user("get_schedulers", "it takes a user token, or `orchestrator worker list`")
    return tuple(_scheduler_from_wire(worker) for worker in session.call("AdminService", "ListWorkers", {})["workers"])


def send_ping_from_scheduler(machine_name: str) -> None:
    """Not here: workers do."""
    raise unsupported("send_ping_from_scheduler", "workers tell the server themselves that they live")


def start_trigger_from_machine(machine_name: str, trigger_name: str) -> None:
    """Not here: the server knows what it gave to whom."""
    raise unsupported("start_trigger_from_machine", "the server remembers itself which worker got which job")
