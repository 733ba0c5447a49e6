"""What a running job may do: one function for each call of the server's ``RobotService``."""

from __future__ import annotations

import json

from OpenOrchestrator import _values
from OpenOrchestrator.database.constants import _constant_from_wire, _credential_from_wire
from OpenOrchestrator.database.queues import _element_from_wire, _status_to_wire
from OpenOrchestrator.errors import DataError, InvalidValueError, NotFoundError, OrchestratorError, TooLargeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any

    from OpenOrchestrator._session import Session
    from OpenOrchestrator.database.constants import Constant, Credential
    from OpenOrchestrator.database.logs import LogLevel
    from OpenOrchestrator.database.queues import QueueElement, QueueStatus

#: The most elements that one call creates.
BULK_LIMIT = 10_000
#: The most bytes of its elements: workers and servers take 32 MiB.
BULK_BYTES = 24 << 20
#: The most elements of one page.
PAGE_LIMIT = 1000


def log(session: Session, level: LogLevel, message: object, process_name: object = None) -> None:
    """Writes one line. Its id is made here, so that a repetition is no second line.

    A line stands under the process of its job. One that is written under another name begins with that.
    """
    if process_name and not session.is_called(process_name):
        message = f"[{process_name}] {message}"
    line = {
        "id": _values.new_id(),
        "logTime": _values.now_to_wire(),
        "logLevel": level.name,
        "logMessage": _values.message_text(message, _values.LOG_MESSAGE_LIMIT),
    }
    session.robot("Log", {"logs": [line]})


def of_name(call: Callable[..., dict[str, Any]], *request: Any) -> dict[str, Any]:
    """Calls for a constant or credential. One whose name is refused is not there, which is a ``ValueError``; a value that is
    refused is none."""
    try:
        return call(*request)
    except DataError as error:
        if error.metadata.get("field") != "name":
            raise
        raise InvalidValueError(str(error), reason=error.reason, metadata=error.metadata) from None


def get_constant(session: Session, name: str) -> Constant:
    """A constant."""
    answer = of_name(session.robot, "GetConstant", {"name": _values.known_name("constant_name", name)})
    return _constant_from_wire(answer["constant"])


def update_constant(session: Session, name: str, value: str) -> None:
    """Changes a constant."""
    request = {"name": _values.known_name("constant_name", name), "value": _values.text("new_value", value)}
    of_name(session.robot, "UpdateConstant", request)


def get_credential(session: Session, name: str) -> Credential:
    """A credential with its password."""
    answer = of_name(session.robot, "GetCredential", {"name": _values.known_name("credential_name", name)})
    return _credential_from_wire(answer, answer.get("password", ""))


def update_credential(session: Session, name: str, username: str, password: str) -> None:
    """Changes a credential."""
    request = {
        "name": _values.known_name("credential_name", name),
        "username": _values.text("new_username", username),
        "password": _values.text("new_password", password),
    }
    of_name(session.robot, "UpdateCredential", request)


def new_element(id_: str, reference: object, data: object, created_by: object) -> dict[str, Any]:
    """An element to be created."""
    element = {"id": id_}
    for key, field, value in (("reference", "reference", reference), ("data", "data", data)):
        if value is not None:
            element[key] = _values.text(field, value)
    if created_by is not None:
        element["createdBy"] = _values.text("created_by", created_by)
    return element


def mark_repeat(message: dict[str, Any]) -> None:
    """Marks a call whose answer was lost."""
    message["repeat"] = True


def mark_repeat_of_call(message: dict[str, Any]) -> None:
    """The same, where the id of the call is apart."""
    message["call"]["repeat"] = True


def create_queue_element(
    session: Session, queue_name: str, reference: object, data: object, created_by: object
) -> QueueElement:
    """Adds an element."""
    request = {
        "queueName": _values.name("queue_name", queue_name),
        "element": new_element(_values.new_id(), reference, data, created_by),
    }
    return _element_from_wire(session.robot("CreateQueueElement", request, mark_repeat)["element"])


def check_bulk(references: Sequence[object], data: Sequence[object]) -> None:
    """What OpenOrchestrator checks."""
    if len(references) == 0:
        raise InvalidValueError("references is empty; give one reference (or None) for each element")
    if len(data) == 0:
        raise InvalidValueError("data is empty; give one text (or None) for each element")
    if len(references) != len(data):
        raise InvalidValueError(
            f"there are {len(references)} references and {len(data)} data; give one of each for each element (or None)"
        )


def bulk_create_queue_elements(
    session: Session,
    queue_name: str,
    references: Sequence[object],
    data: Sequence[object],
    created_by: object,
    *,
    as_job: bool = True,
) -> None:
    """Adds many elements, all or none: as a job, or as a user. What is more than one call takes is checked first, sent in
    parts, and taken back when a part is refused."""
    references, data = list(references), list(data)
    check_bulk(references, data)
    name = _values.name("queue_name", queue_name)
    ids = _values.new_ids(len(references))
    elements = []
    for id_, reference, value in zip(ids, references, data):
        elements.append(new_element(id_, reference, value, created_by))
    created: list[str] = []
    for part in _parts(elements):
        request = {"queueName": name, "elements": part}
        try:
            if as_job:
                session.robot("BulkCreateQueueElements", request, mark_repeat)
            else:
                session.call("QueueService", "BulkCreate", request, mark_repeat)
        except OrchestratorError as error:
            if not created:
                raise
            left = _take_back(session, created, as_job)
            kept = f"{left} of the first {len(created)} could not be removed again" if left else "nothing was stored"
            raise type(error)(
                f"{error} (of {len(elements)} elements, in a part that begins with the one at {len(created)}; {kept})",
                reason=error.reason,
                metadata=error.metadata,
            ) from error
        created += [element["id"] for element in part]


def _parts(elements: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    parts: list[list[dict[str, Any]]] = [[]]
    bytes_ = 0
    for element in elements:
        size = len(json.dumps(element, ensure_ascii=False).encode())
        if parts[-1] and (len(parts[-1]) >= BULK_LIMIT or bytes_ + size > BULK_BYTES):
            parts.append([])
            bytes_ = 0
        parts[-1].append(element)
        bytes_ += size
    return parts


def _take_back(session: Session, ids: list[str], as_job: bool) -> int:
    """Removes elements that were just created. How many it could not: somebody works on them already."""
    left = 0
    for id_ in ids:
        try:
            if as_job:
                session.robot("DeleteQueueElement", {"element": id_})
            else:
                session.call("QueueService", "Delete", {"element": id_})
        except NotFoundError:
            pass
        except OrchestratorError:
            left += 1
    return left


def get_next_queue_element(
    session: Session, queue_name: str, reference: object = None, set_status: bool = True
) -> QueueElement | None:
    """Takes the oldest new element."""
    request: dict[str, Any] = {"queueName": _values.name("queue_name", queue_name)}
    if reference is not None:
        request["reference"] = _values.text("reference", reference)
    if set_status:
        request["call"] = {"requestId": _values.new_id()}
        element = session.robot("ClaimQueueElement", request, mark_repeat_of_call).get("element")
    else:
        request["peek"] = True
        element = session.robot("ClaimQueueElement", request).get("element")
    return _element_from_wire(element) if element else None


def list_request(
    queue_name: str,
    reference: object = None,
    status: QueueStatus | str | None = None,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
) -> dict[str, Any]:
    """Which elements are asked for."""
    request: dict[str, Any] = {"queueName": _values.name("queue_name", queue_name)}
    if reference is not None:
        request["reference"] = _values.text("reference", reference)
    if status is not None:
        request["statuses"] = [_status_to_wire(status)]
    if from_date is not None:
        request["createdFrom"] = _values.instant_to_wire("from_date", from_date)
    if to_date is not None:
        request["createdTo"] = _values.instant_to_wire("to_date", to_date)
    return request


def pages(call: Any, request: dict[str, Any], items: str, offset: int, limit: int | None) -> list[dict[str, Any]]:
    """Items ``offset`` to ``offset + limit`` of a list that the server gives page by page; no limit when 0 or ``None``."""
    for field, value in (("offset", offset), ("limit", limit or 0)):
        if not isinstance(value, int) or value < 0:
            raise DataError(f"{field} is {value!r}; it must be a whole number, 0 or more", metadata={"field": field})
    end = offset + limit if limit else None
    found: list[dict[str, Any]] = []
    seen, size, cursor = 0, PAGE_LIMIT, ""
    while end is None or seen < end:
        wanted = size if end is None else min(size, end - seen)
        try:
            answer = call({**request, "page": {"limit": wanted, "cursor": cursor}})
        except TooLargeError:
            # Long data: fewer at once.
            if wanted == 1:
                raise
            size = max(1, wanted // 8)
            continue
        page = answer.get(items) or []
        found += page[max(0, offset - seen) :]
        seen += len(page)
        cursor = answer.get("nextCursor") or ""
        if not cursor:
            break
    return found


def get_queue_elements(
    session: Session,
    queue_name: str,
    reference: object = None,
    status: QueueStatus | str | None = None,
    offset: int = 0,
    limit: int | None = 100,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
) -> tuple[QueueElement, ...]:
    """Elements, the oldest first."""
    request = list_request(queue_name, reference, status, from_date, to_date)
    found = pages(lambda message: session.robot("ListQueueElements", message), request, "elements", offset, limit)
    return tuple(_element_from_wire(element) for element in found)


def status_request(element_id: str | uuid.UUID, status: QueueStatus | str, message: object) -> dict[str, Any]:
    """A change of status."""
    request = {"element": _values.identifier("element_id", element_id), "status": _status_to_wire(status)}
    if message is not None:
        request["message"] = _values.message_text(message, _values.MESSAGE_LIMIT)
    return request


def set_queue_element_status(
    session: Session, element_id: str | uuid.UUID, status: QueueStatus | str, message: object = None
) -> None:
    """Sets a status. To set it twice is the same."""
    session.robot("SetQueueElementStatus", status_request(element_id, status, message))


def delete_queue_element(session: Session, element_id: str | uuid.UUID) -> None:
    """Removes an element."""
    repeated: list[dict[str, Any]] = []
    try:
        session.robot("DeleteQueueElement", {"element": _values.identifier("element_id", element_id)}, repeated.append)
    except NotFoundError:
        # The first try removed it, and only its answer was lost.
        if not repeated:
            raise


def is_pausing(session: Session) -> bool:
    """Whether the robot should end early."""
    return bool(session.robot("IsPausing", {}).get("pausing"))


def pause(session: Session) -> None:
    """Holds the job's trigger."""
    session.robot("Pause", {})
