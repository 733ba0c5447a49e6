// pg-boss: large fetches, completed in one call. Arguments: the database's URL, options. Prints a figure a line.
import PgBoss from "pg-boss";

const [connectionString, options] = [process.argv[2], JSON.parse(process.argv[3])];
const boss = new PgBoss({ connectionString, supervise: false, schedule: false });
boss.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await boss.start();
await boss.createQueue("work");

const count = Math.ceil(60_000 * options.scale);
const inserting = performance.now();
for (let at = 0; at < count; at += 5_000) {
  const jobs = Array.from({ length: Math.min(5_000, count - at) }, (_, number) => ({
    name: "work",
    data: { number: at + number, data: options.payload },
  }));
  await boss.insert(jobs);
}
const inserted = performance.now();
await boss.getDb().executeSql("analyze");

const seen = new Set();
let handed = 0;
async function loop() {
  for (;;) {
    const jobs = await boss.fetch("work", { batchSize: 1000 });
    if (jobs.length === 0) return;
    handed += jobs.length;
    for (const job of jobs) seen.add(job.id);
    await boss.complete("work", jobs.map((job) => job.id));
  }
}
const began = performance.now();
await Promise.all([loop(), loop()]);
const ended = performance.now();
if (seen.size !== count) throw new Error(`${seen.size} of ${count} jobs were handed out`);
const figure = (what, rest) => console.log(JSON.stringify({ what, ...rest }));
figure("pg-boss 10.4.2, fetch(1000), 2 loops", { rate: (count * 1000) / (ended - began), doubled: handed - seen.size });
figure("pg-boss 10.4.2, insert", { rate: (count * 1000) / (inserted - inserting) });
await boss.stop({ graceful: false });
process.exit(0);
