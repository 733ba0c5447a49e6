"""A robot that works on a queue. See the package `robot` beside this file; this one only starts it.

The name of this file and of its folder are what a repository of a robot looks like: a worker runs the `main.py` nearest to
the top. A robot that needs packages from elsewhere makes its virtual environment here, and starts itself in it with
`sys.argv[1:]` passed on.
"""

import sys

from robot.framework import run

if __name__ == "__main__":
    sys.exit(run())
