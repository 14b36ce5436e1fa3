//! The figures that soft reasons are held against, gathered from the turn and what went before.

use super::super::PastTurn;
use super::super::rules::{Hit, RuleAction};
use super::super::trace::round;
use super::Seen;
use super::weights::{Added, Limits, Loudness, Lowered, added, limits, lowered};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Reason};
use serde::Serialize;

/// Why soft reasons rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::dialogue) enum Rest {
    /// A person has just given the conversation back.
    Returned,
    /// The customer has just declined an offer.
    Declined,
}

/// The figures that soft reasons are held against; part of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::dialogue) struct Figures {
    /// Frustration of this turn as it was read, 0 to 1.
    pub(in crate::dialogue) frustration: f32,
    /// How it was typed.
    pub(in crate::dialogue) loudness: Loudness,
    /// What that and insults add.
    pub(in crate::dialogue) added: Added,
    /// Frustration with what was added, at most 1: what the limits are held against.
    pub(in crate::dialogue) weighed: f32,
    /// The limits of this turn ...
    pub(in crate::dialogue) limits: Limits,
    /// ... and what lowered them.
    pub(in crate::dialogue) lowered: Vec<Lowered>,
    /// Hostility of this turn, 0 to 1.
    pub(in crate::dialogue) hostility: f32,
    /// Frustrated turns in a row, this one included; 0 if none of them was hostile.
    pub(in crate::dialogue) frustrated_in_a_row: u32,
    /// Rise as it was read over this turn and the two before, if both steps count and one was hostile.
    pub(in crate::dialogue) rise: Option<f32>,
    /// This turn is a failure of the bot.
    pub(in crate::dialogue) failed: bool,
    /// Failures in a row, this one included.
    pub(in crate::dialogue) failures_in_a_row: u32,
    /// A value was asked for too often.
    pub(in crate::dialogue) gave_up_asking: bool,
    /// This turn insults the bot or the business.
    pub(in crate::dialogue) abusive: bool,
    /// Such turns so far, this one included.
    pub(in crate::dialogue) abusive_turns: u32,
    /// Conversations of this customer within 24 hours, this one included.
    pub(in crate::dialogue) contacts: u32,
    /// What the answer itself suggests: an excluded topic, a low rating, a loop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::dialogue) suggested: Vec<Reason>,
    /// Soft reasons rest.
    pub(in crate::dialogue) rest: Option<Rest>,
}

impl Figures {
    /// One turn that is enough by itself.
    pub(super) fn is_extreme(&self, single_hostility: f32) -> bool {
        self.weighed >= self.limits.single && self.hostility >= single_hostility
    }
}

/// True if a rule counts the words as an insult.
pub(in crate::dialogue) fn is_abusive(hits: &[Hit]) -> bool {
    hits.iter().any(|hit| hit.action == RuleAction::Evidence)
}

pub(super) fn gather(seen: &Seen<'_>) -> Figures {
    let (policy, history) = (seen.policy, &seen.before.history);
    let run = |holds: &dyn Fn(&PastTurn) -> bool| {
        u32::try_from(history.iter().rev().take_while(|past| holds(past)).count()).unwrap_or(u32::MAX)
    };
    let abusive = is_abusive(seen.hits);
    let added = added(seen.loudness, abusive, policy);
    let weighed = together(seen.frustration, added.sum());
    let lowered = lowered(seen.turn.customer, policy);
    let limits = limits(&lowered, policy);
    let frustrated = run(&|past| together(past.frustration, past.added) >= limits.turn);
    let hostile = |turns: u32| {
        let latest = history.iter().rev().take(usize::try_from(turns).unwrap_or(usize::MAX));
        latest.map(|past| past.hostility).fold(seen.hostility, f32::max) >= policy.frustration.hostility
    };
    let is_frustrated = weighed >= limits.turn && hostile(frustrated);
    let run_of_failures = run(&|past| past.failed);
    let mut figures = Figures {
        frustration: seen.frustration,
        loudness: seen.loudness,
        added,
        weighed,
        limits,
        lowered,
        hostility: seen.hostility,
        frustrated_in_a_row: if is_frustrated { frustrated + 1 } else { 0 },
        rise: rise(seen).filter(|_| hostile(2)),
        failed: seen.candidate.failed,
        failures_in_a_row: if seen.candidate.failed { run_of_failures + 1 } else { 0 },
        gave_up_asking: seen.candidate.gave_up,
        abusive,
        abusive_turns: seen.before.abusive_turns + u32::from(abusive),
        contacts: seen.turn.customer.contacts.saturating_add(1),
        suggested: seen.candidate.suggests.clone(),
        rest: None,
    };
    figures.rest = rest(seen, &figures);
    figures
}

/// Frustration with what is added to it.
fn together(frustration: f32, added: f32) -> f32 {
    round((frustration + added).min(1.0))
}

/// Anger, annoyance, disappointment, disapproval and disgust as one probability, 0 to 1: that at
/// least one of them is there, taking them as independent, as the model does.
pub(in crate::dialogue) fn hostility(analysis: &Analysis) -> f32 {
    const HOSTILE: [&str; 5] = ["anger", "annoyance", "disappointment", "disapproval", "disgust"];
    let scores = EMOTIONS.iter().zip(&analysis.emotions);
    let hostile = scores.filter(|(name, _)| HOSTILE.contains(name));
    let none = hostile.map(|(_, score)| 1.0 - score.clamp(0.0, 1.0)).product::<f32>();
    round(1.0 - none)
}

/// A rise over three turns, each step of it real: a jump in one step may be one loud word. Nothing
/// that was added counts here, or a shout early on would hide the rise after it.
fn rise(seen: &Seen<'_>) -> Option<f32> {
    let [.., first, second] = seen.before.history.as_slice() else {
        return None;
    };
    let (first, second, now) = (first.frustration, second.frustration, seen.frustration);
    let step = seen.policy.frustration.rise_step;
    (round(second - first) >= step && round(now - second) >= step).then_some(round(now - first))
}

fn rest(seen: &Seen<'_>, figures: &Figures) -> Option<Rest> {
    let (before, policy) = (seen.before, seen.policy);
    let within = |since: Option<u32>, turns: u32| since.is_some_and(|since| since < turns);
    let worse = figures.is_extreme(policy.frustration.single_hostility)
        || figures.failures_in_a_row > policy.failures.in_a_row
        || (figures.abusive && figures.abusive_turns >= policy.abuse.handoff);
    if within(before.since_return, policy.cooldown.after_return) {
        Some(Rest::Returned)
    } else if within(before.since_decline, policy.cooldown.after_decline) && !worse {
        Some(Rest::Declined)
    } else {
        None
    }
}
