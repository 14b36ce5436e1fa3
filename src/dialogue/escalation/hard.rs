//! What hands over at once: the button, rules, sure readings, and the yes to an offer. Never rests.

use super::super::prompts::Prompts;
use super::super::reading::Meaning;
use super::super::rules::RuleAction;
use super::super::understanding::gates;
use super::{Seen, Verdict, measured, plain};
use crate::domain::Reason;

/// Hard reasons: the button and rules.
pub(super) fn hard(seen: &Seen<'_>) -> Vec<Reason> {
    if seen.turn.button {
        return vec![plain("button", "pressed the button for a person")];
    }
    let mut reasons: Vec<Reason> = Vec::new();
    for hit in seen.hits.iter().filter(|hit| hit.action == RuleAction::Handoff) {
        if !reasons.iter().any(|reason| reason.code == hit.reason) {
            reasons.push(plain(&hit.reason, &format!("said \"{}\"", hit.words)));
        }
    }
    by_priority(&mut reasons, seen.prompts);
    reasons
}

/// An intent that leads to a person: handed over if read surely, offered if not.
pub(super) fn of_intent(seen: &Seen<'_>) -> Verdict {
    let Meaning::Intent(name) = &seen.reading.meaning else {
        return Verdict::Stay;
    };
    let Some(intent) = seen.prompts.intent(name) else {
        return Verdict::Stay;
    };
    let Some(code) = intent.kind.hard_reason() else {
        return Verdict::Stay;
    };
    let (least, probability) = (gates(seen.analysis, seen.policy).hard_probability, seen.reading.probability);
    let reason = measured(code, format!("understood as \"{}\"", intent.title), probability, least);
    if probability >= least { Verdict::Handoff(vec![reason]) } else { Verdict::Offer(vec![reason]) }
}

/// The customer's yes to an offer, with what the offer was for.
pub(super) fn accepted(seen: &Seen<'_>) -> Option<Vec<Reason>> {
    let offered = seen.before.offered.as_deref()?;
    (seen.reading.meaning == Meaning::Accept).then(|| {
        // First why a person is needed: that is what the desk lists, and what the hand-over says.
        vec![plain(offered, "the reason of the offer"), plain("offer_accepted", "accepted the offer of a person")]
    })
}

/// The most urgent first: its text is said and its label shown.
fn by_priority(reasons: &mut [Reason], prompts: &Prompts) {
    let priority = |reason: &Reason| prompts.reason(&reason.code).map_or(0, |texts| texts.priority);
    reasons.sort_by_key(|reason| std::cmp::Reverse(priority(reason)));
}
