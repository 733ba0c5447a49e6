// Queues, constants, credentials, triggers and jobs: each form with good and with bad input.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

let world, admin, page;

before(async () => {
  world = await World.start(["--no-sample"]);
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
  page = admin.page;
  // Refused forms answer with 4xx, which the browser puts on its console.
  admin.expects(/status of 4\d\d/);
});

after(async () => {
  await admin?.close();
  await world?.stop();
});

const dialog = () => page.locator("dialog#dialog[open]");
const show = async (noun, name) => JSON.parse(await world.cli(noun, "show", name, "-o", "json"))[noun];

test("a constant is made, found by robots, and not made twice", async () => {
  await admin.open("/constants");
  const make = async (name, value) => {
    await page.getByRole("link", { name: "New Constant" }).click();
    await dialog().locator("#name").fill(name);
    await dialog().locator("#value").fill(value);
    await dialog().getByRole("button", { name: "Save" }).click();
  };
  await make("Error Email", "robots@example.org");
  await dialog().waitFor({ state: "detached" });
  await page.locator("#access tr", { hasText: "robots@example.org" }).waitFor();
  assert.equal(await world.cli("constant", "get", "Error Email"), "robots@example.org\n");
  await make("Error Email", "another@example.org");
  await dialog().getByText(/exists already/).waitFor();
  assert.equal(await dialog().locator("#value").inputValue(), "another@example.org", "what was typed stays");
  await dialog().getByRole("link", { name: "Cancel" }).click();
  await make("x".repeat(101), "1");
  await dialog().getByText(/101 characters/).waitFor();
  await page.keyboard.press("Escape");
  await admin.isUntroubled();
});

test("a dialog that a change closed stays closed, however late the browser tells of it", async () => {
  await admin.open("/constants");
  await page.getByRole("link", { name: "New Constant" }).click();
  await dialog().locator("#name").waitFor();
  // In one breath, as on a busy machine: the change is done, and its word is put in before the dialog tells that it closed.
  const seen = await page.evaluate(() => {
    const box = document.getElementById("dialog");
    document.querySelector("#dialog form").dispatchEvent(new CustomEvent("done", { bubbles: true }));
    document.dispatchEvent(new CustomEvent("htmx:after:swap", { bubbles: true }));
    return { open: box.open, inside: box.childElementCount };
  });
  assert.deepEqual(seen, { open: false, inside: 0 });
  // The next dialog opens with what it asks.
  await page.getByRole("link", { name: "New Constant" }).click();
  await dialog().locator("#name").waitFor();
  await dialog().getByRole("link", { name: "Cancel" }).click();
  await dialog().waitFor({ state: "detached" });
  await admin.isUntroubled();
});

test("a password is typed, kept sealed, and shown only when asked for", async () => {
  await admin.open("/constants");
  await page.getByRole("link", { name: "New Credential" }).click();
  await dialog().locator("#name").fill("SAP");
  await dialog().locator("#username").fill("robot");
  assert.equal(await dialog().locator("#password").getAttribute("type"), "password");
  await dialog().locator("#password").fill("hunter2 æøå");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().waitFor({ state: "detached" });
  await page.locator("#access tr", { hasText: "SAP" }).waitFor();
  assert.ok(!(await page.content()).includes("hunter2"));
  await page.getByRole("button", { name: "Show password of SAP" }).click();
  await dialog().getByText("hunter2 æøå").waitFor();
  const { entries } = await world.rpc("AdminService/ListAudit", { action: "credential.reveal" });
  assert.equal(entries.length, 1);
  await page.keyboard.press("Escape");
  await admin.isUntroubled();
});

test("elements come and change, here and elsewhere", async () => {
  await world.cli("queue", "element", "add", "letters", "--reference", "first");
  await admin.open("/queues/letters");
  await page.locator("#element-list tr", { hasText: "first" }).waitFor();
  await world.rpc("QueueService/Create", { queueName: "letters", element: { reference: "second" } });
  await page.locator("#element-list tr", { hasText: "second" }).waitFor();
  await page.getByRole("link", { name: "New Element" }).first().click();
  await dialog().locator("#reference").fill("x".repeat(101));
  await dialog().getByRole("button", { name: "Create" }).click();
  await dialog().getByText(/101 characters/).waitFor();
  await dialog().locator("#reference").fill("third");
  await dialog().getByRole("button", { name: "Create" }).click();
  await page.locator("#element-list tr", { hasText: "third" }).waitFor();
  await page.locator("#element-list").getByRole("link", { name: "third" }).click();
  await page.locator("#status").selectOption("FAILED");
  await page.locator("#message").fill("no such address");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("no such address").first().waitFor();
  const { elements } = await world.rpc("QueueService/List", { queueName: "letters", statuses: ["FAILED"] });
  assert.deepEqual(elements.map(({ reference, message }) => [reference, message]), [["third", "no such address"]]);
  await admin.isUntroubled();
});

test("a file is imported whole or not at all", async () => {
  const file = (text) => ({ name: "work.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
  const send = async (text) => {
    await admin.open("/queues/bulk/import");
    await page.locator("#file").setInputFiles(file(text));
    await page.getByRole("button", { name: "Import" }).click();
  };
  await send(`reference,data\n1,a\n${"x".repeat(101)},b\n`);
  await page.getByRole("alert").getByText(/line 3/).waitFor();
  await send("reference,data\n1,a\n2,b\n");
  await page.locator("#element-list tr").nth(2).waitFor();
  const { elements } = await world.rpc("QueueService/List", { queueName: "bulk" });
  assert.equal(elements.length, 2);
  await admin.isUntroubled();
});

test("a schedule is explained while it is typed, and what cannot be is refused beside its field", async () => {
  await admin.open("/triggers/new/scheduled");
  await page.locator("#cron_expr").fill("0 6 * * 1-5");
  await page.locator("#time_zone").fill("Europe/Copenhagen");
  await page.locator("#preview").getByText(/06:00/).first().waitFor();
  await page.locator("#cron_expr").fill("61 6 * * *");
  await page.locator("#trigger_name").fill("night");
  await page.locator("#process_name").fill("Night");
  await page.locator("#process_path").fill("/robots/night.py");
  await page.getByRole("button", { name: /create|save/i }).click();
  await page.locator("#cron_expr[aria-invalid=true]").waitFor();
  assert.equal(await page.locator("#process_path").inputValue(), "/robots/night.py", "what was typed stays");
  await page.locator("#cron_expr").fill("0 6 * * 1-5");
  await page.getByRole("button", { name: /create|save/i }).click();
  await page.waitForURL((url) => !url.pathname.includes("/new/"));
  const made = await show("trigger", "night");
  assert.deepEqual([made.scheduled.cronExpr, made.scheduled.timeZone], ["0 6 * * 1-5", "Europe/Copenhagen"]);
  await admin.isUntroubled();
});

test("someone else's change is told of, and what was typed stays", async () => {
  const { id } = await show("trigger", "night");
  await admin.open(`/triggers/${id}/edit`);
  await page.locator("#process_path").fill("/robots/mine.py");
  await world.cli("trigger", "edit", "night", "--priority", "7");
  await page.getByRole("button", { name: /save/i }).click();
  await page.getByRole("alert").getByText(/changed this trigger/).waitFor();
  assert.equal(await page.locator("#process_path").inputValue(), "/robots/mine.py");
  assert.equal((await show("trigger", "night")).processPath, "/robots/night.py");
  await admin.isUntroubled();
});

test("a job's page shows what its robot writes while it writes it", async () => {
  const { mkdirSync, writeFileSync } = await import("node:fs");
  mkdirSync(`${world.folder}/robots`, { recursive: true });
  const robot = `${world.folder}/robots/slow.py`;
  const go = `${world.folder}/go`;
  const lines = ["import os, time", "print('begun <i>now</i>', flush=True)", `while not os.path.exists(${JSON.stringify(go)}): time.sleep(0.05)`, "print('ended', flush=True)"];
  writeFileSync(robot, lines.join("\n"));
  await world.cli("trigger", "create", "single", "slow", "--process", "Slow", "--path", robot, "--paused");
  const id = (await world.cli("trigger", "run", "slow", "-o", "name")).trim();
  await admin.open(`/jobs/${id}`);
  await page.locator("#output").getByText("begun <i>now</i>").waitFor();
  await page.locator("#job .badge", { hasText: "Running" }).first().waitFor();
  writeFileSync(go, "");
  await page.locator("#output").getByText("ended").waitFor();
  await page.locator("#job .badge", { hasText: "Done" }).first().waitFor();
  await admin.isUntroubled();
});
