// What changes elsewhere is seen here, on every page, without a key pressed; and how soon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

// Far below the half minute after which pages ask by themselves. What is aimed at is half a second; it is told, not asserted.
const SOON = 8_000;

let world, admin, page;

before(async () => {
  world = await World.start();
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
  page = admin.page;
});

after(async () => {
  await admin?.close();
  await world?.stop();
});

const element = (reference) => world.rpc("QueueService/Create", { queueName: "letters", element: { reference } });
const row = (list, text) => page.locator(`${list} tr`, { hasText: text });

const CHANGES = [
  ["a trigger", "/triggers", () => world.rpc("TriggerService/Disable", { trigger: "invoices" }), () => row("#trigger-list", "invoices").getByText("Paused")],
  ["a queue", "/queues", () => element("first"), () => row("#queue-list", "letters")],
  ["a paused queue", "/queues", () => world.rpc("QueueService/Pause", { queueName: "letters" }), () => row("#queue-list", "letters").getByText("Paused")],
  ["an element", "/queues/letters", () => element("second"), () => row("#element-list", "second")],
  ["an element that was ended", "/queues/letters", ended, () => row("#element-list", "first").getByText("Done")],
  ["a job", "/jobs", () => world.rpc("TriggerService/RunNow", { trigger: "morning-report" }), () => row("#job-list", "Morning report")],
  ["a worker", "/workers", drained, () => page.locator("#worker-list").getByText("Draining")],
  ["a constant", "/constants", () => world.rpc("ConstantService/Set", { name: "Limit", value: "7" }), () => row("#access", "Limit")],
  ["a deleted constant", "/constants", () => world.rpc("ConstantService/Delete", { name: "Limit" }), () => page.locator("#access").getByText("No constants yet.")],
  ["a credential", "/constants", () => world.rpc("CredentialService/Set", { name: "SAP", username: "svc", password: "x" }), () => row("#access", "SAP")],
  ["a user", "/settings/users", () => world.rpc("AdminService/CreateUser", { name: "maja", role: "VIEWER" }), () => row("#user-list", "maja")],
  ["a token", "/settings/tokens", () => world.rpc("AdminService/CreateToken", { kind: "USER", name: "nightly", role: "VIEWER" }), () => row("main", "nightly")],
  ["the overview", "/", () => world.rpc("QueueService/Create", { queueName: "new-one", element: {} }), () => row("#overview", "new-one")],
];

async function ended() {
  const { elements } = await world.rpc("QueueService/List", { queueName: "letters", reference: "first" });
  await world.rpc("QueueService/SetStatus", { element: elements[0].id, status: "DONE" });
}

async function drained() {
  const { workers } = await world.rpc("AdminService/ListWorkers");
  await world.rpc("AdminService/DrainWorker", { name: workers[0].name });
}

for (const [what, path, change, seen] of CHANGES) {
  test(`${what} is seen`, async (t) => {
    await admin.open(path);
    const began = performance.now();
    await change();
    const made = performance.now();
    await seen().first().waitFor({ timeout: SOON });
    t.diagnostic(`${path}: seen ${Math.round(performance.now() - made)} ms after the answer, ${Math.round(performance.now() - began)} ms after the call`);
    await admin.isUntroubled();
  });
}

test("a line of a log is seen", async (t) => {
  await world.cli("trigger", "create", "single", "fails", "--process", "Fails", "--path", "/does/not/exist.py", "--paused");
  const { workers } = await world.rpc("AdminService/ListWorkers");
  await world.rpc("AdminService/ResumeWorker", { name: workers[0].name });
  await admin.open("/logs");
  const began = performance.now();
  await world.rpc("TriggerService/RunNow", { trigger: "fails" });
  await row("#log-list", "Fails").first().waitFor({ timeout: SOON });
  t.diagnostic(`/logs: seen ${Math.round(performance.now() - began)} ms after the job was asked for`);
  await admin.isUntroubled();
});

test("a change between the drawing of a page and its first listening is seen", async () => {
  let go;
  const changed = new Promise((resolve) => (go = resolve));
  await page.route(/\/events/, async (route) => {
    await changed;
    await route.continue();
  });
  await page.goto("/triggers");
  await row("#trigger-list", "hello").waitFor();
  await world.rpc("TriggerService/Disable", { trigger: "hello" });
  assert.equal(await row("#trigger-list", "hello").getByText("Paused").count(), 0, "nothing has told the page yet");
  go();
  await row("#trigger-list", "hello").getByText("Paused").waitFor({ timeout: SOON });
  await page.unroute(/\/events/);
  await admin.isUntroubled();
});

test("a page that nothing happened to is not drawn anew when it listens", async () => {
  let asked = 0;
  const count = (request) => {
    asked += request.headers()["hx-request"] === "true" && new URL(request.url()).pathname === "/constants" ? 1 : 0;
  };
  page.on("request", count);
  await admin.open("/constants");
  await world.rpc("ConstantService/Set", { name: "Later", value: "1" });
  await row("#access", "Later").waitFor({ timeout: SOON });
  page.off("request", count);
  assert.equal(asked, 1, "only for what came later");
  await admin.isUntroubled();
});
