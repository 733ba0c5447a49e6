"""The two kinds of failure."""


class BusinessError(Exception):
    """Something is wrong with the element: fail it, and go on with the next."""
