//! When a person is needed: at once, by an offer, or not.
//!
//! Two families. Hard reasons (asked for a person, danger, law, a disputed payment) hand over the
//! moment they are seen. Soft reasons (frustration, the bot's failures, threats to leave, insults,
//! repeated contact) need evidence over turns, offer first, and hand over when they go on after the
//! offer. Sentiment is no reason: a customer may write about a broken parcel in the saddest words
//! and still be well served. Must not know what the bot says, only whether it failed.
//!
//! `wish` holds the reader's probability of a wish for a person against its limits, `weights` adds small evidence and lowers limits, `figures` gathers what is compared, `hard` and
//! `soft` compare, and `changes` asks what would have changed the outcome.

mod changes;
mod figures;
mod hard;
mod soft;
mod weights;
mod wish;

pub(super) use changes::Changes;
pub(super) use figures::{Figures, hostility, is_abusive};
pub(super) use weights::{Loudness, added};

use super::answering::Candidate;
use super::language::Heard;
use super::policy::Policy;
use super::prompts::Prompts;
use super::reading::Reading;
use super::rules::Hit;
use super::{DialogueState, Turn};
use crate::domain::{Analysis, Reason};

/// What escalation says to a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// The bot goes on.
    Stay,
    /// The bot offers a person.
    Offer(Vec<Reason>),
    /// A person takes over.
    Handoff(Vec<Reason>),
}

impl Verdict {
    /// How far it goes towards a person: 0 stays, 1 offers, 2 hands over.
    fn rank(&self) -> u8 {
        match self {
            Self::Stay => 0,
            Self::Offer(_) => 1,
            Self::Handoff(_) => 2,
        }
    }

    /// In one word.
    fn name(&self) -> &'static str {
        match self {
            Self::Stay => "stay",
            Self::Offer(_) => "offer",
            Self::Handoff(_) => "handoff",
        }
    }

    fn reasons(&self) -> &[Reason] {
        match self {
            Self::Stay => &[],
            Self::Offer(reasons) | Self::Handoff(reasons) => reasons,
        }
    }
}

/// All that a verdict depends on. A copy with one thing changed asks what that would have changed.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) turn: &'a Turn<'a>,
    /// What the bot remembers.
    pub(super) before: &'a DialogueState,
    pub(super) analysis: &'a Analysis,
    pub(super) prompts: &'a Prompts,
    pub(super) policy: &'a Policy,
    pub(super) hits: &'a [Hit],
    pub(super) heard: &'a Heard,
    pub(super) reading: &'a Reading,
    pub(super) candidate: &'a Candidate,
    /// Frustration as it was read, 0 to 1.
    pub(super) frustration: f32,
    /// Hostile emotions together, 0 to 1.
    pub(super) hostility: f32,
    /// How loud the text is typed.
    pub(super) loudness: Loudness,
}

/// A verdict, who gave it, and the figures behind it.
pub(super) struct Judgement {
    pub(super) figures: Figures,
    pub(super) by: &'static str,
    pub(super) verdict: Verdict,
}

/// Asks every family in order of urgency and names the one that decided.
pub(super) fn judge(seen: &Seen<'_>) -> Judgement {
    let figures = figures::gather(seen);
    let (by, verdict) = verdict(seen, &figures);
    Judgement { figures, by, verdict }
}

fn verdict(seen: &Seen<'_>, figures: &Figures) -> (&'static str, Verdict) {
    let hard = hard::hard(seen);
    if !hard.is_empty() {
        return (if seen.turn.button { "button" } else { "hard_rule" }, Verdict::Handoff(hard));
    }
    if let Some(reasons) = hard::accepted(seen) {
        return ("offer_accepted", Verdict::Handoff(reasons));
    }
    let unsure = match wish::with_intent(seen, figures, hard::of_intent(seen)) {
        // A second unsure sign after an offer is not unsure any more.
        Verdict::Offer(reasons) if seen.before.offered.is_some() => {
            return ("intent_after_offer", Verdict::Handoff(reasons));
        }
        handoff @ Verdict::Handoff(_) => return ("intent", handoff),
        unsure => unsure,
    };
    let (by, verdict) = match seen.heard.verdict(seen, figures) {
        Some(verdict) => ("language", verdict),
        None => ("soft_reasons", soft::soft(seen, figures)),
    };
    // An unsure sign offers a person; it is no reason to hold back one who is needed anyway.
    match (unsure.rank(), verdict.rank()) {
        (0, 0) => ("answer", Verdict::Stay),
        (sign, other) if sign >= other => ("intent", unsure),
        _ => (by, verdict),
    }
}

/// A reason that is no score.
fn plain(code: &str, evidence: &str) -> Reason {
    Reason { code: code.to_owned(), evidence: evidence.to_owned(), value: None, threshold: None }
}

/// A reason with the figure that made it and the limit it was held against.
fn measured(code: &str, evidence: String, value: f32, threshold: f32) -> Reason {
    Reason { code: code.to_owned(), evidence, value: Some(value), threshold: Some(threshold) }
}

/// A count as a figure of a reason; counts here are small.
fn number(count: u32) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
