// Two people at once, things that are gone, sessions that end, a server that is away: what was typed stays, and what
// happened is told.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

const PASSWORD = "correct horse battery";

let world, admin, page;

before(async () => {
  world = await World.start(["--no-worker", "--no-sample"]);
  await world.rpc("AdminService/CreateUser", { name: "anna", role: "ADMIN", password: PASSWORD });
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
const save = () => dialog().getByRole("button", { name: "Save" }).click();

async function edit(kind, name) {
  await admin.open("/constants");
  await page.locator(`#${kind}-${encodeURIComponent(name)}`).getByRole("link", { name: /^Edit/ }).click();
  await dialog().waitFor();
}

test("a constant that someone else changed is told with who and what; saving again replaces it", async () => {
  await world.rpc("ConstantService/Set", { name: "Limit", value: "1" });
  await edit("constant", "Limit");
  await dialog().locator("#value").fill("mine");
  await world.rpc("ConstantService/Set", { name: "Limit", value: "theirs" });
  await save();
  await dialog().getByRole("alert").getByText(/changed it .* to: theirs/).waitFor();
  assert.equal(await dialog().locator("#value").inputValue(), "mine");
  assert.equal((await world.rpc("ConstantService/Get", { name: "Limit" })).constant.value, "theirs");
  await save();
  await dialog().waitFor({ state: "detached" });
  assert.equal((await world.rpc("ConstantService/Get", { name: "Limit" })).constant.value, "mine");
  await admin.isUntroubled();
});

test("a credential that someone else changed is told, and its password is asked for again", async () => {
  await world.rpc("CredentialService/Set", { name: "SAP", username: "old", password: "x" });
  await edit("credential", "SAP");
  await dialog().locator("#username").fill("mine");
  await dialog().locator("#password").fill("secret");
  await world.rpc("CredentialService/Set", { name: "SAP", username: "theirs", password: "y" });
  await save();
  await dialog().getByRole("alert").getByText(/username is now: theirs/).waitFor();
  assert.equal(await dialog().locator("#username").inputValue(), "mine");
  assert.equal(await dialog().locator("#password").inputValue(), "");
  await dialog().locator("#password").fill("secret");
  await save();
  await dialog().waitFor({ state: "detached" });
  assert.equal((await world.rpc("CredentialService/Get", { name: "SAP" })).credential.username, "mine");
  await admin.isUntroubled();
});

test("an element that a robot ended meanwhile keeps what was typed about it", async () => {
  const { element } = await world.rpc("QueueService/Create", { queueName: "letters", element: { reference: "a" } });
  await admin.open(`/elements/${element.id}`);
  await page.locator("#message").fill("mine");
  await world.rpc("QueueService/SetStatus", { element: element.id, status: "DONE", message: "theirs" });
  await page.locator("#element").getByText("Done").waitFor();
  assert.equal(await page.locator("#message").inputValue(), "mine", "the page was drawn anew around it");
  await page.getByRole("button", { name: "Save" }).click();
  await page.locator("main").getByRole("alert").first().waitFor();
  assert.equal(await page.locator("#message").inputValue(), "mine");
  assert.equal((await world.rpc("QueueService/Get", { element: element.id })).element.message, "theirs");
  await admin.isUntroubled();
});

test("a user whom someone else changed is told with who", async () => {
  const { user } = await world.rpc("AdminService/CreateUser", { name: "maja", role: "VIEWER" });
  await admin.open(`/settings/users/${user.id}`);
  await page.locator("#display_name").fill("Maja M.");
  await world.rpc("AdminService/UpdateUser", { user: user.id, role: "OPERATOR" });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").getByText(/was changed by/).waitFor();
  assert.equal(await page.locator("#display_name").inputValue(), "Maja M.");
  await admin.isUntroubled();
});

test("what was deleted meanwhile is told, and the dialog keeps what was typed", async () => {
  await world.rpc("ConstantService/Set", { name: "Gone", value: "1" });
  await edit("constant", "Gone");
  await dialog().locator("#value").fill("mine");
  await world.rpc("ConstantService/Delete", { name: "Gone" });
  await save();
  await page.locator(".toast.error").getByText(/does not exist/).waitFor();
  assert.equal(await dialog().locator("#value").inputValue(), "mine");
  await page.keyboard.press("Escape");
  await admin.isUntroubled();
});

test("the page of a trigger that was deleted meanwhile says so", async () => {
  await world.cli("trigger", "create", "single", "night", "--process", "Night", "--path", "/night.py", "--paused");
  const { trigger } = await world.rpc("TriggerService/Get", { trigger: "night" });
  await admin.open(`/triggers/${trigger.id}/edit`);
  await page.locator("#process_path").fill("/mine.py");
  await world.rpc("TriggerService/Delete", { trigger: "night" });
  await page.getByRole("button", { name: /save/i }).click();
  await page.getByRole("heading", { name: "Not found" }).waitFor();
  await page.goto(`/triggers/${trigger.id}`);
  await page.getByRole("heading", { name: "Not found" }).waitFor();
  await admin.isUntroubled();
});

test("a session that ends while a dialog is open leads to signing in, and back", async () => {
  const anna = await Visitor.of(world);
  anna.expects(/status of 401/, /EventSource/i);
  const signIn = async () => {
    await anna.page.getByLabel("Name").fill("anna");
    await anna.page.getByLabel("Password").fill(PASSWORD);
    await anna.page.getByRole("button", { name: "Sign in" }).click();
  };
  await world.rpc("QueueService/Create", { queueName: "late", element: { reference: "first" } });
  await anna.page.goto("/queues/late");
  await signIn();
  await anna.page.waitForURL((url) => url.pathname === "/queues/late");
  await anna.settled();
  await anna.page.getByRole("link", { name: "New Element" }).click();
  const open = anna.page.locator("dialog#dialog[open]");
  await open.locator("#reference").fill("second");
  await world.rpc("AdminService/EndSessions", { user: "anna" });
  await open.getByRole("button", { name: "Create" }).click();
  await anna.page.waitForURL((url) => url.pathname === "/login" && url.searchParams.get("next") === "/queues/late");
  await anna.page.getByText("Your session has ended").waitFor();
  await signIn();
  await anna.page.waitForURL((url) => url.pathname === "/queues/late");
  assert.equal((await world.rpc("QueueService/List", { queueName: "late" })).elements.length, 1);
  await anna.isUntroubled();
  await anna.close();
});

test("a server that restarts in the middle of a form: a banner, the text stays, and it heals by itself", async () => {
  await admin.open("/constants");
  await page.getByRole("link", { name: "New Constant" }).click();
  await dialog().locator("#name").fill("After the restart");
  await dialog().locator("#value").fill("kept");
  admin.expects(/net::ERR_/, /Failed to load resource/, /fetch/i);
  await world.stopServer();
  await page.locator("#lost").waitFor({ state: "visible" });
  await save();
  assert.equal(await dialog().locator("#value").inputValue(), "kept");
  await world.restartServer();
  await page.locator("#lost").waitFor({ state: "hidden", timeout: 20_000 });
  await save();
  await dialog().waitFor({ state: "detached" });
  await page.locator("#access tr", { hasText: "After the restart" }).waitFor();
});

test("what changed while the server was away is seen when it is back", async () => {
  await admin.open("/constants");
  await page.locator("#access tr", { hasText: "After the restart" }).waitFor();
  await world.stopServer();
  await page.locator("#lost").waitFor({ state: "visible" });
  await world.restartServer();
  await world.rpc("ConstantService/Delete", { name: "After the restart" });
  await page.locator("#access tr", { hasText: "After the restart" }).waitFor({ state: "detached", timeout: 20_000 });
});
