"""The two ways in which an element goes wrong."""


class BusinessError(Exception):
    """The work cannot be done, and trying again would not help: a person has to look at this element. The robot goes on."""


class ApplicationError(Exception):
    """The system that the robot uses failed. The robot starts it anew, and tries the same element again."""
