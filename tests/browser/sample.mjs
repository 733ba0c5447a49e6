// A town's robots: enough of everything that no page is empty, and texts that would break a careless page.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

const ROBOTS = {
  "letters.py": 'print("Fetched 12 letters from the archive.")\nprint("Sent 12, returned 0.")\n',
  "payroll.py": 'import sys\nprint("Opened the payroll of October.")\nprint("Row 1482: the account number is missing.", file=sys.stderr)\nsys.exit(1)\n',
  "archive.py": 'import time\nprint("Archiving case 2026-0417 ...", flush=True)\ntime.sleep(600)\n',
};

/** Fills a world that was started with the sandbox's own samples. */
export async function furnish(world) {
  const folder = path.join(world.folder, "robots");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(ROBOTS)) {
    writeFileSync(path.join(folder, name), text);
  }
  const robot = (name) => path.join(folder, name);
  await access(world);
  await queues(world);
  await triggers(world, robot);
  const people = [
    ["Bente", "ADMIN"],
    ["Jonas", "OPERATOR"],
    ["Maja", "VIEWER"],
  ];
  for (const [name, role] of people) {
    await world.rpc("AdminService/CreateUser", { name: name.toLowerCase(), displayName: name, role, password: role === "ADMIN" ? "correct horse battery" : "" });
  }
  await world.rpc("AdminService/CreateToken", { kind: "USER", name: "nightly-import", role: "OPERATOR" });
}

async function access(world) {
  const constants = { "Error Email": "robots@example.org", "SharePoint site": "https://example.sharepoint.com/sites/rpa", Threshold: "2500" };
  for (const [name, value] of Object.entries(constants)) {
    await world.rpc("ConstantService/Set", { name, value });
  }
  for (const name of ["SAP", "Archive"]) {
    await world.rpc("CredentialService/Set", { name, username: `svc-${name.toLowerCase()}`, password: "hunter2" });
  }
}

async function queues(world) {
  const add = async (queueName, reference, data) => {
    const { element } = await world.rpc("QueueService/Create", { queueName, element: { reference, data, createdBy: "nightly-import" } });
    return element.id;
  };
  const set = (element, status, message) => world.rpc("QueueService/SetStatus", { element, status, message });
  await add("demo", "<b>bold</b>", '{"note": "</script><script>alert(1)</script>"}');
  const letters = [];
  for (let number = 1; number <= 14; number += 1) {
    letters.push(await add("letters", `2026-${String(400 + number)}`, `{"case": ${4000 + number}, "channel": "digital post"}`));
  }
  for (const id of letters.slice(0, 8)) {
    await set(id, "DONE", "sent");
  }
  await set(letters[8], "FAILED", "no such address: Nørregade 7, 9999 Nowhere");
  await set(letters[9], "FAILED", "the archive did not answer within 30 s");
  await set(letters[10], "ABANDONED", "the robot ended while it held this element");
  await set(letters[11], "IN_PROGRESS");
}

async function triggers(world, robot) {
  const make = (trigger) => world.rpc("TriggerService/Create", { trigger: { isBlocking: false, ...trigger } });
  const zone = { timeZone: "Europe/Copenhagen" };
  await make({ name: "letters", processName: "Send letters", processPath: robot("letters.py"), scheduled: { cronExpr: "15 7-16 * * 1-5", ...zone } });
  await make({ name: "payroll", processName: "Payroll check", processPath: robot("payroll.py"), processArgs: '{"month": "October"}', scheduled: { cronExpr: "0 5 1 * *", ...zone } });
  await make({ name: "archive", processName: "Archive cases", processPath: robot("archive.py"), scheduled: { cronExpr: "30 22 * * *", ...zone } });
  await make({ name: "returned post", processName: "Returned post", processPath: robot("letters.py"), queue: { queueName: "letters", minBatchSize: 50, maxParallel: 1 } });
  await make({ name: "year-end", processName: "Year end", processPath: robot("letters.py"), single: { nextRun: "2027-01-02T05:00:00Z" } });
  await world.rpc("TriggerService/Disable", { trigger: "year-end" });
  for (const trigger of ["letters", "letters", "payroll", "archive"]) {
    await world.rpc("TriggerService/RunNow", { trigger });
  }
  const ended = async () => {
    const { jobs } = await world.rpc("JobService/List", { page: { limit: 100 } });
    return jobs.filter((job) => ["DONE", "FAILED"].includes(job.status)).length >= 4;
  };
  await world.comes("the jobs of the samples", ended);
}
