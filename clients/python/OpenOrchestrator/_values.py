"""Values on their way to the server and back: texts, ids, times.

Times are naive and local on this side, as robots know them, and UTC in RFC 3339 on the other.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import date, datetime, timedelta, timezone

from OpenOrchestrator.errors import DataError, InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Imported where it is needed: on some versions it brings half of the library with it.
    import uuid

#: The most characters of a log line and of an element's message: what is longer is cut, never refused.
LOG_MESSAGE_LIMIT = 8000
MESSAGE_LIMIT = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND = timedelta(seconds=1)

#: Room for the mark, whatever number is in it.
_MARK_ROOM = len(" [… 00000000000000000000 characters cut …] ")


def cut_middle(message: str, limit: int) -> str:
    """Cuts the middle out of a text that is too long, leaving a mark that counts what is missing. As the server does."""
    if len(message) <= limit:
        return message
    if limit <= _MARK_ROOM:
        return message[:limit]
    kept = limit - _MARK_ROOM
    head, tail = (kept + 1) // 2, kept // 2
    return f"{message[:head]} [… {len(message) - kept} characters cut …] {message[-tail:]}"


def message_text(message: object, limit: int) -> str:
    """Words for people. They are written at the worst moment, so nothing about them is an error: what cannot be stored is
    made visible, what is too long is cut, and what is no text is written as ``str`` writes it."""
    words = message if isinstance(message, str) else str(message)
    words = cut_middle(words, limit)
    if "\0" in words:
        words = words.replace("\0", "\ufffd")
    try:
        words.encode()
    except UnicodeEncodeError:
        words = cut_middle(words.encode("utf-8", "backslashreplace").decode(), limit)
    return words


def text(field: str, value: object) -> str:
    """A text to be stored exactly. Numbers and ids are written out, as databases do."""
    if not isinstance(value, str):
        import uuid

        if not isinstance(value, (int, float, uuid.UUID)):
            raise DataError(
                f"{field} is of type {type(value).__name__}; it must be text (for structured data: json.dumps)",
                metadata={"field": field},
            )
        value = str(value)
    nul = value.find("\0")
    if nul >= 0:
        raise DataError(
            f"{field} contains a NUL character at position {nul}, which cannot be stored; remove it",
            metadata={"field": field, "position": str(nul)},
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{field} contains U+{ord(value[error.start]):04X} at position {error.start}, half of a character, which is no "
            "valid text; it often comes from bytes that were decoded with errors='surrogateescape': decode them properly",
            metadata={"field": field, "position": str(error.start)},
        ) from None
    return value


def optional_text(field: str, value: object) -> str | None:
    """The same, where ``None`` means nothing."""
    return None if value is None else text(field, value)


def name(field: str, value: object) -> str:
    """A text that names something, so that it must be there."""
    if value is None or value == "":
        raise DataError(f"{field} is missing; give a name", metadata={"field": field})
    return text(field, value)


def known_name(field: str, value: object) -> str:
    """A name of something that is there. Whatever else is given, there is nothing of that name, which is a ``ValueError``."""
    try:
        return name(field, value)
    except DataError as error:
        raise InvalidValueError(str(error), metadata=error.metadata) from None


def identifier(field: str, value: object) -> str:
    """An id as the server writes it."""
    import uuid

    if isinstance(value, uuid.UUID):
        return str(value)
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise InvalidValueError(
            f"{field} {value!r} is no id; an id looks like 0198c0de-0000-7000-8000-000000000000",
            metadata={"field": field},
        ) from None


def to_uuid(value: str | None) -> uuid.UUID | None:
    """An id as robots know it."""
    import uuid

    return uuid.UUID(value) if value else None


_lock = threading.Lock()
_last_id = (0, 0)
_last_instant = 0


def new_ids(count: int) -> list[str]:
    """Ids (UUID version 7) that sort in the order in which this process made them."""
    global _last_id
    ids = []
    random = os.urandom(8 * count)
    with _lock:
        millisecond, counter = _last_id
        for index in range(count):
            now = time.time_ns() // 1_000_000
            if now > millisecond:
                millisecond, counter = now, 0
            else:
                # More than 4096 in one millisecond: borrow from the next.
                counter += 1
                if counter > 0xFFF:
                    millisecond, counter = millisecond + 1, 0
            tail = int.from_bytes(random[8 * index : 8 * index + 8], "big") & 0x3FFF_FFFF_FFFF_FFFF
            digits = f"{(millisecond << 80) | (0x7 << 76) | (counter << 64) | (0x2 << 62) | tail:032x}"
            ids.append(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")
        _last_id = (millisecond, counter)
    return ids


def new_id() -> str:
    """One such id."""
    return new_ids(1)[0]


def now_to_wire() -> str:
    """The current instant, later than every one that this process wrote before, so that lines keep their order when the
    clock is set back."""
    global _last_instant
    with _lock:
        _last_instant = max(time.time_ns() // 1000, _last_instant + 1)
        microseconds = _last_instant
    seconds, fraction = divmod(microseconds, 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:06d}Z"


def instant_to_wire(field: str, value: date | datetime | None) -> str | None:
    """A local time (or one with a zone, or a day, which is its midnight)."""
    if value is None:
        return None
    if isinstance(value, str):
        # As databases take it.
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise DataError(
                f"{field} {value!r} is no time; give a datetime, or a text like 2026-01-31 23:59:00", metadata={"field": field}
            ) from None
    if not isinstance(value, date):
        raise DataError(
            f"{field} is of type {type(value).__name__}; it must be a datetime", metadata={"field": field}
        )
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    try:
        utc = value.astimezone(timezone.utc)
        if value.tzinfo is None and _local(utc) != value:
            # Local clocks leave this time out in spring: it is the first that they show after it.
            utc = _end_of_gap(value)
    except (OverflowError, ValueError, OSError):
        # Times that no zone database knows, such as `datetime.min`, are used as "no limit".
        utc = value.replace(tzinfo=timezone.utc)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def instant_from_wire(value: str | None) -> datetime | None:
    """A time as robots know it: local, without a zone."""
    if not value:
        return None
    whole, _, fraction = value.rstrip("Zz").partition(".")
    utc = datetime.fromisoformat(whole).replace(
        microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0, tzinfo=timezone.utc
    )
    try:
        return _local(utc)
    except (OverflowError, ValueError, OSError):
        # Far outside what the system's clock can convert.
        return utc.replace(tzinfo=None)


def _local(utc: datetime) -> datetime:
    """What local clocks show at an instant; ``fold`` tells the second pass of the hour that they show twice in autumn."""
    # Whole seconds: those of a float have no room for microseconds.
    return datetime.fromtimestamp((utc - _EPOCH) // _SECOND).replace(microsecond=utc.microsecond)


def _end_of_gap(value: datetime) -> datetime:
    """The first instant at which local clocks show this time or a later one."""
    early, late = sorted(value.replace(fold=fold).astimezone(timezone.utc) for fold in (0, 1))
    utc = early.replace(second=0, microsecond=0)
    while utc < late and _local(utc) < value:
        utc += timedelta(minutes=1)
    return utc
