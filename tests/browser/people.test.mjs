// Users, tokens, workers' tokens and one's own account: each form with good and with bad input, and what roles see.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

const PASSWORD = "correct horse battery";

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

const dialog = () => page.locator("dialog#dialog[open]");
const press = (name) => page.getByRole("button", { name }).click();

test("a user is made, gets another role, and is locked out", async () => {
  await admin.open("/settings/users/new");
  await page.locator("#display_name").fill("Kept");
  await page.locator("#password").fill("short");
  await press("Create user");
  await page.locator("#name[aria-invalid=true], #password[aria-invalid=true]").first().waitFor();
  assert.equal(await page.locator("#display_name").inputValue(), "Kept");
  await page.locator("#name").fill("jonas");
  await page.locator("#role").selectOption("OPERATOR");
  await page.locator("#password").fill(PASSWORD);
  await press("Create user");
  await page.getByRole("heading", { name: "jonas" }).waitFor();
  await page.locator("#role").selectOption("VIEWER");
  await press("Save");
  await page.locator("#toasts .toast").waitFor();
  const { users } = await world.rpc("AdminService/ListUsers");
  assert.equal(users.find((user) => user.name === "jonas").role, "VIEWER");
  await press("Disable jonas");
  await page.locator(".badge", { hasText: "Disabled" }).waitFor();
  const jonas = await Visitor.of(world);
  jonas.expects(/status of 4\d\d/);
  await jonas.page.goto("/login");
  await jonas.page.getByLabel("Name").fill("jonas");
  await jonas.page.getByLabel("Password").fill(PASSWORD);
  await jonas.page.getByRole("button", { name: "Sign in" }).click();
  await jonas.page.locator("main").getByRole("alert").first().waitFor();
  await jonas.close();
  await admin.isUntroubled();
});

test("a user is deleted after a question, and not without its answer", async () => {
  await admin.open("/settings/users/new");
  await page.locator("#name").fill("mette");
  await page.locator("#password").fill(PASSWORD);
  await press("Create user");
  await page.getByRole("heading", { name: "mette" }).waitFor();
  const isThere = async () => (await world.rpc("AdminService/ListUsers")).users.some((user) => user.name === "mette");
  await page.getByRole("link", { name: "Delete mette" }).click();
  await dialog().getByText("This cannot be undone").waitFor();
  await dialog().getByText("Cancel").click();
  await dialog().waitFor({ state: "detached" });
  assert.ok(await isThere());
  await page.getByRole("link", { name: "Delete mette" }).click();
  await dialog().getByRole("button", { name: "Delete user mette" }).click();
  await page.waitForURL("**/settings/users");
  assert.ok(!(await isThere()));
  await admin.isUntroubled();
});

test("a token is shown once, and revoked after a question", async () => {
  await admin.open("/settings/tokens/new");
  await page.locator("#name").fill("nightly");
  await page.locator("#lifetime").fill("soon");
  await press("Create token");
  await page.locator("#lifetime[aria-invalid=true]").waitFor();
  assert.equal(await page.locator("#name").inputValue(), "nightly");
  await page.locator("#lifetime").fill("90 d");
  await press("Create token");
  const secret = await page.locator(".copy code").first().innerText();
  assert.match(secret, /^orc_user_/);
  assert.equal((await world.rpc("AdminService/WhoAmI", {}, secret)).name, "nightly");
  await page.goto("/settings/tokens");
  assert.ok(!(await page.content()).includes(secret));
  await page.locator("tr", { hasText: "nightly" }).getByRole("link", { name: /Revoke/ }).click();
  await dialog().getByText("This cannot be undone").waitFor();
  await dialog().getByRole("button", { name: "Revoke the token of nightly" }).click();
  await dialog().waitFor({ state: "detached" });
  await page.locator("tr", { hasText: "nightly" }).waitFor({ state: "detached" });
  await assert.rejects(world.rpc("AdminService/WhoAmI", {}, secret), /TOKEN|UNAUTHENTICATED/i);
  await admin.isUntroubled();
});

test("a new worker gets a command that holds its token", async () => {
  await admin.open("/workers");
  await page.getByRole("link", { name: "New worker" }).first().click();
  await dialog().locator("#name").fill("x".repeat(101));
  await dialog().getByRole("button", { name: "Make its token" }).click();
  await dialog().getByText(/101 characters/).waitFor();
  await dialog().locator("#name").fill("rpa-07");
  await dialog().getByRole("button", { name: "Make its token" }).click();
  await dialog().getByRole("heading", { name: "Start worker rpa-07" }).waitFor();
  assert.match(await dialog().innerText(), /orchestrator-worker start/);
  await dialog().getByRole("link", { name: "Done" }).click();
  await admin.isUntroubled();
});

test("one's own password is set with the old one", async () => {
  await world.rpc("AdminService/CreateUser", { name: "maja", role: "VIEWER", password: PASSWORD });
  const maja = await Visitor.of(world);
  maja.expects(/status of 4\d\d/);
  await maja.page.goto("/login?next=/profile");
  await maja.page.getByLabel("Name").fill("maja");
  await maja.page.getByLabel("Password").fill(PASSWORD);
  await maja.page.getByRole("button", { name: "Sign in" }).click();
  await maja.page.locator("#old_password").fill("not this one");
  await maja.page.locator("#password").fill("another horse battery");
  await maja.page.locator("#again").fill("another horse battery");
  await maja.page.getByRole("button", { name: /password/i }).first().click();
  await maja.page.getByText(/old password is wrong/).waitFor();
  await maja.page.locator("#old_password").fill(PASSWORD);
  await maja.page.locator("#password").fill("another horse battery");
  await maja.page.locator("#again").fill("another horse battery");
  await maja.page.getByRole("button", { name: /password/i }).first().click();
  await maja.page.locator("#toasts .toast").waitFor();
  await maja.isUntroubled();
  await maja.close();
});

for (const [role, tabs, buttons] of [
  ["VIEWER", 9, 0],
  ["OPERATOR", 9, 0],
  ["ADMIN", 10, 2],
]) {
  test(`${role.toLowerCase()}s see what they may do and nothing more`, async () => {
    const visitor = await Visitor.of(world);
    visitor.expects(/status of 403/);
    await visitor.signIn(await world.linkFor(`a-${role.toLowerCase()}`, role));
    assert.equal((await visitor.tabs()).length, tabs);
    await visitor.open("/constants");
    assert.equal(await visitor.page.locator("main a.button").count(), buttons);
    await world.rpc("QueueService/Create", { queueName: "roles", element: {} });
    await visitor.open("/queues");
    assert.equal(await visitor.page.getByRole("button", { name: "Pause queue roles" }).count(), role === "VIEWER" ? 0 : 1);
    const audit = await visitor.page.goto("/audit");
    assert.equal(audit.status(), role === "ADMIN" ? 200 : 403);
    await visitor.open("/settings");
    assert.equal(await visitor.page.locator("#keys").count(), role === "ADMIN" ? 1 : 0);
    await visitor.isUntroubled();
    await visitor.close();
  });
}
