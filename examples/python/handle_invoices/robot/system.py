"""A stand-in for the system that a real robot clicks through. It crashes at times, as they do."""

from __future__ import annotations

from robot.errors import ApplicationError


class InvoiceSystem:
    """A session in the system. `flaky` invoices crash it, each of them once."""

    _crashed: set[str] = set()

    def __init__(self, username: str, password: str) -> None:
        if not (username and password):
            raise ApplicationError("The system wants a user and a password")
        self._open = True

    def pay(self, number: str, amount: int) -> str:
        """Pays an invoice."""
        if not self._open:
            raise ApplicationError("The session is over")
        if number.endswith("-7") and number not in self._crashed:
            self._crashed.add(number)
            self._open = False
            raise ApplicationError(f"The system crashed at {number}")
        return f"{number}/{amount}"

    def close(self) -> None:
        """Leaves nothing open."""
        self._open = False
