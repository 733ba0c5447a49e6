"""pgqueuer: drains a queue in batches. Arguments: the database's URL, options. Prints a figure a line."""

import asyncio
import json
import logging
import sys
import time

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

URL, OPTIONS = sys.argv[1], json.loads(sys.argv[2])
BATCH = 1000


async def main() -> None:
    logging.disable(logging.CRITICAL)
    connection = await asyncpg.connect(URL)
    driver = AsyncpgDriver(connection)
    queries = Queries(driver)
    await queries.install()
    count = int(30_000 * OPTIONS["scale"])
    payload = OPTIONS["payload"].encode()
    for at in range(0, count, 10_000):
        part = min(10_000, count - at)
        await queries.enqueue(["work"] * part, [payload] * part, [0] * part)
    await connection.execute("ANALYZE")
    queuer = PgQueuer(driver)
    seen: list[int] = []

    @queuer.entrypoint("work")
    async def work(job: Job) -> None:
        seen.append(job.id)

    began = time.perf_counter()
    await queuer.run(mode=QueueExecutionMode.drain, batch_size=BATCH)
    seconds = time.perf_counter() - began
    distinct = len(set(seen))
    if distinct != count:
        sys.exit(f"pgqueuer handed out {distinct} of {count} jobs")
    what = "pgqueuer 1.6.0, batches of 1000"
    print(json.dumps({"what": what, "rate": count / seconds, "doubled": len(seen) - distinct}))
    await connection.close()


asyncio.run(main())
