// Queues: held and let go, changed many at a time, filled from files, searched.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

// Far below the half minute after which pages ask by themselves.
const SOON = 8_000;

let world, admin, page;

before(async () => {
  world = await World.start(["--no-worker", "--no-sample"]);
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
  page = admin.page;
  admin.expects(/status of 4\d\d/);
});

after(async () => {
  await admin?.close();
  await world?.stop();
});

const add = (queueName, reference) => world.rpc("QueueService/Create", { queueName, element: { reference } });
const claim = async (queueName) => (await world.rpc("QueueService/Claim", { queueName })).elements ?? [];
const listed = (reference) => page.locator("#element-list tbody tr", { has: page.getByRole("link", { name: reference, exact: true }) });

test("a queue tells how old the element is that waits longest", async () => {
  await add("waits", "one");
  await admin.open("/queues");
  const oldest = page.locator("#queue-list tr", { hasText: "waits" }).locator('td[data-label="Oldest New"]');
  await oldest.locator("time[data-relative]").waitFor();
  assert.equal((await claim("waits")).length, 1);
  await oldest.getByText("–").waitFor({ timeout: SOON });
  await admin.isUntroubled();
});

test("a queue's past is drawn and told, as soon as something is done", async () => {
  await add("past", "one");
  await add("past", "two");
  await admin.open("/queues");
  const row = page.locator("#queue-list tr", { hasText: "past" });
  const done = row.locator('td[data-label="Done in Last Hour"]');
  await done.getByText("0", { exact: true }).waitFor();
  await row.locator(".spark", { hasText: "–" }).waitFor();
  const [element] = await claim("past");
  await world.rpc("QueueService/SetStatus", { element: element.id, status: "DONE" });
  await done.getByText("1", { exact: true }).waitFor({ timeout: SOON });
  await admin.open("/queues/past");
  const past = page.locator("#element-list .past");
  await past.getByText("the line begins with the next one").waitFor();
  await past.getByText("1 done in the last hour; 1 done, 0 failed or abandoned in 24 hours").waitFor();
  await past.getByRole("img", { name: /1 done, 0 failed or abandoned; 1 in the busiest/ }).waitFor();
  const { height } = await past.boundingBox();
  await world.rpc("QueueService/SetStatus", { element: element.id, status: "FAILED" });
  await past.getByText("1 done, 1 failed or abandoned in 24 hours").waitFor({ timeout: SOON });
  assert.equal(await past.locator("svg.bars rect").count(), 2);
  assert.equal((await past.boundingBox()).height, height, "nothing jumps");
  await admin.isUntroubled();
});

test("a queue is paused and goes on, and robots get nothing meanwhile", async () => {
  await add("letters", "one");
  await admin.open("/queues");
  const row = page.locator("#queue-list tr", { hasText: "letters" });
  await row.getByRole("button", { name: "Pause queue letters" }).click();
  await row.locator(".badge", { hasText: "Paused" }).waitFor();
  await page.locator(".toast", { hasText: "is paused" }).waitFor();
  assert.deepEqual(await claim("letters"), []);
  await row.getByRole("button", { name: "Resume queue letters" }).click();
  await row.locator(".badge", { hasText: "Paused" }).waitFor({ state: "detached" });
  assert.equal((await claim("letters")).length, 1);
  await admin.isUntroubled();
});

test("a queue's own page says that it is paused, as soon as it is, and lets it go on", async () => {
  await add("parcels", "one");
  await admin.open("/queues/parcels");
  const held = page.locator("#element-list .held");
  assert.equal(await held.locator(".badge").count(), 0);
  await world.rpc("QueueService/Pause", { queueName: "parcels" });
  await held.locator(".badge", { hasText: "Paused" }).waitFor({ timeout: SOON });
  await held.getByText("Nothing of this queue is handed out").waitFor();
  assert.equal(await held.getByRole("button", { name: "Pause queue parcels" }).count(), 0);
  await held.getByRole("button", { name: "Resume queue parcels" }).click();
  await held.locator(".badge").waitFor({ state: "detached", timeout: SOON });
  assert.equal((await claim("parcels")).length, 1);
  await held.getByRole("button", { name: "Pause queue parcels" }).click();
  await held.locator(".badge", { hasText: "Paused" }).waitFor({ timeout: SOON });
  await admin.isUntroubled();
});

test("how often elements are tried is set, within bounds", async () => {
  await add("tries", "one");
  await admin.open("/queues/tries");
  await page.getByRole("link", { name: "Settings", exact: true }).last().click();
  const dialog = page.locator("dialog#dialog[open]");
  await dialog.locator("#max_attempts").fill("101");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.locator("#max_attempts[aria-invalid=true]").waitFor();
  await dialog.locator("#max_attempts").fill("3");
  await dialog.getByRole("button", { name: "Save" }).click();
  await dialog.waitFor({ state: "detached" });
  const { queues } = await world.rpc("QueueService/ListQueues");
  assert.equal(queues.find((queue) => queue.queueName === "tries").maxAttempts, 3);
  await admin.isUntroubled();
});

test("chosen elements are set and retried together", async () => {
  for (const reference of ["a", "b", "c"]) {
    await add("many", reference);
  }
  await admin.open("/queues/many");
  for (const reference of ["a", "b"]) {
    await listed(reference).getByRole("checkbox").check();
  }
  await page.getByText("2 chosen").waitFor();
  await page.getByRole("button", { name: "Set failed" }).click();
  await listed("a").getByText("Failed").waitFor();
  await listed("b").getByText("Failed").waitFor();
  await listed("a").getByRole("checkbox").check();
  await page.getByRole("button", { name: "Retry" }).click();
  await listed("a").locator(".badge", { hasText: "New" }).waitFor();
  const { elements } = await world.rpc("QueueService/List", { queueName: "many" });
  assert.deepEqual(elements.map(({ reference, status }) => `${reference} ${status}`), ["a NEW", "b FAILED", "c NEW"]);
  await admin.isUntroubled();
});

for (const [what, name, text, told] of [
  ["a row that is too long", "work.csv", `reference,data\n1,a\n${"x".repeat(101)},b\n`, /line 3/],
  ["a field that there is none of", "work.csv", "reference,colour\n1,red\n", /colour/],
  ["a line that is no JSON", "work.jsonl", '{"reference": "1"}\n{"reference": \n', /line 2/],
  ["bytes that are no text", "work.csv", Buffer.from([0x72, 0x65, 0x66, 0x0a, 0xff, 0xfe, 0x00]), /./],
  ["an empty file", "work.csv", "", /./],
  ["a file of neither kind", "work.xlsx", "PK", /\.csv/],
]) {
  test(`nothing is imported of a file with ${what}`, async () => {
    await admin.open("/queues/files/import");
    await page.locator("#file").setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(text) });
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByRole("alert").getByText(told).first().waitFor();
    const { elements } = await world.rpc("QueueService/List", { queueName: "files" });
    assert.deepEqual(elements ?? [], []);
    await admin.isUntroubled();
  });
}

test("a search looks at so many rows and offers to go on", async () => {
  const file = path.join(world.folder, "hay.jsonl");
  const line = (reference) => `${JSON.stringify({ reference })}\n`;
  writeFileSync(file, "hay".repeat(50_000).match(/hay/g).map(line).join("") + line("needle"));
  await world.cli("queue", "element", "import", "haystack", file);
  await admin.open("/queues/haystack?q=needle");
  await page.getByText("Nothing among the elements that were looked at so far.").waitFor();
  await page.getByRole("link", { name: "Search further" }).click();
  await listed("needle").waitFor();
  assert.equal(await page.getByRole("link", { name: "Search further" }).count(), 0, "there is no more");
  await admin.isUntroubled();
});
