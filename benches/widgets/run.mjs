// Candor's widget beside others, in one browser and one run: `node benches/widgets/run.mjs [--rounds N]` prints Markdown.
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { Server } from "../../tests/browser/helpers/server.mjs";
import { contenders } from "./contenders.mjs";
import { packages } from "./packages.mjs";
import { serveHost, serveWidgets } from "./stand-ins.mjs";
import { report } from "./table.mjs";
import { counted, launch, timed } from "./visit.mjs";

const AT_MOST = 40 * 60_000; // milliseconds for the whole run
const { values: given } = parseArgs({ options: { rounds: { type: "string", default: "9" } } });
const ROUNDS = Number(given.rounds);
if (!Number.isInteger(ROUNDS) || ROUNDS < 1) throw new Error("--rounds takes a number from 1 on");

setTimeout(() => {
  console.error("the run took too long");
  process.exit(1); // Playwright and the server's helper end what they started
}, AT_MOST).unref();

const load = () => loadavg().map((value) => value.toFixed(1)).join(", ");
const ends = [];
try {
  const ours = await packages();
  let pages = {};
  const host = await serveHost(() => pages);
  ends.unshift(() => host.close());
  const widgets = await serveWidgets(ours);
  ends.unshift(() => widgets.close());
  const candor = await Server.begin({ flags: ["--allow-origin", host.origin, "--models", "/nonexistent"] });
  ends.unshift(() => candor.stop());
  const browser = await launch();
  ends.unshift(() => browser.close());
  const all = contenders({ candor: candor.origin, widgets: widgets.origin });
  pages = Object.fromEntries(all.map(({ path, html }) => [path, html]));

  const begin = load();
  const counts = new Map();
  for (const one of all) {
    console.error(`counting ${one.name}`);
    counts.set(one.name, await counted(browser, one, host.origin + one.path));
  }
  const rounds = [];
  const failures = [];
  for (let index = 0; index < ROUNDS; index += 1) {
    console.error(`round ${index + 1} of ${ROUNDS}, load ${load()}`);
    const round = new Map();
    rounds.push(round);
    // Each round begins with another one, so that nobody is always first.
    for (const one of [...all.slice(index % all.length), ...all.slice(0, index % all.length)]) {
      await timed(browser, one, host.origin + one.path).then(
        (costs) => round.set(one.name, costs),
        (error) => failures.push(`${one.name}, round ${index + 1}: ${error.message.split("\n")[0]}`),
      );
    }
  }
  const [{ model }] = cpus();
  console.log(`${new Date().toISOString().slice(0, 10)}, Chromium ${browser.version()}, ${cpus().length} × ${model}, load ${begin} before and ${load()} after, ${ROUNDS} rounds\n`);
  console.log(report({ counts, rounds, failures }));
} finally {
  for (const end of ends) await end();
}
