// Getting in, staying out, and coming back to where one was.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

const PASSWORD = "correct horse battery";

let world;

before(async () => {
  world = await World.start(["--no-worker", "--no-sample"]);
  await world.rpc("AdminService/CreateUser", { name: "anna", role: "OPERATOR", password: PASSWORD });
});

after(async () => {
  await world?.stop();
});

async function typeIn(visitor, name, password) {
  await visitor.page.getByLabel("Name").fill(name);
  await visitor.page.getByLabel("Password").fill(password);
  await visitor.page.getByRole("button", { name: "Sign in" }).click();
}

test("a password lets in, to the page that was asked for", async () => {
  const visitor = await Visitor.of(world);
  await visitor.page.goto("/triggers?q=night");
  assert.equal(new URL(visitor.page.url()).pathname, "/login");
  await typeIn(visitor, "anna", PASSWORD);
  await visitor.page.waitForURL((url) => url.pathname === "/triggers" && url.searchParams.get("q") === "night");
  await visitor.settled();
  await visitor.isUntroubled();
  const cookies = await visitor.context.cookies();
  const session = cookies.find((cookie) => cookie.name.endsWith("orchestrator"));
  assert.ok(session?.httpOnly && session.sameSite !== "None", JSON.stringify(cookies.map(({ name }) => name)));
  await visitor.close();
});

test("a wrong password and an unknown name get the same answer, and the name stays typed", async () => {
  const visitor = await Visitor.of(world);
  visitor.expects(/status of 4\d\d/);
  const answers = [];
  for (const name of ["anna", "nobody"]) {
    await visitor.page.goto("/login");
    await typeIn(visitor, name, "not the password");
    answers.push(await visitor.page.getByRole("alert").first().innerText());
    assert.equal(await visitor.page.getByLabel("Name").inputValue(), name);
    assert.equal(await visitor.page.getByLabel("Password").inputValue(), "");
  }
  assert.equal(answers[0], answers[1]);
  await visitor.isAccessible("a refused sign-in");
  await visitor.isUntroubled();
  await visitor.close();
});

test("a link signs in once", async () => {
  const link = await world.linkFor("vera", "VIEWER");
  const first = await Visitor.of(world);
  await first.signIn(link);
  await first.page.locator(".who", { hasText: "vera" }).waitFor();
  const second = await Visitor.of(world);
  second.expects(/status of 4\d\d/);
  await second.page.goto(link);
  await second.page.getByRole("heading", { name: "This link is over" }).waitFor();
  await second.isUntroubled();
  await first.close();
  await second.close();
});

test("a session that is ended elsewhere asks to sign in again and comes back", async () => {
  const visitor = await Visitor.of(world);
  await visitor.page.goto("/login");
  await typeIn(visitor, "anna", PASSWORD);
  await visitor.page.waitForURL((url) => url.pathname === "/");
  visitor.expects(/status of 4\d\d/, /Failed to load resource/, /EventSource/i);
  // No page is open, which would ask to sign in by itself, and for its own address.
  await visitor.page.goto("about:blank");
  await world.rpc("AdminService/EndSessions", { user: "anna" });
  // Known at once on this server.
  await visitor.page.goto("/triggers");
  await visitor.page.waitForURL((url) => url.pathname === "/login");
  await typeIn(visitor, "anna", PASSWORD);
  await visitor.page.waitForURL((url) => url.pathname === "/triggers");
  await visitor.isUntroubled();
  await visitor.close();
});

test("a form of another site is not obeyed", async () => {
  const visitor = await Visitor.of(world);
  await visitor.page.goto("/login");
  await typeIn(visitor, "anna", PASSWORD);
  await visitor.page.waitForURL((url) => url.pathname === "/");
  await world.cli("trigger", "create", "single", "t", "--process", "p", "--path", "/p.py", "--paused");
  const { id } = JSON.parse(await world.cli("trigger", "show", "t", "-o", "json")).trigger;
  const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const answer = await visitor.page.request.post(`/triggers/${id}/enable`, { headers, maxRedirects: 0 });
  assert.equal(answer.status(), 403);
  assert.equal(JSON.parse(await world.cli("trigger", "show", "t", "-o", "json")).trigger.hold, "PAUSED");
  await visitor.close();
});
