"""What may be changed without reading the rest."""

#: How many application errors the robot survives.
MOST_ERRORS = 3
#: How many elements one run handles.
MOST_TASKS = 100
QUEUE = "Sager"
