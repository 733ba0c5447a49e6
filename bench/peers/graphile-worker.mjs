// graphile-worker: how many jobs it gets done with its fastest settings and with its own, and how soon after it was added a
// job starts. Arguments: the database's URL, options. Prints a figure a line.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const [connectionString, options] = [process.argv[2], JSON.parse(process.argv[3])];
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();

const figure = (what, rest) => console.log(JSON.stringify({ what, ...rest }));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The rate, from the first job's start to the last one's, of jobs that were there before.
async function drain(what, count, settings) {
  const specs = Array.from({ length: count }, (_, number) => ({
    identifier: "work",
    payload: { number, data: options.payload },
  }));
  for (let at = 0; at < specs.length; at += 10_000) await utils.addJobs(specs.slice(at, at + 10_000));
  await utils.withPgClient((client) => client.query("analyze"));
  const seen = new Set();
  let [started, doubled, first, last] = [0, 0, 0, 0];
  const work = async (_payload, helpers) => {
    const now = performance.now();
    first ||= now;
    last = now;
    started += 1;
    if (seen.has(helpers.job.id)) doubled += 1;
    seen.add(helpers.job.id);
  };
  const runner = await run({
    preset: { worker: { connectionString, logger, ...settings } },
    taskList: { work },
    noHandleSignals: true,
  });
  while (seen.size < count) await sleep(5);
  await runner.stop();
  figure(what, { rate: (started * 1000) / (last - first), doubled });
}

// One job at a time on an idle system.
async function latency(what, count, settings) {
  let arrived;
  const work = async () => arrived(performance.now());
  const runner = await run({
    preset: { worker: { connectionString, logger, ...settings } },
    taskList: { work },
    noHandleSignals: true,
  });
  await sleep(500);
  const times = [];
  for (let number = 0; number < count + 10; number++) {
    const start = new Promise((resolve) => (arrived = resolve));
    const before = performance.now();
    await utils.addJob("work", { number, data: options.payload });
    times.push((await start) - before);
    await sleep(20);
  }
  await runner.stop();
  const sorted = times.slice(10).sort((a, b) => a - b);
  const at = (share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  figure(what, { p50_ms: at(0.5), p99_ms: at(0.99) });
}

const batched = {
  concurrentJobs: 24,
  maxPoolSize: 24,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const scaled = (count) => Math.ceil(count * options.scale);
await drain("graphile-worker 0.18.0, concurrency 24, local queue 500", scaled(60_000), batched);
await drain("graphile-worker 0.18.0, defaults", scaled(2_000), {});
await drain("graphile-worker 0.18.0, defaults, concurrency 10", scaled(6_000), { concurrentJobs: 10 });
await latency("graphile-worker 0.18.0: added -> started", options.spawned * 2, {});
await utils.release();
