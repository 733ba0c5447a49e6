// One real `orchestrator dev` for a file of tests, and a browser beside it.

import { spawn, execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? path.join(here, "../../target");
const program = process.env.ORCHESTRATOR_PROGRAM ?? path.join(target, "debug/orchestrator");

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
// Without these Chromium asks hosts of its own for updates; as root it has no sandbox.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export class World {
  /** Starts a sandbox on a free port in a folder of its own. `flags` are those of `orchestrator dev`. */
  static async start(flags = []) {
    const world = new World();
    world.folder = mkdtempSync(path.join(tmpdir(), "orchestrator-browser-"));
    world.context = path.join(world.folder, "contexts.toml");
    await world.#startServer(flags);
    world.browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    return world;
  }

  async #startServer(flags) {
    if (!existsSync(program)) {
      throw new Error(`${program} is not there: scripts/test-browser builds it`);
    }
    this.flags = flags;
    const listen = ["dev", "--port", String(this.port ?? 0), "--data", path.join(this.folder, "data"), "-o", "json"];
    this.server = spawn(program, [...listen, ...flags], { env: this.environment(), stdio: ["ignore", "pipe", "pipe"] });
    this.words = "";
    this.server.stderr.on("data", (bytes) => (this.words += bytes));
    let greeting = "";
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server said nothing in a minute:\n${this.words}`)), 60_000);
      this.server.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${this.words}`)));
      this.server.stdout.on("data", (bytes) => {
        greeting += bytes;
        if (greeting.includes("\n")) {
          clearTimeout(late);
          resolve();
        }
      });
    });
    const { url, token, sign_in } = JSON.parse(greeting.split("\n")[0]);
    this.url = url.replace(/\/$/, "");
    this.token = token;
    this.firstLink = sign_in;
    this.port = new URL(this.url).port;
  }

  environment() {
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("ORCHESTRATOR"));
    return { ...Object.fromEntries(own), ORCHESTRATOR_CONTEXT_FILE: this.context, HOME: this.folder, NO_COLOR: "1" };
  }

  /** Runs a command as the administrator of the sandbox; gives its standard output. */
  async cli(...args) {
    const { stdout } = await run(program, args, { env: this.environment(), cwd: this.folder });
    return stdout;
  }

  /** Calls a method past the pages, as `JobService/List`. */
  async rpc(method, request = {}, token = this.token) {
    const answer = await fetch(`${this.url}/rpc/orchestrator.v1.${method}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const body = await answer.json();
    if (!answer.ok) {
      throw new Error(`${method}: ${JSON.stringify(body)}`);
    }
    return body;
  }

  /** Waits until the server says so. What it tells nobody of is asked for again. */
  async comes(what, isSo) {
    const late = Date.now() + 30_000;
    while (!(await isSo())) {
      if (Date.now() > late) {
        throw new Error(`${what}: not within 30 s`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Makes a user with a role, and a link that signs them in once. */
  async linkFor(name, role) {
    await this.rpc("AdminService/CreateUser", { name, role });
    const { path } = await this.rpc("AdminService/CreateSignInLink", { user: name });
    return this.url + path;
  }

  /** Stops the server as Ctrl-C does. */
  async stopServer() {
    this.server.removeAllListeners("exit");
    const ended = new Promise((resolve) => this.server.on("exit", resolve));
    this.server.kill("SIGINT");
    await ended;
  }

  /** Starts the same server again, at the same address and with the same data. */
  async restartServer() {
    if (this.server.exitCode === null) {
      await this.stopServer();
    }
    await this.#startServer(this.flags);
  }

  /** Ends all. */
  async stop() {
    await this.browser?.close();
    if (this.server?.exitCode === null) {
      await this.stopServer();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

}
