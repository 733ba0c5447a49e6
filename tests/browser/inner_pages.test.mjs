// The pages behind the tabs, forms and dialogs: accessible and no wider than a phone, in both themes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { furnish } from "./sample.mjs";
import { Visitor } from "./visitor.mjs";
import { World } from "./world.mjs";

let world, admin, page, places;

before(async () => {
  world = await World.start();
  await furnish(world);
  admin = await Visitor.of(world);
  await admin.signIn(world.firstLink);
  page = admin.page;
  places = await found();
});

after(async () => {
  await admin?.close();
  await world?.stop();
});

async function found() {
  const { jobs } = await world.rpc("JobService/List", { statuses: ["FAILED"] });
  const { elements } = await world.rpc("QueueService/List", { queueName: "letters", statuses: ["FAILED"] });
  const { trigger } = await world.rpc("TriggerService/Get", { trigger: "letters" });
  const { users } = await world.rpc("AdminService/ListUsers");
  const { tokens } = await world.rpc("AdminService/ListTokens");
  const trigger_ = `/triggers/${trigger.id}`;
  return [
    trigger_,
    `${trigger_}/edit`,
    `${trigger_}/run`,
    `${trigger_}/delete`,
    "/triggers/new/single",
    "/triggers/new/scheduled",
    "/triggers/new/queue",
    "/queues/letters",
    "/queues/letters/new",
    "/queues/letters/import",
    "/queues/letters/settings",
    `/elements/${elements[0].id}`,
    `/jobs/${jobs[0].id}`,
    "/workers/enroll",
    "/constants/constant",
    "/constants/constant/Threshold",
    "/constants/credential",
    "/constants/credential/SAP",
    "/settings/users",
    "/settings/users/new",
    `/settings/users/${users[0].id}`,
    `/settings/users/${users[0].id}/delete`,
    "/settings/sessions",
    "/settings/tokens",
    "/settings/tokens/new",
    `/settings/tokens/${tokens[0].id}/revoke`,
    "/profile",
    "/jobs?status=failed",
    "/logs?q=nothing+like+this",
    "/nowhere",
  ];
}

// Themes differ in their colours and in nothing else.
for (const [theme, rules] of [
  ["light", undefined],
  ["dark", ["color-contrast"]],
]) {
  test(`every page behind a tab is accessible and fits, ${theme}`, async () => {
    admin.expects(/status of 404/);
    await admin.wears(theme);
    const faults = [];
    for (const place of places) {
      // Colours and names are the same at every width: each is looked at once.
      await page.setViewportSize({ width: 360, height: 800 });
      await page.goto(place);
      await admin.settled();
      faults.push(...(await admin.widthFaults(`${place} at 360 px, ${theme}`)));
      faults.push(...(await admin.accessibilityFaults(`${place}, ${theme}`, rules)));
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    assert.deepEqual(faults, []);
    await admin.isUntroubled();
  });
}

test("dialogs are accessible, keep the focus and give it back", async () => {
  await admin.wears("light");
  for (const [place, opener] of [
    ["/constants", () => page.getByRole("link", { name: "New Credential" })],
    ["/triggers", () => page.locator("#trigger-list tr", { hasText: "payroll" }).getByRole("link", { name: "Run now" })],
    ["/queues/letters", () => page.getByRole("link", { name: "New Element" })],
  ]) {
    await admin.open(place);
    await opener().focus();
    await page.keyboard.press("Enter");
    const dialog = page.locator("dialog#dialog[open]");
    await dialog.waitFor();
    await admin.isAccessible(`the dialog of ${place}`);
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press("Tab");
      const outside = await page.evaluate(() => document.activeElement !== document.body && !document.activeElement.closest("dialog"));
      assert.equal(outside, false, `${place}: the focus left the dialog`);
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await opener().evaluate((node) => node === document.activeElement), `${place}: the focus is back`);
  }
  await admin.isUntroubled();
});

test("rows are walked through and opened with keys", async () => {
  await admin.open("/jobs");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.locator("tbody tr.at").waitFor();
  const link = await page.locator("tbody tr.at a").first().getAttribute("href");
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === link);
  await admin.isUntroubled();
});

test("on a phone, rows become cards that can be read", async () => {
  await page.setViewportSize({ width: 360, height: 800 });
  for (const place of ["/triggers", "/jobs", "/queues", "/queues/letters", "/logs", "/audit", "/constants", "/settings/users"]) {
    await admin.open(place);
    const narrow = await page.evaluate(() =>
      [...document.querySelectorAll(".cards tbody td")]
        .filter((cell) => cell.offsetWidth > 0 && cell.clientWidth < 100 && cell.clientHeight > 60)
        .map((cell) => `${cell.innerText.slice(0, 40)} in ${cell.clientWidth} px`),
    );
    assert.deepEqual(narrow.slice(0, 3), [], `${place}: texts squeezed into a column`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await admin.isUntroubled();
});
