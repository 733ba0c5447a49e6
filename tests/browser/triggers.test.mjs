// Triggers: change them elsewhere and see it here, change them here and find it there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

let world, admin;

before(async () => {
  world = await World.start(["--no-worker"]);
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
});

after(async () => {
  await admin?.close();
  await world?.stop();
});

const row = (visitor, name) => visitor.page.locator("#trigger-list tbody tr", { hasText: name });
const hold = async (name) => JSON.parse(await world.cli("trigger", "show", name, "-o", "json")).trigger.hold;

test("a change elsewhere is seen by itself, and typed text stays", async () => {
  await admin.open("/triggers");
  const search = admin.page.locator("#search");
  await search.click();
  await row(admin, "hello").waitFor();
  const changed = Date.now();
  await world.rpc("TriggerService/Disable", { trigger: "hello" });
  await row(admin, "hello").getByText("Paused").waitFor();
  const took = Date.now() - changed;
  assert.ok(took < 1500, `it took ${took} ms`);
  assert.ok(await search.evaluate((node) => node === document.activeElement), "the focus stays where it was");
  await world.rpc("TriggerService/Enable", { trigger: "hello" });
  await row(admin, "hello").getByText("Paused").waitFor({ state: "detached" });
  await admin.isUntroubled();
});

test("a search is in the address and survives a reload", async () => {
  await admin.open("/triggers");
  await admin.page.keyboard.press("/");
  await admin.page.keyboard.type("morning");
  await row(admin, "hello").waitFor({ state: "detached" });
  assert.equal(await row(admin, "morning-report").count(), 1);
  assert.equal(new URL(admin.page.url()).searchParams.get("q"), "morning");
  await admin.page.reload();
  await admin.settled();
  assert.equal(await row(admin, "hello").count(), 0);
  assert.equal(await admin.page.locator("#search").inputValue(), "morning");
  await admin.page.locator("#search").fill("no such thing");
  await admin.page.getByText("No trigger fits these filters.").waitFor();
  await admin.isUntroubled();
});

test("disable and enable do what they say", async () => {
  await admin.open("/triggers");
  await row(admin, "morning-report").getByRole("button", { name: "Disable" }).click();
  await row(admin, "morning-report").getByText("Paused").waitFor();
  assert.equal(await hold("morning-report"), "PAUSED");
  await row(admin, "morning-report").getByRole("button", { name: "Enable" }).click();
  await row(admin, "morning-report").getByText("Paused").waitFor({ state: "detached" });
  assert.equal(await hold("morning-report"), "NONE");
  await admin.isUntroubled();
});

test("a run with arguments makes a job with them; what is too long is refused and stays typed", async () => {
  await admin.open("/triggers");
  await row(admin, "invoices").getByRole("link", { name: "Run now" }).click();
  const dialog = admin.page.locator("dialog#dialog[open]");
  const args = dialog.getByLabel("Arguments for this run");
  const long = "x".repeat(1001);
  await args.fill(long);
  admin.expects(/status of 4\d\d/);
  await dialog.getByRole("button", { name: "Run now" }).click();
  await dialog.getByRole("alert").waitFor();
  assert.match(await dialog.getByRole("alert").innerText(), /1001.*1000|1000.*1001/s);
  assert.equal(await args.inputValue(), long);
  await args.fill('{"from": "a browser"}');
  await dialog.getByRole("button", { name: "Run now" }).click();
  await dialog.waitFor({ state: "detached" });
  const { jobs } = await world.rpc("JobService/List", { trigger: "invoices" });
  assert.equal(jobs[0].processArgs, '{"from": "a browser"}');
  await admin.isUntroubled();
});

test("a viewer sees no buttons, and cannot press them by hand", async () => {
  const viewer = await Visitor.of(world);
  await viewer.signIn(await world.linkFor("vera", "VIEWER"));
  await viewer.open("/triggers");
  await row(viewer, "hello").waitFor();
  assert.equal(await viewer.page.locator("#trigger-list button, #trigger-list a.button").count(), 0);
  const { id } = JSON.parse(await world.cli("trigger", "show", "hello", "-o", "json")).trigger;
  const refused = await viewer.page.request.post(`/triggers/${id}/disable`, { headers: { "sec-fetch-site": "same-origin", origin: world.url } });
  assert.equal(refused.status(), 403);
  assert.equal(await hold("hello"), "NONE");
  await viewer.isUntroubled();
  await viewer.close();
});
