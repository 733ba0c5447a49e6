"""Side by side: a queue robot under a worker of ours, and under OpenOrchestrator 3.0.0 on the same PostgreSQL.

Started by bench/robots/run. Each round runs both, one after the other, with each number of robots; printed are the medians of
the rounds. A robot does no work between claim and completion, so what is measured is what the systems cost.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROBOT = HERE / "queue_robot.py"
PACKAGE = HERE.parents[1] / "clients" / "python"
IMPORT = "import OpenOrchestrator.orchestrator_connection.connection"

#: Elements per second with 1 and 8 robots, as multiples of OpenOrchestrator's.
GOALS = {1: 2.5, 8: 8.0}
IMPORT_GOAL_MS = 30


def clean(*more: str) -> dict[str, str]:
    """The caller's environment without what sets up an orchestrator, and without these; bench/src/programs.rs does the same."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR") and name not in more}


def refuse_memory(folder: Path) -> None:
    """Commits are what is measured, and in memory they cost no sync; bench/src/temporary.rs does the same."""
    mounts = [line.split(" ")[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    around = [(point, kind) for point, kind in mounts if folder.resolve().is_relative_to(point.replace("\\040", " "))]
    # Of mounts on one another the last is seen.
    kind = max(enumerate(around), key=lambda found: (len(Path(found[1][0]).parts), found[0]))[1][1] if around else ""
    if kind in ("tmpfs", "ramfs", "devtmpfs"):
        sys.exit(
            f"bench: the temporary folder {folder} is in memory ({kind}), where a commit costs no sync, so that no figure would mean "
            "anything: set TMPDIR to a folder on a disk that the user postgres can reach, such as /var/tmp"
        )


class Postgres:
    """A cluster of its own, with the durability that it has by default."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("initdb") or next(iter(sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))), None)
        if found is None:
            sys.exit("bench: initdb is missing; run scripts/setup-debian")
        self.programs, self.data = Path(found).resolve().parent, folder / "postgres"
        self.data.mkdir()
        # PostgreSQL refuses to run as root.
        self.owner = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.owner:
            shutil.chown(self.data, **self.owner)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C")
        self.socket = self.data
        options = f"-k {self.socket} -c listen_addresses= -c max_connections=200"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.data / "log", "-o", options, "start")

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", **self.owner)

    def database(self, name: str) -> None:
        self._run("createdb", "-h", self.socket, "-U", "bench", name)

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


class Ours:
    """A server and a worker as anyone would run them."""

    name = "orchestrator"

    def __init__(self, folder: Path, programs: Path, postgres: Postgres, stack: ExitStack, robots: int) -> None:
        self.programs, self.folder = programs, folder
        postgres.database("ours")
        url = f"postgres:///ours?host={postgres.socket}&user=bench"
        key, data = folder / "key", folder / "server"
        environment = clean()
        self.environment = {**environment, "HOME": str(folder)}
        self._cli("key", "generate", key)
        server = subprocess.Popen(
            [programs / "orchestrator", "server", "start", "-o", "json", "--listen", "127.0.0.1:0", "--data", data]
            + ["--key-file", key],
            env={**self.environment, "ORCHESTRATOR__DATABASE__URL": url},
            stdout=subprocess.PIPE,
            stderr=open(folder / "server.log", "w", encoding="utf-8"),  # pylint: disable=consider-using-with
            text=True,
        )
        stack.callback(stop, server)
        self.environment["ORCHESTRATOR_URL"] = json.loads(first_line(server, folder / "server.log"))["url"]
        self.environment["ORCHESTRATOR_TOKEN"] = (data / "admin.token").read_text().strip()
        self._cli("token", "create", "worker", "bench", "--out", folder / "worker.token")
        # The very interpreter that OpenOrchestrator's robots have: the worker's package goes before the installed one.
        (folder / "worker.toml").write_text(f'[interpreters]\n".py" = ["{sys.executable}"]\n')
        worker = subprocess.Popen(
            [programs / "orchestrator-worker", "start", "--config", folder / "worker.toml", "--slots", str(robots)]
            + ["--server", self.environment["ORCHESTRATOR_URL"], "--token-file", folder / "worker.token"]
            + ["--data", folder / "worker"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=open(folder / "worker.log", "w", encoding="utf-8"),  # pylint: disable=consider-using-with
            text=True,
        )
        stack.callback(stop, worker)
        first_line(worker, folder / "worker.log")

    def _cli(self, *arguments: object) -> None:
        command = [str(self.programs / "orchestrator"), *map(str, arguments)]
        subprocess.run(command, check=True, env=self.environment, stdout=subprocess.DEVNULL)

    def fill(self, queue: str, elements: int) -> None:
        rows = self.folder / f"{queue}.csv"
        rows.write_text("reference,data\n" + "".join(f"{number},{'x' * 200}\n" for number in range(elements)))
        self._cli("queue", "element", "import", queue, rows)

    def start(self, run: str, arguments: str, robots: int) -> None:
        for number in range(robots):
            self._cli(
                *("trigger", "create", "single", f"{run}-{number}", "--process", "bench", "--path", ROBOT),
                *("--args", arguments, "--no-blocking"),
            )


class Theirs:
    """OpenOrchestrator's own connection class, one process for each robot, as its scheduler starts them."""

    name = "OpenOrchestrator 3.0.0"

    def __init__(self, postgres: Postgres, stack: ExitStack) -> None:
        from OpenOrchestrator.common import crypto_util
        from OpenOrchestrator.database import db_util
        from OpenOrchestrator.database.base import Base

        postgres.database("theirs")
        self.url = f"postgresql+psycopg2://bench@/theirs?host={postgres.socket}"
        self.db_util, self.key, self.stack = db_util, crypto_util.generate_key().decode(), stack
        assert db_util.connect(self.url), "OpenOrchestrator cannot connect"
        Base.metadata.create_all(db_util._connection_engine)  # pylint: disable=protected-access

    def fill(self, queue: str, elements: int) -> None:
        references = tuple(str(number) for number in range(elements))
        self.db_util.bulk_create_queue_elements(queue, references, tuple("x" * 200 for _ in references))

    def start(self, run: str, arguments: str, robots: int) -> None:
        environment = clean("PYTHONPATH")
        for _ in range(robots):
            command = [sys.executable, ROBOT, run, self.url, self.key, arguments, str(uuid.uuid4()), str(uuid.uuid4())]
            robot = subprocess.Popen(command, env=environment)
            self.stack.callback(stop, robot)


def first_line(process: subprocess.Popen, log: Path) -> str:
    """What a program says when it is ready."""
    line = process.stdout.readline()
    if not line:
        said = "\n".join(log.read_text(encoding="utf-8").splitlines()[-20:])
        sys.exit(f"bench: the {log.stem} did not become ready; its last lines:\n{said}")
    return line


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(out: Path, pattern: str, count: int, seconds: float) -> list[Path]:
    until = time.monotonic() + seconds
    while len(found := list(out.glob(pattern))) < count:
        if time.monotonic() > until:
            sys.exit(f"bench: only {len(found)} of {count} robots reached {pattern} within {seconds:.0f} s; see {out.parent}")
        time.sleep(0.01)
    return found


def measure(system: Ours | Theirs, folder: Path, run: str, elements: int, robots: int) -> dict:
    """Fills a queue, lets the robots work on it, and reads what they noted."""
    out = folder / run
    out.mkdir()
    system.fill(run, elements)
    gate = out / "gate"
    system.start(run, json.dumps({"queue": run, "gate": str(gate), "out": str(out)}), robots)
    packages = {path.read_text() for path in wait_for(out, "*.ready", robots, 120)}
    is_installed_one = any("site-packages" in package for package in packages)
    assert is_installed_one == isinstance(system, Theirs), f"the robots of {system.name} import {packages}"
    gate.touch()
    noted = [json.loads(path.read_text()) for path in wait_for(out, "*.json", robots, 3600)]
    taken = Counter(name for robot in noted for name in robot["ids"])
    claims = sorted(claim for robot in noted for claim in robot["claims"])
    seconds = max(robot["ended"] for robot in noted) - min(robot["begun"] for robot in noted)
    return {
        "system": system.name,
        "robots": robots,
        "per_second": len(taken) / seconds,
        "claim_p50_ms": 1000 * claims[len(claims) // 2],
        "claim_p99_ms": 1000 * claims[int(len(claims) * 0.99)],
        "missing": elements - len(taken),
        "doubled": sum(count - 1 for count in taken.values()),
    }


def import_times(rounds: int = 15) -> dict[str, float]:
    """What each package adds to the start of Python, in ms: medians of interleaved starts, files cached."""
    environment = clean("PYTHONPATH")
    ways = {
        "nothing": ("pass", environment),
        Ours.name: (IMPORT, {**environment, "PYTHONPATH": str(PACKAGE)}),
        Theirs.name: (IMPORT, environment),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (program, environment) in ways.items():
            before = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, env=environment)
            taken[name].append(1000 * (time.perf_counter() - before))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    return {name: medians[name] - medians["nothing"] for name in (Ours.name, Theirs.name)}


def report(figures: list[dict], imports: dict[str, float], robots: list[int]) -> None:
    median = lambda system, count, what: statistics.median(  # noqa: E731
        figure[what] for figure in figures if figure["system"] == system and figure["robots"] == count
    )
    print(f"\n{'':24}{'robots':>7}{'elements/s':>12}{'claim p50':>12}{'claim p99':>12}{'doubled':>9}")
    for count in robots:
        for system in (Ours.name, Theirs.name):
            shown = [median(system, count, what) for what in ("per_second", "claim_p50_ms", "claim_p99_ms", "doubled")]
            print(f"{system:24}{count:>7}{shown[0]:>12.0f}{shown[1]:>9.2f} ms{shown[2]:>9.2f} ms{shown[3]:>9.0f}")
    print()
    for count in robots:
        ratio = median(Ours.name, count, "per_second") / median(Theirs.name, count, "per_second")
        goal = GOALS.get(count)
        holds = f"goal >= {goal}: {'holds' if ratio >= goal else 'MISSED'}" if goal else ""
        print(f"{count} robot{'s' if count > 1 else ''}: {ratio:.1f} x the elements of OpenOrchestrator  {holds}")
    lost = sum(figure["missing"] + figure["doubled"] for figure in figures if figure["system"] == Ours.name)
    print(f"elements doubled or lost here: {lost}  goal 0: {'holds' if lost == 0 else 'MISSED'}")
    ours, theirs = imports[Ours.name], imports[Theirs.name]
    holds = "holds" if ours < IMPORT_GOAL_MS else "MISSED"
    print(f"import: {ours:.0f} ms (OpenOrchestrator {theirs:.0f} ms)  goal < {IMPORT_GOAL_MS} ms: {holds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True, help="the folder of the built programs")
    parser.add_argument("--elements", type=int, default=10_000)
    parser.add_argument("--robots", default="1,8", help="how many at once, separated by commas")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="a file for every figure of every round")
    options = parser.parse_args()
    robots = [int(count) for count in options.robots.split(",")]
    figures: list[dict] = []
    refuse_memory(Path(tempfile.gettempdir()))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-robots-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        postgres = Postgres(folder)
        stack.callback(postgres.stop)
        ours = Ours(folder, options.programs.resolve(), postgres, stack, max(robots))
        systems = [ours, Theirs(postgres, stack)]
        for number in range(options.rounds):
            for count in robots:
                for index, system in enumerate(systems):
                    figure = measure(system, folder, f"r{number}-{count}-{index}", options.elements, count)
                    figures.append(figure)
                    print(json.dumps(figure), file=sys.stderr)
    imports = import_times()
    report(figures, imports, robots)
    if options.json:
        options.json.write_text(json.dumps({"figures": figures, "import_ms": imports}, indent=1))


if __name__ == "__main__":
    main()
