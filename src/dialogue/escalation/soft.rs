//! Evidence over turns: an offer at first, a hand-over when it is still there on the turn after it.

use super::super::reading::Meaning;
use super::super::rules::RuleAction;
use super::{Figures, Seen, Verdict, measured, number, plain};
use crate::domain::Reason;

pub(super) fn soft(seen: &Seen<'_>, figures: &Figures) -> Verdict {
    // A clear no is respected, whatever its tone.
    if matches!(seen.reading.meaning, Meaning::Decline(_)) || figures.rest.is_some() {
        return Verdict::Stay;
    }
    if figures.abusive && figures.abusive_turns >= seen.policy.abuse.handoff {
        return Verdict::Handoff(of_abuse(seen, figures).into_iter().collect());
    }
    let offered = seen.before.offered.as_deref();
    if offered.is_some() {
        let reasons = persisting(seen, figures);
        if !reasons.is_empty() {
            return Verdict::Handoff(reasons);
        }
    }
    // What the dialogue suggests for the second time in a row is meant; something else is offered afresh.
    let again = figures.suggested.iter().any(|reason| Some(reason.code.as_str()) == offered);
    if again {
        return Verdict::Handoff(figures.suggested.clone());
    }
    if offered.is_some() {
        let suggested = figures.suggested.clone();
        return if suggested.is_empty() { Verdict::Stay } else { Verdict::Offer(suggested) };
    }
    let mut reasons = of_rules(seen);
    reasons.extend(figures.suggested.iter().cloned());
    reasons.extend(of_abuse(seen, figures));
    reasons.extend(of_frustration(seen, figures));
    reasons.extend(of_failures(seen, figures));
    reasons.extend(of_past_contacts(seen, figures));
    if reasons.is_empty() { Verdict::Stay } else { Verdict::Offer(reasons) }
}

fn of_rules(seen: &Seen<'_>) -> Vec<Reason> {
    let offers = seen.hits.iter().filter(|hit| hit.action == RuleAction::Offer);
    offers.map(|hit| plain(&hit.reason, &format!("said \"{}\"", hit.words))).collect()
}

fn of_abuse(seen: &Seen<'_>, figures: &Figures) -> Option<Reason> {
    let limits = &seen.policy.abuse;
    let turns = figures.abusive_turns;
    let limit = if turns >= limits.handoff { limits.handoff } else { limits.offer };
    (figures.abusive && turns >= limit).then(|| {
        let evidence = format!("insults on {turns} turns of the conversation; content note for whoever reads it");
        measured("abuse", evidence, number(turns), number(limit))
    })
}

fn of_frustration(seen: &Seen<'_>, figures: &Figures) -> Option<Reason> {
    let (policy, limits, now) = (&seen.policy.frustration, &figures.limits, figures.weighed);
    let reason = |evidence: String, value: f32, limit: f32| measured("frustration", evidence, value, limit);
    if figures.is_extreme(policy.single_hostility) {
        return Some(reason("frustration of one turn".to_owned(), now, limits.single));
    }
    if figures.frustrated_in_a_row >= policy.consecutive {
        let evidence = format!("frustration on {} turns in a row", figures.frustrated_in_a_row);
        return Some(reason(evidence, now, limits.turn));
    }
    let rise = figures.rise.filter(|rise| *rise >= policy.rise && figures.frustration >= limits.rise_end)?;
    Some(reason("rise of frustration over three turns".to_owned(), rise, policy.rise))
}

fn of_failures(seen: &Seen<'_>, figures: &Figures) -> Option<Reason> {
    let (failures, limit) = (figures.failures_in_a_row, seen.policy.failures.in_a_row);
    if failures >= limit {
        let evidence = format!("{failures} failures of the bot in a row");
        return Some(measured("bot_failure", evidence, number(failures), number(limit)));
    }
    figures.gave_up_asking.then(|| plain("bot_failure", "a value was asked for too often"))
}

/// Somebody who came back, or was left dissatisfied the last time, is not made to wait for a second sign.
fn of_past_contacts(seen: &Seen<'_>, figures: &Figures) -> Option<Reason> {
    let (policy, customer) = (&seen.policy.repeat_contact, seen.turn.customer);
    let contacts = |evidence: String, others: u32| {
        Some(measured("repeat_contact", evidence, number(figures.contacts), number(others.saturating_add(1))))
    };
    // Once, at the start: asking on every turn would be a nuisance.
    if customer.contacts >= policy.offer_from && seen.before.history.is_empty() {
        return contacts(format!("contact {} within 24 hours", figures.contacts), policy.offer_from);
    }
    let sign = first_sign(seen, figures)?;
    if customer.contacts >= policy.first_sign_from {
        let evidence = format!("contact {} within 24 hours, and a first sign: {sign}", figures.contacts);
        return contacts(evidence, policy.first_sign_from);
    }
    let low = i64::from(seen.policy.rating.low);
    let rated = customer.last_rating.filter(|rating| *rating <= low)?;
    Some(plain("low_rating", &format!("rated the last conversation {rated} of 5, and a first sign: {sign}")))
}

/// The first thing that would count as evidence.
fn first_sign(seen: &Seen<'_>, figures: &Figures) -> Option<&'static str> {
    let hostile = figures.hostility >= seen.policy.frustration.hostility;
    if figures.weighed >= figures.limits.turn && hostile {
        Some("frustration of this turn")
    } else if figures.failed {
        Some("the bot failed")
    } else {
        figures.abusive.then_some("an insult")
    }
}

/// After an offer, one more sign is enough: a frustrated turn, a failure, another threat.
fn persisting(seen: &Seen<'_>, figures: &Figures) -> Vec<Reason> {
    let limit = figures.limits.turn;
    let mut reasons = of_rules(seen);
    reasons.extend(of_abuse(seen, figures));
    if figures.weighed >= limit && figures.hostility >= seen.policy.frustration.hostility {
        reasons.push(measured("frustration", "still frustrated after the offer".to_owned(), figures.weighed, limit));
    }
    if figures.failed {
        reasons.push(plain("bot_failure", "the bot failed again after the offer"));
    }
    reasons
}
