// The other widgets: fetched at pinned versions into a folder outside the repository and made into the files that a
// site owner would embed. Nothing of theirs is kept here.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const PATIENCE = 300_000; // milliseconds for one command of npm

export const VERSIONS = {
  "rasa-webchat": "1.0.1",
  "botframework-webchat": "4.18.1",
  "@papercups-io/chat-widget": "1.3.1",
  "@livechat/widget-core": "1.4.1",
  react: "17.0.2", // the newest that Papercups admits
  "react-dom": "17.0.2",
  esbuild: "0.28.2",
  "socket.io": "3.1.2", // the server beside rasa-webchat's client
  ws: "8.23.0",
};
const INSTALLED = ["@papercups-io/chat-widget", "@livechat/widget-core", "react", "react-dom", "esbuild", "socket.io", "ws"];
const SHIPPED = ["rasa-webchat", "botframework-webchat"]; // their packages hold a file for a script tag

// What is bundled, in the words of each package's README.
const PAPERCUPS = `
  import React from "react";
  import { render } from "react-dom";
  import { ChatWidget } from "@papercups-io/chat-widget";
  const place = document.body.appendChild(document.createElement("div"));
  render(React.createElement(ChatWidget, window.papercupsSettings), place);`;
const LIVECHAT = `
  import { createWidget } from "@livechat/widget-core";
  createWidget({ license: "1" }).init();`;

const run = promisify(execFile);
const named = (name) => `${name}@${VERSIONS[name]}`;

/** The files to embed, by name, and `require` for the two servers of the stand-ins. */
export async function packages() {
  const recipe = JSON.stringify([VERSIONS, PAPERCUPS, LIVECHAT]);
  const folder = join(tmpdir(), `candor-widgets-${createHash("sha256").update(recipe).digest("hex").slice(0, 12)}`);
  const there = await access(folder).then(() => true, () => false);
  if (!there) await make(folder);
  const read = (name) => readFile(join(folder, name));
  return {
    folder,
    require: createRequire(join(folder, "package.json")),
    files: {
      "rasa.js": await read("rasa-webchat/package/lib/index.js"),
      "botframework.js": await read("botframework-webchat/package/dist/webchat.js"),
      "botframework-minimal.js": await read("botframework-webchat/package/dist/webchat-minimal.js"),
      "papercups.js": await read("papercups.js"),
      "livechat.js": await read("livechat.js"),
    },
  };
}

// In a folder beside, named rightly when it is whole.
async function make(folder) {
  const half = `${folder}.${process.pid}`;
  await rm(half, { recursive: true, force: true });
  await mkdir(half);
  const execute = (program, args, cwd = half) => run(program, args, { cwd, timeout: PATIENCE, env: { ...process.env, NODE_ENV: "production" } });
  await writeFile(join(half, "package.json"), JSON.stringify({ name: "widgets", private: true }));
  await execute("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", ...INSTALLED.map(named)]);
  for (const name of SHIPPED) {
    const { stdout } = await execute("npm", ["pack", "--ignore-scripts", "--silent", named(name)]);
    await mkdir(join(half, name));
    await execute("tar", ["-xzf", join(half, stdout.trim().split("\n").at(-1)), "-C", join(half, name)]);
  }
  for (const [name, source] of [["papercups", PAPERCUPS], ["livechat", LIVECHAT]]) {
    await writeFile(join(half, `${name}.entry.js`), source);
    const flags = ["--bundle", "--minify", "--format=iife", '--define:process.env.NODE_ENV="production"', "--log-level=error", `--outfile=${name}.js`];
    await execute(join(half, "node_modules/.bin/esbuild"), [`${name}.entry.js`, ...flags]);
  }
  await rename(half, folder);
}
