"""What may be changed without reading the rest."""

QUEUE = "Invoices"

#: How often the robot starts over after an application error before it gives up.
MAX_ERRORS = 3

#: After so many elements it ends, and the trigger starts a new one: a leak never becomes a problem.
MAX_ELEMENTS = 1000

LIMIT_CONSTANT = "Invoice limit"
CREDENTIAL = "Invoice system"
