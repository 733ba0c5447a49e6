// What changes elsewhere is seen here, on every page, without a key pressed; and how soon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

// Far below the half minute after which pages ask by themselves. What is aimed at is half a second; it is told, not asserted.
const SOON = 8_000;

const others = [];
let world, admin, page, job;

before(async () => {
  world = await World.start();
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
  page = admin.page;
});

after(async () => {
  for (const other of others) {
    await other.close();
  }
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
  ["another session", "/settings/sessions", signedIn, () => row("#session-list", "visitor")],
  ["another session of one's own", "/profile", signedInAgain, () => page.locator("#my-sessions tbody tr").nth(1)],
  ["a password under a key", "/settings", () => world.rpc("CredentialService/Set", { name: "Mail", username: "svc", password: "x" }), () => page.locator("#keys").getByText("(2 passwords)")],
  ["a planned run", "/calendar", planned, () => page.locator("#week a.run", { hasText: "planned-later" })],
  ["a run that is planned no more", "/calendar", () => world.rpc("TriggerService/Disable", { trigger: "planned-later" }), () => page.locator("#week:not(:has-text('planned-later'))")],
  ["what was done to a trigger", "/audit", () => world.rpc("TriggerService/Enable", { trigger: "planned-later" }), () => row("#audit-list", "trigger.enable")],
  ["what was done to a queue", "/audit", () => world.rpc("QueueService/Resume", { queueName: "letters" }), () => row("#audit-list", "letters").filter({ hasText: "queue.resume" })],
  ["what was done to a worker", "/audit", resumed, () => row("#audit-list", "worker.resume")],
  ["what was done to a constant", "/audit", () => world.rpc("ConstantService/Set", { name: "Audited", value: "1" }), () => row("#audit-list", "Audited")],
  ["what was done to a user", "/audit", () => world.rpc("AdminService/CreateUser", { name: "nora", role: "VIEWER" }), () => row("#audit-list", "nora")],
  ["a change of the trigger that is looked at", async () => `/triggers/${(await world.rpc("TriggerService/Get", { trigger: "invoices" })).trigger.id}`, () => world.rpc("TriggerService/Enable", { trigger: "invoices" }), () => page.locator("#trigger").getByRole("button", { name: "Disable" })],
  ["a change of the element that is looked at", async () => `/elements/${await found("second")}`, () => status("second", "FAILED"), () => page.locator("#element .badge", { hasText: "Failed" })],
  ["the end of the job that is looked at", waiting, () => world.rpc("JobService/Kill", { job }), () => page.locator("#job .badge", { hasText: "Cancelled" })],
  ["the overview", "/", () => world.rpc("QueueService/Create", { queueName: "new-one", element: {} }), () => row("#overview", "new-one")],
];

async function found(reference) {
  const { elements } = await world.rpc("QueueService/List", { queueName: "letters", reference });
  return elements[0].id;
}

async function status(reference, to) {
  await world.rpc("QueueService/SetStatus", { element: await found(reference), status: to });
}

async function ended() {
  await status("first", "DONE");
}

async function drained() {
  const { workers } = await world.rpc("AdminService/ListWorkers");
  await world.rpc("AdminService/DrainWorker", { name: workers[0].name });
}

async function resumed() {
  const { workers } = await world.rpc("AdminService/ListWorkers");
  await world.rpc("AdminService/ResumeWorker", { name: workers[0].name });
}

// In a browser of their own, as whom the link is for.
async function comes(link) {
  others.push(await Visitor.of(world));
  await others.at(-1).signIn(link);
}

async function signedIn() {
  await comes(await world.linkFor("visitor", "VIEWER"));
}

async function signedInAgain() {
  const user = await page.locator("dl.facts dd").first().innerText();
  const { path } = await world.rpc("AdminService/CreateSignInLink", { user });
  await comes(world.url + path);
}

async function planned() {
  // So soon that it is in the week that is shown, unless that ends in a moment.
  const nextRun = new Date(Date.now() + 120_000).toISOString();
  const trigger = { name: "planned-later", processName: "Later", processPath: "/later.py", single: { nextRun } };
  await world.rpc("TriggerService/Create", { trigger });
}

/** A job that waits for a worker which there is not. */
async function waiting() {
  const trigger = { name: "nobody's", processName: "Waits", processPath: "/waits.py", workerWhitelist: ["nobody"], single: { nextRun: new Date(Date.now() + 86_400_000).toISOString() } };
  await world.rpc("TriggerService/Create", { trigger });
  job = (await world.rpc("TriggerService/RunNow", { trigger: "nobody's" })).job.id;
  return `/jobs/${job}`;
}

for (const [what, where, change, seen] of CHANGES) {
  test(`${what} is seen`, async (t) => {
    const path = typeof where === "string" ? where : await where();
    await admin.open(path);
    const began = performance.now();
    await change();
    const made = performance.now();
    await seen().first().waitFor({ timeout: SOON });
    t.diagnostic(`${path}: seen ${Math.round(performance.now() - made)} ms after the answer, ${Math.round(performance.now() - began)} ms after the call`);
    await admin.isUntroubled();
  });
}

test("every tab has a change that is seen", async () => {
  const tried = CHANGES.map(([, where]) => where).concat("/logs");
  assert.deepEqual((await admin.tabs()).filter((tab) => !tried.includes(tab)), []);
});

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

test("a page listens, however late the part comes that does it", async () => {
  await page.route(/hx-sse/, async (route) => {
    // Until all has had its turn that waits for nothing but a turn.
    await page.waitForFunction(() => window.htmx !== undefined);
    await page.evaluate(() => new Promise((resolve) => setTimeout(() => setTimeout(resolve))));
    await route.continue();
  });
  await admin.open("/constants");
  await page.unroute(/hx-sse/);
  await admin.isUntroubled();
});

test("a page that could not listen at first does so as soon as it can", async () => {
  admin.expects(/Failed to (load resource|fetch)/, /status of 503/, /503 for/);
  const answers = [(route) => route.abort("connectionrefused"), (route) => route.fulfill({ status: 503, body: "" })];
  await page.route(/\/events/, (route) => (answers.shift() ?? ((last) => last.continue()))(route));
  const hears = page.waitForResponse((response) => new URL(response.url()).pathname === "/events" && response.ok());
  await page.goto("/constants");
  await page.locator("#lost").waitFor({ state: "visible" });
  await hears;
  await page.locator("#lost").waitFor({ state: "hidden" });
  await page.unroute(/\/events/);
  await world.rpc("ConstantService/Set", { name: "Heard", value: "1" });
  await row("#access", "Heard").waitFor({ timeout: SOON });
  await admin.isUntroubled();
});

test("a page whose session ended while it heard nothing asks to sign in", async () => {
  const visitor = await Visitor.of(world);
  others.push(visitor);
  visitor.expects(/Failed to (load resource|fetch)/, /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|network error/, /status (of )?401/);
  await visitor.signIn(await world.linkFor("absent", "VIEWER"));
  await visitor.open("/queues");
  let go;
  const ended = new Promise((resolve) => (go = resolve));
  await visitor.page.route(/\/events/, async (route) => {
    await ended;
    await route.continue();
  });
  await page.goto("about:blank");
  await world.restartServer();
  await world.rpc("AdminService/EndSessions", { user: "absent" });
  go();
  await visitor.page.waitForURL((url) => url.pathname === "/login", { timeout: SOON });
  await visitor.isUntroubled();
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
