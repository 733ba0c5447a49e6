// What holds for every page, whoever drew it: the tabs are the list.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { furnish } from "./sample.mjs";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

const WIDTHS = [360, 1280, 2560];
// Compressed, everything that the first page load fetches.
const LIGHT_ENOUGH = 150_000;

let world, visitor, tabs;

before(async () => {
  world = await World.start();
  await furnish(world);
  visitor = await Visitor.of(world);
  await visitor.signIn(world.firstLink);
  tabs = await visitor.tabs();
});

after(async () => {
  await visitor?.close();
  await world?.stop();
});

test("the first page load is light", async () => {
  const fresh = await Visitor.of(world);
  const session = await fresh.context.newCDPSession(fresh.page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
  await fresh.context.addCookies(await visitor.context.cookies());
  await fresh.open("/");
  await fresh.close();
  assert.ok(bytes > 1000 && bytes < LIGHT_ENOUGH, `${bytes} bytes`);
});

test("there are tabs, and each opens", async () => {
  assert.ok(tabs.length >= 2, `tabs: ${tabs}`);
  for (const tab of tabs) {
    const response = await visitor.page.goto(tab);
    assert.equal(response.status(), 200, tab);
    assert.equal(await visitor.page.locator('nav.tabs a[aria-current="page"]').getAttribute("href"), tab);
    assert.equal(await visitor.page.locator("h1").count(), 1, `${tab} has one heading`);
  }
  await visitor.isUntroubled();
});

// Themes differ in their colours and in nothing else.
for (const [theme, rules] of [
  ["light", undefined],
  ["dark", ["color-contrast"]],
]) {
  test(`every page is accessible and fits, ${theme}`, async () => {
    await visitor.wears(theme);
    // All of them are told, not only the first.
    const faults = [];
    for (const tab of tabs) {
      for (const width of WIDTHS) {
        await visitor.page.setViewportSize({ width, height: 800 });
        await visitor.open(tab);
        faults.push(...(await visitor.widthFaults(`${tab} at ${width} px, ${theme}`)));
        // Colours and names are the same at every width.
        if (width === 1280) {
          assert.equal(await visitor.page.locator("html").getAttribute("data-theme"), theme);
          faults.push(...(await visitor.accessibilityFaults(`${tab}, ${theme}`, rules)));
        }
      }
    }
    await visitor.page.setViewportSize({ width: 1280, height: 800 });
    assert.deepEqual(faults, []);
    await visitor.isUntroubled();
  });
}

test("keys lead to every page, and ? tells which", async () => {
  for (const tab of tabs) {
    await visitor.open("/");
    const key = await visitor.page.locator(`nav.tabs a[href="${tab}"]`).getAttribute("data-key");
    // The first tab leads to where one is already, so the address alone does not tell that it was opened.
    const opened = visitor.page.waitForEvent("load");
    await visitor.page.keyboard.press("g");
    await visitor.page.keyboard.press(key);
    await opened;
    assert.equal(new URL(visitor.page.url()).pathname, tab);
  }
  await visitor.page.keyboard.press("?");
  await visitor.page.locator("dialog#help[open]").waitFor();
  await visitor.page.keyboard.press("Escape");
  await visitor.page.locator("dialog#help[open]").waitFor({ state: "detached" });
  await visitor.isUntroubled();
});

test("what robots write is text, never page", async () => {
  for (const tab of tabs) {
    await visitor.open(tab);
    assert.equal(await visitor.page.locator("main b", { hasText: /^bold$/ }).count(), 0, tab);
  }
  await visitor.isUntroubled();
});

test("whoever is not signed in is sent to sign in and comes back", async () => {
  const stranger = await Visitor.of(world);
  for (const tab of tabs) {
    await stranger.page.goto(tab);
    const url = new URL(stranger.page.url());
    assert.equal(url.pathname, "/login", tab);
    if (tab !== "/") {
      assert.equal(url.searchParams.get("next"), tab);
    }
  }
  await stranger.isAccessible("the sign-in page");
  await stranger.isUntroubled();
  await stranger.close();
});

test("a restart of the server shows a banner, which goes by itself", async () => {
  await visitor.open("/");
  visitor.expects(/net::ERR_/, /Failed to load resource/, /fetch/i);
  await world.stopServer();
  await visitor.page.locator("#lost").waitFor({ state: "visible" });
  await world.restartServer();
  await visitor.page.locator("#lost").waitFor({ state: "hidden", timeout: 20_000 });
});
