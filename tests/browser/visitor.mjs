// A person in front of a browser, who notices everything that must not happen on a page.

import assert from "node:assert/strict";
import { AxeBuilder } from "@axe-core/playwright";

export class Visitor {
  /** A new visitor with cookies of their own. */
  static async of(world, options = {}) {
    const visitor = new Visitor();
    visitor.world = world;
    visitor.trouble = [];
    visitor.expected = [];
    visitor.context = await world.browser.newContext({
      baseURL: world.url,
      viewport: { width: 1280, height: 800 },
      timezoneId: "Europe/Copenhagen",
      locale: "en-GB",
      ...options,
    });
    // Reports of a broken content security policy, from the first script on.
    await visitor.context.addInitScript(() => {
      window.__reports = [];
      document.addEventListener("securitypolicyviolation", (event) => {
        window.__reports.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile ?? ""}`);
      });
    });
    visitor.page = await visitor.context.newPage();
    visitor.page.setDefaultTimeout(20_000);
    visitor.#watch();
    return visitor;
  }

  #watch() {
    const { page, world } = this;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        this.#note(`console ${message.type()}: ${message.text()}`);
      }
    });
    page.on("pageerror", (error) => this.#note(`script error: ${error.message}`));
    page.on("request", (request) => {
      if (!request.url().startsWith(`${world.url}/`) && !request.url().startsWith("data:")) {
        this.#note(`external request: ${request.url()}`);
      }
    });
    page.on("response", (response) => {
      if (response.status() >= 500) {
        this.#note(`${response.status()} for ${response.url()}`);
      }
    });
  }

  #note(text) {
    if (!this.expected.some((pattern) => pattern.test(text))) {
      this.trouble.push(text);
    }
  }

  /** Signs in by a link that is good once. */
  async signIn(link) {
    await this.page.goto(link);
    await this.page.getByRole("button", { name: /sign in/i }).click();
    await this.page.waitForURL((url) => !url.pathname.startsWith("/login"));
    // The first page is asked for once more when the server has learned the zone.
    await this.settled();
  }

  /** Opens a page and waits until it is drawn and hears of changes. */
  async open(path) {
    const hears = this.page.waitForResponse((response) => new URL(response.url()).pathname === "/events");
    await this.page.goto(path);
    await this.settled();
    await hears;
  }

  async settled() {
    await this.page.waitForLoadState("load");
    await this.page.waitForFunction(() => window.htmx !== undefined);
  }

  /** The addresses of the tabs. */
  async tabs() {
    const links = this.page.locator("header nav.tabs a");
    return links.evaluateAll((anchors) => anchors.map((anchor) => anchor.getAttribute("href")));
  }

  /** Light or dark, whatever the system says. */
  async wears(theme) {
    await this.context.addCookies([{ name: "theme", value: theme, url: this.world.url }]);
  }

  /** What is no trouble for what follows, such as errors while the server is away. */
  expects(...patterns) {
    this.expected.push(...patterns);
  }

  /** Nothing happened that must not happen. */
  async isUntroubled() {
    const reports = await this.page.evaluate(() => (window.__reports ?? []).splice(0));
    // Each is told once, in the test that met it.
    const trouble = this.trouble.splice(0);
    assert.deepEqual([...trouble, ...reports.map((report) => `content security policy: ${report}`)], []);
  }

  /** What the accessibility checker finds that is serious or worse, in words; by these rules only, where they are given. */
  async accessibilityFaults(label, rules) {
    const checker = new AxeBuilder({ page: this.page });
    const { violations } = await (rules ? checker.withRules(rules) : checker).analyze();
    const serious = violations.filter((violation) => ["serious", "critical"].includes(violation.impact));
    return serious.map((violation) => {
      const places = violation.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary}`);
      return `${label}: ${violation.id}: ${violation.help}\n    ${places.join("\n    ")}`;
    });
  }

  /** No finding of the accessibility checker that is serious or worse. */
  async isAccessible(label) {
    assert.deepEqual(await this.accessibilityFaults(label), []);
  }

  /** Whether something sticks out to the side, in words. */
  async widthFaults(label) {
    const { wide, seen } = await this.page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      seen: document.documentElement.clientWidth,
    }));
    return wide <= seen ? [] : [`${label}: the page is ${wide} px wide in a window of ${seen} px`];
  }

  async close() {
    await this.context.close();
  }
}
