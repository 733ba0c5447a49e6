"""OpenOrchestrator through its own db_util, a process a robot, as its scheduler starts them.

Arguments: the database's URL, options. Prints a figure a line. With "robot" in front it is one of the robots.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from OpenOrchestrator.database import db_util
from OpenOrchestrator.database.queues import QueueStatus


def connect(url: str) -> None:
    if not db_util.connect(url.replace("postgres://", "postgresql+psycopg2://", 1)):
        sys.exit("OpenOrchestrator cannot connect")


def robot(url: str, queue: str, completes: str, seconds: str) -> None:
    """Takes until the time is over or nothing is left, and tells what it got."""
    connect(url)
    # The first call opens the connection: that is no part of the work.
    db_util.get_next_queue_element("nothing")
    print("ready", flush=True)
    sys.stdin.readline()
    ids, times = [], []
    until = time.perf_counter() + float(seconds)
    began = time.time()
    while time.perf_counter() < until:
        before = time.perf_counter()
        element = db_util.get_next_queue_element(queue)
        if element is None:
            break
        if completes == "yes":
            db_util.set_queue_element_status(element.id, QueueStatus.DONE)
        times.append(time.perf_counter() - before)
        ids.append(str(element.id))
    print(json.dumps({"began": began, "ended": time.time(), "ids": ids, "times": times}), flush=True)


def measure(url: str, options: dict, robots: int, completes: bool) -> None:
    queue = f"{robots}-{completes}"
    count = int(4_000 * options["scale"])
    db_util.bulk_create_queue_elements(queue, tuple(map(str, range(count))), (options["payload"],) * count)
    command = [sys.executable, __file__, "robot", url, queue, "yes" if completes else "no", str(options["seconds"])]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(robots)
    ]
    for process in running:
        if process.stdout.readline().strip() != "ready":
            sys.exit("a robot did not start")
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    noted = [json.loads(process.stdout.readline()) for process in running]
    for process in running:
        process.wait()
    ids = [number for robot in noted for number in robot["ids"]]
    times = sorted(number for robot in noted for number in robot["times"])
    seconds = max(robot["ended"] for robot in noted) - min(robot["began"] for robot in noted)
    at = lambda share: 1000 * times[max(0, int(len(times) * share + 0.999) - 1)]
    figure = {
        "what": f"OpenOrchestrator 3.0.0, next{' + status' if completes else ''}, {robots} processes",
        "rate": len(ids) / seconds,
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "doubled": len(ids) - len(set(ids)),
    }
    print(json.dumps(figure), flush=True)


def main() -> None:
    from OpenOrchestrator.database.base import Base

    url, options = sys.argv[1], json.loads(sys.argv[2])
    connect(url)
    Base.metadata.create_all(db_util._connection_engine)  # pylint: disable=protected-access
    for robots in (1, 8):
        for completes in (False, True):
            measure(url, options, robots, completes)


if __name__ == "__main__":
    if sys.argv[1] == "robot":
        robot(*sys.argv[2:])
    else:
        main()
