// Reads a trace of Chromium: how long a page's main thread was busy, and with what.
export const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "blink.user_timing"];

const SCRIPT = new Set(["EvaluateScript", "v8.compile", "v8.compileModule", "v8.evaluateModule", "V8.CompileCode", "FunctionCall", "TimerFire", "FireAnimationFrame",
  "FireIdleCallback", "EventDispatch", "RunMicrotasks", "XHRReadyStateChange", "XHRLoad", "WebSocketReceive", "HandlePostMessage", "MajorGC", "MinorGC"]);
const WORK = new Set([...SCRIPT, "UpdateLayoutTree", "ParseAuthorStyleSheet", "Layout"]);
const TASKS = new Set(["RunTask"]);

/**
 * Milliseconds of processor time of the main threads: in script, style and layout (`work`), in script alone (`script`),
 * and in tasks of any kind (`tasks`). With `url`: only of the thread that shows it, from the navigation to it on.
 */
export function mainThread(buffer, url) {
  const { traceEvents: events } = JSON.parse(buffer.toString("utf8"));
  const threads = new Set(events.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(thread));
  const navigation = events.find(({ name, args }) => name === "navigationStart" && args.data?.documentLoaderURL === url);
  if (url && !navigation) throw new Error(`the trace has no navigation to ${url}`);
  const within = (event) => (url ? thread(event) === thread(navigation) && event.ts >= navigation.ts : threads.has(thread(event)));
  const here = events.filter((event) => event.ph === "X" && event.tdur && within(event)).sort((one, other) => one.ts - other.ts || other.dur - one.dur);
  const sum = (names) => outermost(here.filter(({ name }) => names.has(name))).reduce((all, { tdur }) => all + tdur, 0) / 1_000;
  return { work: sum(WORK), script: sum(SCRIPT), tasks: sum(TASKS) };
}

const thread = ({ pid, tid }) => `${pid}/${tid}`;

/** The events that are not within another one of their thread: what is nested is counted once. */
function outermost(events) {
  const ends = new Map();
  return events.filter((event) => {
    if (event.ts < (ends.get(thread(event)) ?? 0)) return false;
    ends.set(thread(event), event.ts + event.dur);
    return true;
  });
}
