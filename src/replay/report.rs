//! A comparison as a report: for machines as JSON, for people as Markdown.

use super::compare::{Change, Changed, Comparison, Side, Step, Timing};
use serde::Serialize;
use std::fmt::Write as _;

/// Minutes that an agent needs for a conversation where the log has too few to tell.
const ASSUMED_MINUTES: f64 = 8.0;
/// Fewer closed conversations than this say little about the time they take.
const ENOUGH: usize = 20;
/// Changed conversations that a person's report lists of each kind; all of them stand in the JSON.
const LISTED: usize = 12;

/// What a replay found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the first side is.
    pub from_name: String,
    /// What the second side is.
    pub to_name: String,
    /// Turns that could not be decided again: their traces are from before this version, or damaged.
    pub left_out: usize,
    /// Agents' time.
    pub hours: Hours,
    /// The comparison.
    #[serde(flatten)]
    pub comparison: Comparison,
}

/// What hand-overs cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Hours {
    /// Minutes that one conversation takes an agent: the median.
    pub minutes_each: f64,
    /// Closed conversations that the median is of; 0 where it is assumed or was given.
    pub measured_on: usize,
    /// Agents' hours of the first side.
    pub from: f64,
    /// Of the second.
    pub to: f64,
}

impl Hours {
    /// From handling times in milliseconds, or from `given` minutes for each.
    #[must_use]
    pub fn new(comparison: &Comparison, mut times: Vec<i64>, given: Option<f64>) -> Self {
        times.sort_unstable();
        let measured = (given.is_none() && times.len() >= ENOUGH).then(|| times[times.len() / 2] as f64 / 60_000.0);
        let minutes_each = given.or(measured).unwrap_or(ASSUMED_MINUTES);
        let hours = |side: &Side| side.handed_over as f64 * minutes_each / 60.0;
        Self {
            minutes_each,
            measured_on: if measured.is_some() { times.len() } else { 0 },
            from: hours(&comparison.from),
            to: hours(&comparison.to),
        }
    }
}

impl Report {
    /// The report for people.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Comparison { conversations, turns, from, to, .. } = &self.comparison;
        writeln!(out, "# Replay: {} against {}\n", self.to_name, self.from_name)?;
        writeln!(out, "{conversations} conversations, {turns} customer turns; readings from the log.")?;
        if self.left_out > 0 {
            writeln!(out, "{} turns were left out: their traces cannot be decided again.", self.left_out)?;
        }
        writeln!(out, "\n| | {} | {} | difference |\n|---|---:|---:|---:|", self.from_name, self.to_name)?;
        let share = |count: usize| 100.0 * count as f64 / (*conversations).max(1) as f64;
        let mut row = |name: &str, from: usize, to: usize| {
            let (a, b) = (share(from), share(to));
            writeln!(out, "| {name} | {from} ({a:.1} %) | {to} ({b:.1} %) | {:+} |", to as i64 - from as i64)
        };
        row("Conversations handed over", from.handed_over, to.handed_over)?;
        row("Conversations with an offer", from.offered, to.offered)?;
        row("Kept by the bot", conversations - from.handed_over, conversations - to.handed_over)?;
        let Hours { minutes_each, measured_on, from: before, to: after } = self.hours;
        writeln!(out, "| Agents' hours | {before:.1} | {after:.1} | {:+.1} |", after - before)?;
        let basis = match measured_on {
            0 => "assumed or given: fewer than 20 closed conversations tell".to_owned(),
            count => format!("the median of {count} closed conversations"),
        };
        writeln!(out, "\nOne conversation takes an agent {minutes_each:.1} minutes ({basis}).")?;
        self.write_reasons(out)?;
        self.write_timing(out)?;
        self.write_changes(out)?;
        writeln!(
            out,
            "\n## What this cannot tell\n\nFrom the first difference on, the customer's words are those they said to \
             the bot of the record. What they said to a person is not put before the bot: a hand-over that no longer \
             happens is counted as kept by the bot, whether or not the customer would have asked again."
        )
    }

    fn write_reasons(&self, out: &mut String) -> std::fmt::Result {
        let Comparison { from, to, .. } = &self.comparison;
        let codes: std::collections::BTreeSet<&String> = from.reasons.keys().chain(to.reasons.keys()).collect();
        if codes.is_empty() {
            return Ok(());
        }
        let header = format!("| reason | {} | {} | difference |", self.from_name, self.to_name);
        writeln!(out, "\n## Hand-overs by reason\n\n{header}\n|---|---:|---:|---:|")?;
        for code in codes {
            let count = |side: &Side| side.reasons.get(code).copied().unwrap_or_default();
            let (before, after) = (count(from), count(to));
            writeln!(out, "| {code} | {before} | {after} | {:+} |", after as i64 - before as i64)?;
        }
        Ok(())
    }

    fn write_timing(&self, out: &mut String) -> std::fmt::Result {
        let (Some(before), Some(after)) = (self.comparison.from.timing, self.comparison.to.timing) else {
            return writeln!(out, "\nNo conversation is labelled, so nothing can be said about timing.");
        };
        writeln!(out, "\n## Timing against {} labelled conversations\n", after.labelled)?;
        writeln!(out, "| GT-T, 0 to 1 | {} | {} |\n|---|---:|---:|", self.from_name, self.to_name)?;
        let figures = |timing: Timing| timing.gt.into_iter().zip(timing.gt_late);
        for (number, (first, second)) in figures(before).zip(figures(after)).enumerate() {
            writeln!(out, "| tolerance {} | {:.3} | {:.3} |", number + 1, first.0, second.0)?;
            writeln!(out, "| tolerance {}, late costs more | {:.3} | {:.3} |", number + 1, first.1, second.1)?;
        }
        Ok(())
    }

    fn write_changes(&self, out: &mut String) -> std::fmt::Result {
        const KINDS: [(Change, &str); 7] = [
            (Change::Gained, "Handed over now"),
            (Change::Lost, "No longer handed over"),
            (Change::Earlier, "Handed over earlier"),
            (Change::Later, "Handed over later"),
            (Change::OfferGained, "A person is offered now"),
            (Change::OfferLost, "A person is no longer offered"),
            (Change::Reason, "For another reason"),
        ];
        writeln!(out, "\n## Conversations that change: {}", self.comparison.changed.len())?;
        for (kind, title) in KINDS {
            let all: Vec<&Changed> = self.comparison.changed.iter().filter(|changed| changed.change == kind).collect();
            if all.is_empty() {
                continue;
            }
            writeln!(out, "\n### {title}: {}\n", all.len())?;
            for changed in all.iter().take(LISTED) {
                let (from, to) = (told(changed.from.as_ref()), told(changed.to.as_ref()));
                writeln!(out, "- {}: {from} -> {to}", changed.conversation.0)?;
            }
            if all.len() > LISTED {
                writeln!(out, "- and {} more", all.len() - LISTED)?;
            }
        }
        Ok(())
    }
}

/// A step in words. What the customer said is evidence too; it stays on one line.
fn told(step: Option<&Step>) -> String {
    let Some(step) = step else { return "nobody".to_owned() };
    let done = if step.action == crate::domain::ActionKind::Handoff { "handed over" } else { "offered" };
    let evidence: String = step.evidence.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{done} at {} for {} ({evidence})", step.seq, step.reason)
}
