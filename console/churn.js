// Signs that a customer may leave: a quiet chip where they are many, and the list behind it.
// Must not weigh anything: it shows what the server stored with a turn.

import { h } from "./dom.js";
import { plural, score } from "./format.js";

const BANDS = { low: "Low", medium: "Medium", high: "High" };

/** A chip for a card's `churn`, only where it is high. */
export function churnChip(churn) {
  if (churn?.band !== "high") return null;
  return h("span", { class: "chip", title: "Several signs that this customer may leave. Hand-set weights: an order, not a probability." }, "May leave");
}

/** The signs after the newest of `turns` that has any weighed, or null. */
export function churnPart(turns, { open }) {
  const churn = turns.findLast((turn) => turn.trace?.churn)?.trace.churn;
  if (!churn) return null;
  return h(
    "details",
    { class: "fold churn", open },
    h("summary", null, `Signs of leaving: ${(BANDS[churn.band] ?? churn.band).toLowerCase()}`),
    churn.signals.length === 0
      ? h("p", { class: "quiet-text" }, "None was seen.")
      : h("ul", { class: "churn-signals" }, churn.signals.map((signal) => h(
          "li",
          null,
          h("span", null, signal.label, signal.count > 1 && h("span", { class: "quiet-text" }, ` ${plural(signal.count, "time")}`)),
          h("span", { class: "churn-weight" }, signed(signal.contribution)),
        ))),
    h("p", { class: "quiet-text" }, `Score ${score(churn.score)}, from ${signed(churn.bias)} and the above. Not calibrated: hand-set weights, so the order matters, not the number.`),
  );
}

const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(1)}`;
