// Starts the real release binary on a free port with a database of its own, and ends it by its id.
// It must not know pages: tests drive those.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const BINARY = process.env.CANDOR_BIN ?? join(ROOT, "target/release/candor");
const READY_WITHIN = 60_000; // milliseconds; far above what is asked of it, for a loaded machine
const STOPPED_WITHIN = 20_000;

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A TCP port of the loopback address that nobody listens on now. */
export async function freePort() {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** One candor server. `flags` are further command-line flags. */
export class Server {
  /** What /readyz said of the model when the start was over. */
  model = null;
  #child = null;
  #folder;
  #flags;
  output = "";

  constructor({ port, folder, flags }) {
    this.port = port;
    this.#folder = folder;
    this.#flags = flags;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** A running server with an empty database of its own. */
  static async begin({ flags = [], port } = {}) {
    await access(BINARY).catch(() => assert.fail(`${BINARY} is missing: build it with \`cargo build --release\``));
    const folder = await mkdtemp(join(tmpdir(), "candor-test-"));
    const server = new Server({ port: port ?? (await freePort()), folder, flags });
    await server.start();
    return server;
  }

  /** Starts it (again) on its port and database, and waits until it is ready and its model reads. */
  async start() {
    assert.equal(this.#child, null, "the server runs already");
    this.output = "";
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("CANDOR_")));
    const flags = ["--listen", `127.0.0.1:${this.port}`, "--database", join(this.#folder, "candor.db"), ...this.#flags];
    const child = spawn(BINARY, flags, { cwd: ROOT, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the server was not ready in time:\n${this.output}`)), READY_WITHIN);
      const take = (chunk) => {
        this.output += chunk;
        if (!/^ {2}stop\b/m.test(this.output)) return;
        clearTimeout(late);
        resolve();
      };
      child.stdout.setEncoding("utf8").on("data", take);
      child.stderr.setEncoding("utf8").on("data", take);
      child.once("exit", (code) => {
        clearTimeout(late);
        reject(new Error(`the server ended with ${code}:\n${this.output}`));
      });
    });
    // It takes chats before; what the bot answers is tested with the model.
    for (const begin = Date.now(); (this.model = await this.#modelStage()) === "loading"; ) {
      assert.ok(Date.now() - begin < READY_WITHIN, `the model was not loaded in time:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #modelStage() {
    const answer = await fetch(`http://127.0.0.1:${this.port}/readyz`);
    return (await answer.json()).model;
  }

  /** The one-time link for the first manager, as the server printed it. */
  get setupLink() {
    const link = /first run\s+(\S+)/.exec(this.output)?.[1];
    assert.ok(link, `no one-time link in the output:\n${this.output}`);
    return link;
  }

  /** Ends the process as a crash would: no goodbye on any socket. */
  async crash() {
    await this.#end("SIGKILL");
  }

  /** Ends the process in order; its database stays. */
  async halt() {
    await this.#end("SIGTERM");
  }

  /** Ends the process in order and removes its database. */
  async stop() {
    await this.#end("SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal) {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), STOPPED_WITHIN);
    await ended;
    clearTimeout(late);
  }
}

/** A value of prompts/: the text after `key =` in one file, outside of multi-line texts. */
export async function promptValue(file, key) {
  const text = await readFile(join(ROOT, "prompts", file), "utf8");
  const value = new RegExp(`^${key} = "?([^"\\n#]*?)"?\\s*(?:#.*)?$`, "m").exec(text)?.[1];
  assert.ok(value, `prompts/${file} has no ${key}`);
  return value.trim();
}

/** What a business's own server signs of a customer (docs/identity.md), good for five minutes. */
export function identityToken(secret, customer) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...customer, exp: Math.floor(Date.now() / 1_000) + 300 })}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}
