// From measurements to Markdown: medians with their spread, and candor's budgets.
import { VERSIONS } from "./packages.mjs";

const KB = 1_024;
const LOADER_AT_MOST = 5 * KB;
const ALL_AT_MOST = 45 * KB;
const LOADER_MS = 30;

const bytesOf = (state) => state.files.reduce((sum, { bytes }) => sum + bytes, 0);
const thousands = (value) => Math.round(value).toLocaleString("en-GB");
const digits = (value) => value.toFixed(Math.abs(value) < 100 ? 1 : 0);
const bareName = (name) => name.split(",")[0];
const title = (name) => (VERSIONS[bareName(name)] ? name.replace(bareName(name), `$& ${VERSIONS[bareName(name)]}`) : name);

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
}

const spread = (values) => `${digits(median(values))} (${digits(Math.min(...values))}–${digits(Math.max(...values))})`;

function broken(violations) {
  if (violations.length === 0) return "0";
  return `${violations.length}: ${violations.map(({ id, elements, practice }) => `${id}${practice ? "°" : ""}${elements > 1 ? ` ×${elements}` : ""}`).join(", ")}`;
}

const row = (cells) => `| ${cells.join(" | ")} |`;
const table = (head, rows) => [row(head), row(head.map((_, index) => (index ? "---:" : "---"))), ...rows.map(row)].join("\n");

/** `counts`: name to what one visit fetched; `rounds`: a map per round, name to what it cost. */
export function report({ counts, rounds, failures }) {
  const names = [...counts.keys()].filter((name) => name !== "none");
  const all = (name, value) => rounds.filter((round) => round.has(name) && round.has("none")).map((round) => value(round.get(name), round.get("none")));
  const shifts = (name, state) => Math.max(0, ...all(name, (one) => one[state]?.shift ?? 0)).toFixed(4);
  const weights = names.map((name) => {
    const { closed, opened } = counts.get(name);
    const after = (value) => (opened ? value(opened) : "–");
    return [title(name), thousands(bytesOf(closed)), after((state) => thousands(bytesOf(state))), closed.requests, after((state) => state.requests),
      shifts(name, "closed"), after(() => shifts(name, "opened")), broken(closed.violations), after((state) => broken(state.violations)), new Set((opened ?? closed).refused).size];
  });
  const MB = 1e6;
  const costs = names.map((name) => {
    const opens = counts.get(name).opened !== null;
    const embedding = (kind) => spread(all(name, (one, none) => one.closed[kind] - none.closed[kind]));
    const heap = (state) => spread(all(name, (one, none) => (one[state].heap - none.closed.heap) / MB));
    const opening = (kind) => (opens ? spread(all(name, (one) => one.opened[kind])) : "–");
    return [title(name), embedding("work"), embedding("script"), embedding("tasks"), opening("work"), heap("closed"), opens ? heap("opened") : "–"];
  });
  const baseline = (value) => spread(all("none", (one) => value(one.closed)));
  const work = median(all("candor", (one, none) => one.closed.work - none.closed.work));
  const [loader, everything] = [bytesOf(counts.get("candor").closed), bytesOf(counts.get("candor").opened)];
  const shift = Number(shifts("candor", "opened"));
  const budgets = [
    ["loader, bytes", LOADER_AT_MOST, loader, loader <= LOADER_AT_MOST],
    ["everything, bytes", ALL_AT_MOST, everything, everything <= ALL_AT_MOST],
    ["loader, main thread at 4x, ms", LOADER_MS, digits(work), work < LOADER_MS],
    ["layout shift", 0, shift, shift === 0],
  ].map(([what, most, is, held]) => [what, most, is, held ? "pass" : "**fail**"]);
  const refused = names.flatMap((name) => [...new Set((counts.get(name).opened ?? counts.get(name).closed).refused)].map((url) => `- ${name}: ${url}`));
  return [
    table(["widget", "bytes closed", "bytes opened", "requests closed", "requests opened", "CLS closed", "CLS opened", "axe closed", "axe opened", "refused"], weights),
    table(["widget", "embedding, ms", "of it script, ms", "all tasks, ms", "opening, ms", "heap closed, MB", "heap opened, MB"], costs),
    `The page alone, ${rounds.length} rounds: script, style and layout ${baseline((state) => state.work)} ms, all tasks ${baseline((state) => state.tasks)} ms, `
      + `heap ${baseline((state) => state.heap / MB)} MB, axe ${broken(counts.get("none").closed.violations)}.`,
    table(["candor's budget", "at most", "is", "held"], budgets),
    `Addresses outside of the machine that were asked for, and refused:\n\n${refused.join("\n") || "- none"}`,
    ...(failures.length ? [`Visits that failed, and are not in the table:\n\n${failures.map((line) => `- ${line}`).join("\n")}`] : []),
  ].join("\n\n");
}
