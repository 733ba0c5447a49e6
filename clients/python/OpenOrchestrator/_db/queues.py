"""Queue elements.

A user's claims belong to no job, so nothing gives an element back when the script ends early.
"""

from __future__ import annotations

from OpenOrchestrator import _types as t
from OpenOrchestrator import _robot, _session, _values
from OpenOrchestrator._db import listed, ordered, user
from OpenOrchestrator.database.queues import QueueElement, QueueStatus, _element_from_wire
from OpenOrchestrator.errors import NotSupportedError


_SERVICE = "QueueService"
_USER = "it takes a user token (crypto_util.set_key(token), db_util.connect(url)), or `orchestrator queue`"


def create_queue_element(
    queue_name: str, reference: t.Optional[str] = None, data: t.Optional[str] = None, created_by: t.Optional[str] = None
) -> QueueElement:
    """Adds an element."""
    session = _session.current()
    if session.is_job:
        return _robot.create_queue_element(session, queue_name, reference, data, created_by)
    request = {
        "queueName": _values.name("queue_name", queue_name),
        "element": _robot.new_element(_values.new_id(), reference, data, created_by),
    }
    return _element_from_wire(session.call(_SERVICE, "Create", request, _robot.mark_repeat)["element"])


def bulk_create_queue_elements(
    queue_name: str, references: t.Sequence[t.Optional[str]], data: t.Sequence[t.Optional[str]], created_by: t.Optional[str] = None
) -> None:
    """Adds many elements, all or none."""
    session = _session.current()
    _robot.bulk_create_queue_elements(session, queue_name, references, data, created_by, as_job=session.is_job)


def get_next_queue_element(
    queue_name: str, reference: t.Optional[str] = None, set_status: bool = True
) -> t.Optional[QueueElement]:
    """Takes the oldest new element."""
    session = _session.current()
    if session.is_job:
        return _robot.get_next_queue_element(session, queue_name, reference, set_status)
    request: dict[str, t.Any] = {"queueName": _values.name("queue_name", queue_name), "count": 1}
    if reference is not None:
        request["reference"] = _values.text("reference", reference)
    if not set_status:
        request["peek"] = True
    request["call"] = {"requestId": _values.new_id()}
    found = session.call(_SERVICE, "Claim", request, _robot.mark_repeat_of_call).get("elements")
    return _element_from_wire(found[0]) if found else None


def get_queue_elements(
    queue_name: str,
    reference: t.Optional[str] = None,
    status: t.Optional[QueueStatus] = None,
    from_date: t.Optional[t.datetime] = None,
    to_date: t.Optional[t.datetime] = None,
    offset: int = 0,
    limit: t.Optional[int] = 100,
    search_term: t.Optional[str] = None,
    order_by: t.Optional[str] = None,
    order_desc: bool = False,
    include_count: bool = False,
) -> t.Union[tuple[QueueElement, ...], tuple[tuple[QueueElement, ...], int]]:
    """Elements, the oldest first unless told otherwise; all of them when ``limit`` is ``None`` or 0.

    An order by anything but the date of creation, and the count, read everything that fits.
    """
    session = _session.current()
    request = _robot.list_request(queue_name, reference, status, from_date, to_date)
    if search_term:
        request["search"] = _values.text("search_term", search_term)
    by_creation = not order_by or order_by.lower().replace(" ", "_") == "created_date"
    if by_creation and order_desc:
        request["newestFirst"] = True

    def fetch(offset: int, limit: t.Optional[int]) -> list[QueueElement]:
        if session.is_job:
            found = _robot.pages(
                lambda message: session.robot("ListQueueElements", message), request, "elements", offset, limit
            )
        else:
            found = listed(session, _SERVICE, request, "elements", offset, limit)
        return [_element_from_wire(element) for element in found]

    if by_creation and not include_count:
        return tuple(fetch(offset, limit))
    every = fetch(0, None)
    found = every if by_creation else ordered(every, order_by, "created_date", order_desc)
    chosen = tuple(found[offset : offset + limit] if limit else found[offset:])
    return (chosen, len(every)) if include_count else chosen


def get_queue_element(element_id: t.Union[t.UUID, str]) -> QueueElement:
    """One element."""
    session = user("get_queue_element", "look for it with connection.get_queue_elements; or " + _USER)
    request = {"element": _values.identifier("element_id", element_id)}
    return _element_from_wire(session.call(_SERVICE, "Get", request)["element"])


def update_queue_element(
    element_id: t.Union[t.UUID, str],
    reference: t.Optional[str] = None,
    status: t.Optional[QueueStatus] = None,
    data: t.Optional[str] = None,
    message: t.Optional[str] = None,
    created_by: t.Optional[str] = None,
    created_date: t.Optional[t.datetime] = None,
    start_date: t.Optional[t.datetime] = None,
    end_date: t.Optional[t.datetime] = None,
) -> None:
    """Changes reference, data, message and status of an element. What is ``None`` stays; an empty text clears."""
    for field, value in (
        ("created_by", created_by), ("created_date", created_date), ("start_date", start_date), ("end_date", end_date),
    ):
        if value is not None:
            raise NotSupportedError(f"{field} of an element cannot be changed: the server sets it when the thing happens")
    session = _session.current()
    if session.is_job:
        if reference is not None or data is not None or status is None:
            raise NotSupportedError(
                "the robot of a job sets the status of an element, and a message with it; to change anything else " + _USER
            )
        _robot.set_queue_element_status(session, element_id, status, message)
        return
    request: dict[str, t.Any] = {"element": _values.identifier("element_id", element_id)}
    for key, value in (("reference", reference), ("data", data)):
        if value is not None:
            request[key] = _values.text(key, value)
    if message is not None:
        request["message"] = _values.message_text(message, _values.MESSAGE_LIMIT)
    if len(request) > 1:
        session.call(_SERVICE, "Update", request)
    if status is not None:
        set_queue_element_status(element_id, status)


def set_queue_element_status(element_id: t.Union[t.UUID, str], status: QueueStatus, message: t.Optional[str] = None) -> None:
    """Sets the status of an element."""
    session = _session.current()
    if session.is_job:
        _robot.set_queue_element_status(session, element_id, status, message)
    else:
        session.call(_SERVICE, "SetStatus", _robot.status_request(element_id, status, message))


def delete_queue_element(element_id: t.Union[t.UUID, str]) -> None:
    """Removes an element for good."""
    session = _session.current()
    if session.is_job:
        _robot.delete_queue_element(session, element_id)
    else:
        session.call(_SERVICE, "Delete", {"element": _values.identifier("element_id", element_id)})


def get_queue_count() -> dict[str, dict[QueueStatus, int]]:
    """How many elements of each status there are, by queue."""
    session = user("get_queue_count", _USER)
    counts: dict[str, dict[QueueStatus, int]] = {}
    for queue in session.call(_SERVICE, "ListQueues", {})["queues"]:
        fields = {
            QueueStatus.NEW: "newCount",
            QueueStatus.IN_PROGRESS: "inProgressCount",
            QueueStatus.DONE: "doneCount",
            QueueStatus.FAILED: "failedCount",
            QueueStatus.ABANDONED: "abandonedCount",
        }
        counts[queue["queueName"]] = {
            status: int(queue.get(field) or 0) for status, field in fields.items() if int(queue.get(field) or 0)
        }
    return counts
