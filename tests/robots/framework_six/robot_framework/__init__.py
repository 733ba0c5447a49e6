"""A robot in the shape that the public template gave to many."""
