//! When a person is needed: at once, by an offer, or not.
//!
//! Two families. Hard reasons (asked for a person, danger, law) hand over the moment they are
//! seen. Soft reasons (frustration, the bot's failures, rules that only offer) need evidence over
//! turns, offer first, and hand over when they go on after the offer. Sentiment is no reason: a
//! customer may write about a broken parcel in the saddest words and still be well served.

use super::answering::Candidate;
use super::policy::Policy;
use super::prompts::Prompts;
use super::reading::{Meaning, Reading};
use super::rules::{Hit, RuleAction};
use super::{PastTurn, Turn};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Reason};
use serde::Serialize;

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

/// Why soft reasons rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Rest {
    /// A person has just given the conversation back.
    Returned,
    /// The customer has just declined an offer.
    Declined,
}

/// The figures that soft reasons are held against; part of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Frustration of this turn, 0 to 1.
    pub(super) frustration: f32,
    /// Hostility of this turn, 0 to 1.
    pub(super) hostility: f32,
    /// Frustrated turns in a row, this one included; 0 if none of them was hostile.
    pub(super) frustrated_in_a_row: u32,
    /// Rise over this turn and the two before, if both steps count and one turn was hostile.
    pub(super) rise: Option<f32>,
    /// This turn is a failure of the bot.
    pub(super) failed: bool,
    /// Failures in a row, this one included.
    pub(super) failures_in_a_row: u32,
    /// A value was asked for too often.
    pub(super) gave_up_asking: bool,
    /// Soft reasons rest.
    pub(super) rest: Option<Rest>,
}

/// Hard reasons: the button, rules, and intents read with enough probability.
pub(super) fn hard(turn: &Turn<'_>, hits: &[Hit], prompts: &Prompts) -> Vec<Reason> {
    if turn.button {
        return vec![plain("button", "pressed the button for a person")];
    }
    let mut reasons: Vec<Reason> = Vec::new();
    for hit in hits.iter().filter(|hit| hit.action == RuleAction::Handoff) {
        if !reasons.iter().any(|reason| reason.code == hit.reason) {
            reasons.push(plain(&hit.reason, &format!("said \"{}\"", hit.words)));
        }
    }
    by_priority(&mut reasons, prompts);
    reasons
}

/// An intent that leads to a person: handed over if read surely, offered if not.
pub(super) fn of_intent(reading: &Reading, analysis: &Analysis, prompts: &Prompts) -> Verdict {
    let Meaning::Intent(name) = &reading.meaning else {
        return Verdict::Stay;
    };
    let Some(intent) = prompts.intent(name) else {
        return Verdict::Stay;
    };
    let Some(code) = intent.kind.hard_reason() else {
        return Verdict::Stay;
    };
    let least = super::understanding::gates(analysis, prompts.policy()).hard_probability;
    let reason = Reason {
        code: code.to_owned(),
        evidence: format!("understood as \"{}\"", intent.title),
        value: Some(reading.probability),
        threshold: Some(least),
    };
    if reading.probability >= least { Verdict::Handoff(vec![reason]) } else { Verdict::Offer(vec![reason]) }
}

/// The customer's yes to an offer, with what the offer was for.
pub(super) fn accepted(turn: &Turn<'_>, reading: &Reading) -> Option<Vec<Reason>> {
    let offered = turn.before.offered.as_deref()?;
    (reading.meaning == Meaning::Accept).then(|| {
        // First why a person is needed: that is what the desk lists, and what the hand-over says.
        vec![plain(offered, "the reason of the offer"), plain("offer_accepted", "accepted the offer of a person")]
    })
}

/// Gathers the figures for [`soft`].
pub(super) fn figures(turn: &Turn<'_>, analysis: &Analysis, candidate: &Candidate, policy: &Policy) -> Figures {
    let history = &turn.before.history;
    let run = |holds: &dyn Fn(&PastTurn) -> bool| {
        u32::try_from(history.iter().rev().take_while(|past| holds(past)).count()).unwrap_or(u32::MAX)
    };
    let hostility = hostility(analysis);
    let frustrated = run(&|past| past.frustration >= policy.frustration.turn);
    let hostile = |turns: u32| {
        let latest = history.iter().rev().take(usize::try_from(turns).unwrap_or(usize::MAX));
        latest.map(|past| past.hostility).fold(hostility, f32::max) >= policy.frustration.hostility
    };
    let is_frustrated = analysis.frustration >= policy.frustration.turn && hostile(frustrated);
    let run_of_failures = run(&|past| past.failed);
    let failures_in_a_row = if candidate.failed { run_of_failures + 1 } else { 0 };
    Figures {
        frustration: analysis.frustration,
        hostility,
        frustrated_in_a_row: if is_frustrated { frustrated + 1 } else { 0 },
        rise: rise(history, analysis.frustration, policy).filter(|_| hostile(2)),
        failed: candidate.failed,
        failures_in_a_row,
        gave_up_asking: candidate.gave_up,
        rest: rest(turn, analysis, failures_in_a_row, policy),
    }
}

/// Anger, annoyance, disappointment, disapproval and disgust as one probability, 0 to 1: that at
/// least one of them is there, taking them as independent, as the model does.
pub(super) fn hostility(analysis: &Analysis) -> f32 {
    const HOSTILE: [&str; 5] = ["anger", "annoyance", "disappointment", "disapproval", "disgust"];
    let scores = EMOTIONS.iter().zip(&analysis.emotions);
    let hostile = scores.filter(|(name, _)| HOSTILE.contains(name));
    let none = hostile.map(|(_, score)| 1.0 - score.clamp(0.0, 1.0)).product::<f32>();
    super::trace::round(1.0 - none)
}

fn is_extreme(frustration: f32, hostility: f32, policy: &Policy) -> bool {
    let limits = &policy.frustration;
    frustration >= limits.single && hostility >= limits.single_hostility
}

/// A rise over three turns, each step of it real: a jump in one step may be one loud word.
fn rise(history: &[PastTurn], now: f32, policy: &Policy) -> Option<f32> {
    let [.., first, second] = history else {
        return None;
    };
    let (first, second) = (first.frustration, second.frustration);
    let steady = second - first >= policy.frustration.rise_step && now - second >= policy.frustration.rise_step;
    steady.then_some(now - first)
}

fn rest(turn: &Turn<'_>, analysis: &Analysis, failures: u32, policy: &Policy) -> Option<Rest> {
    let within = |since: Option<u32>, turns: u32| since.is_some_and(|since| since < turns);
    let worse = is_extreme(analysis.frustration, hostility(analysis), policy) || failures > policy.failures.in_a_row;
    if within(turn.before.since_return, policy.cooldown.after_return) {
        Some(Rest::Returned)
    } else if within(turn.before.since_decline, policy.cooldown.after_decline) && !worse {
        Some(Rest::Declined)
    } else {
        None
    }
}

/// Soft reasons: an offer at first, a hand-over when they are still there on the turn after it.
pub(super) fn soft(turn: &Turn<'_>, reading: &Reading, hits: &[Hit], figures: &Figures, prompts: &Prompts) -> Verdict {
    // A clear no is respected, whatever its tone.
    if matches!(reading.meaning, Meaning::Decline(_)) || figures.rest.is_some() {
        return Verdict::Stay;
    }
    if turn.before.offered.is_some() {
        let reasons = persisting(hits, figures, prompts);
        return if reasons.is_empty() { Verdict::Stay } else { Verdict::Handoff(reasons) };
    }
    let mut reasons = of_rules(hits);
    reasons.extend(of_frustration(figures, prompts.policy()));
    reasons.extend(of_failures(figures, prompts.policy()));
    if reasons.is_empty() { Verdict::Stay } else { Verdict::Offer(reasons) }
}

fn of_rules(hits: &[Hit]) -> Vec<Reason> {
    let offers = hits.iter().filter(|hit| hit.action == RuleAction::Offer);
    offers.map(|hit| plain(&hit.reason, &format!("said \"{}\"", hit.words))).collect()
}

fn of_frustration(figures: &Figures, policy: &Policy) -> Option<Reason> {
    let limits = &policy.frustration;
    let now = figures.frustration;
    let reason = |evidence: String, value: f32, threshold: f32| Reason {
        code: "frustration".to_owned(),
        evidence,
        value: Some(value),
        threshold: Some(threshold),
    };
    if is_extreme(now, figures.hostility, policy) {
        return Some(reason("frustration of one turn".to_owned(), now, limits.single));
    }
    if figures.frustrated_in_a_row >= limits.consecutive {
        return Some(reason(
            format!("frustration on {} turns in a row", figures.frustrated_in_a_row),
            now,
            limits.turn,
        ));
    }
    let rise = figures.rise.filter(|rise| *rise >= limits.rise && now >= limits.rise_end)?;
    Some(reason("rise of frustration over three turns".to_owned(), rise, limits.rise))
}

fn of_failures(figures: &Figures, policy: &Policy) -> Option<Reason> {
    let enough = figures.failures_in_a_row >= policy.failures.in_a_row;
    let evidence = if enough {
        format!("{} failures of the bot in a row", figures.failures_in_a_row)
    } else if figures.gave_up_asking {
        "a value was asked for too often".to_owned()
    } else {
        return None;
    };
    Some(Reason { code: "bot_failure".to_owned(), evidence, value: None, threshold: None })
}

/// After an offer, one more sign is enough: a frustrated turn, a failure, another threat.
fn persisting(hits: &[Hit], figures: &Figures, prompts: &Prompts) -> Vec<Reason> {
    let limits = &prompts.policy().frustration;
    let turn = limits.turn;
    let mut reasons = of_rules(hits);
    if figures.frustration >= turn && figures.hostility >= limits.hostility {
        reasons.push(Reason {
            code: "frustration".to_owned(),
            evidence: "still frustrated after the offer".to_owned(),
            value: Some(figures.frustration),
            threshold: Some(turn),
        });
    }
    if figures.failed {
        reasons.push(plain("bot_failure", "the bot failed again after the offer"));
    }
    reasons
}

/// The most urgent first: its text is said and its label shown.
fn by_priority(reasons: &mut [Reason], prompts: &Prompts) {
    let priority = |reason: &Reason| prompts.reason(&reason.code).map_or(0, |texts| texts.priority);
    reasons.sort_by_key(|reason| std::cmp::Reverse(priority(reason)));
}

fn plain(code: &str, evidence: &str) -> Reason {
    Reason { code: code.to_owned(), evidence: evidence.to_owned(), value: None, threshold: None }
}
