// Pictures for the documentation, taken when it is asked for: SCREENSHOTS=1 scripts/test-browser screenshots.test.mjs

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { furnish } from "./sample.mjs";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

const FOLDER = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../docs/images");
const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 360, height: 720 };

/** File by place. */
async function shots(world) {
  const { jobs } = await world.rpc("JobService/List", { statuses: ["FAILED"] });
  const { elements } = await world.rpc("QueueService/List", { queueName: "letters", statuses: ["FAILED"] });
  const { trigger } = await world.rpc("TriggerService/Get", { trigger: "letters" });
  return {
    overview: "/",
    triggers: "/triggers",
    trigger: `/triggers/${trigger.id}`,
    "trigger-form": `/triggers/${trigger.id}/edit`,
    queues: "/queues",
    elements: "/queues/letters",
    element: `/elements/${elements[0].id}`,
    workers: "/workers",
    jobs: "/jobs",
    job: `/jobs/${jobs[0].id}`,
    logs: "/logs",
    constants: "/constants",
    calendar: "/calendar",
    audit: "/audit",
    settings: "/settings",
    users: "/settings/users",
  };
}

/** Spreads what happened just now over the last day: the database, while nobody has it. */
function spread(world) {
  // A job's id tells when it was made, and what belongs to it names it.
  const script = `
import sqlite3, sys
from datetime import datetime, timedelta
db = sqlite3.connect(sys.argv[1])
rows = db.execute("SELECT id FROM jobs WHERE status IN ('DONE', 'FAILED') ORDER BY queued_at DESC").fetchall()
shift = lambda text, minutes: text and (datetime.fromisoformat(text) - timedelta(minutes=minutes)).isoformat()
earlier = lambda id, minutes: (int.from_bytes(id[:6], "big") - minutes * 60000).to_bytes(6, "big") + id[6:]
columns = ["scheduled_at", "queued_at", "start_time", "end_time"]
for number, (job,) in enumerate(rows):
    minutes = number * 1380 // max(1, len(rows)) + number * number % 97
    new = earlier(job, minutes)
    values = db.execute(f"SELECT {', '.join(columns)} FROM jobs WHERE id = ?", (job,)).fetchone()
    changed = [shift(value, minutes) for value in values]
    db.execute("UPDATE jobs SET id = ?, " + ", ".join(f"{column} = ?" for column in columns) + " WHERE id = ?", (new, *changed, job))
    for table in ["logs", "job_output", "queues"]:
        db.execute(f"UPDATE {table} SET job_id = ? WHERE job_id = ?", (new, job))
    for log, at in db.execute("SELECT id, log_time FROM logs WHERE job_id = ?", (new,)).fetchall():
        db.execute("UPDATE logs SET log_time = ? WHERE id = ?", (shift(at, minutes), log))
db.commit()
`;
  execFileSync("python3", ["-c", script, path.join(world.folder, "data/orchestrator.db")]);
}

async function history(world) {
  const runs = Array.from({ length: 34 }, (_, number) => (number % 11 === 3 ? "payroll" : number % 5 === 1 ? "morning-report" : "letters"));
  const before = (await world.rpc("JobService/List", { page: { limit: 200 } })).jobs.length;
  for (const trigger of runs) {
    await world.rpc("TriggerService/RunNow", { trigger });
    await world.comes("a run", async () => (await world.rpc("JobService/List", { statuses: ["QUEUED", "ASSIGNED"] })).jobs.length === 0);
  }
  await world.comes("the runs", async () => {
    const { jobs } = await world.rpc("JobService/List", { page: { limit: 200 } });
    return jobs.filter((job) => ["DONE", "FAILED"].includes(job.status)).length >= before + runs.length - 2;
  });
  await world.stopServer();
  spread(world);
  await world.restartServer();
  // The robot that runs for long went with the server.
  await world.rpc("TriggerService/RunNow", { trigger: "archive" });
  await world.comes("the long job", async () => (await world.rpc("JobService/List", { statuses: ["RUNNING"] })).jobs.length > 0);
}

test("every page is pictured", { skip: !process.env.SCREENSHOTS, timeout: 300_000 }, async () => {
  mkdirSync(FOLDER, { recursive: true });
  const world = await World.start();
  try {
    await furnish(world);
    await history(world);
    const visitor = await Visitor.of(world);
    const session = await visitor.context.newCDPSession(visitor.page);
    const shoot = async (name, place, size, theme = "light") => {
      await visitor.wears(theme);
      await visitor.page.setViewportSize(size);
      await visitor.page.goto(place);
      await visitor.settled();
      await visitor.page.evaluate(() => document.fonts.ready);
      const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality: 82 });
      writeFileSync(path.join(FOLDER, `${name}.webp`), Buffer.from(data, "base64"));
    };
    await shoot("sign-in", "/login", WIDE);
    await shoot("sign-in-phone", "/login", PHONE);
    await visitor.signIn((await world.rpc("AdminService/CreateSignInLink", { user: "bente" })).path);
    const all = await shots(world);
    for (const [name, place] of Object.entries(all)) {
      await shoot(name, place, WIDE);
    }
    for (const name of ["overview", "triggers", "job"]) {
      await shoot(`${name}-dark`, all[name], WIDE, "dark");
    }
    for (const name of ["overview", "triggers", "audit"]) {
      await shoot(`${name}-phone`, all[name], PHONE);
    }
    await visitor.close();
  } finally {
    await world.stop();
  }
});
