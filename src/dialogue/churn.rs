//! How likely a customer seems to leave: the signals of `churn.toml`, added up and squeezed to 0 to 1.
//!
//! The weights are set by hand, so the order of two scores means something and the number alone does
//! not. Nothing is decided here.

use super::prompts::{Prompts, Signal, SignalKind};
use super::{Decision, Turn, normalise};
use crate::domain::{Band, ChurnRisk, ChurnSignal, Mood};

/// One customer turn, as far as the risk depends on it.
#[derive(Clone, Copy, Debug)]
pub struct ChurnTurn<'a> {
    /// The turn.
    pub turn: &'a Turn<'a>,
    /// What was decided about it.
    pub decision: &'a Decision,
    /// The lookup that was made, and which of its answers it led to.
    pub looked_up: Option<(&'a str, &'a str)>,
    /// Answers of the bot that the customer marked as not helpful, so far.
    pub thumbs_down: u32,
}

/// The risk after this turn; `before` is the one after the turn before. None if `churn.toml` is not there.
#[must_use]
pub fn churn_risk(now: &ChurnTurn<'_>, before: Option<&ChurnRisk>, prompts: &Prompts) -> Option<ChurnRisk> {
    let churn = prompts.churn()?;
    let text = normalise(now.turn.text);
    let hits = if now.turn.button { Vec::new() } else { prompts.rules().search(&text).0 };
    let reasons: Vec<&str> = hits.iter().map(|hit| hit.reason.as_str()).collect();
    let mut signals: Vec<ChurnSignal> = churn
        .signals
        .iter()
        .filter_map(|signal| {
            let earlier = before.and_then(|risk| risk.signals.iter().find(|seen| seen.name == signal.name));
            let count = count(signal, now, &reasons, earlier.map_or(0, |seen| seen.count));
            (count > 0).then(|| ChurnSignal {
                name: signal.name.clone(),
                label: signal.label.clone(),
                count,
                contribution: round(signal.weight * f64::from(count.min(signal.most))),
            })
        })
        .collect();
    let sum: f64 = churn.bias + signals.iter().map(|signal| signal.contribution).sum::<f64>();
    let score = round(1.0 / (1.0 + (-sum).exp()));
    signals.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    let band = if score >= churn.high {
        Band::High
    } else if score >= churn.medium {
        Band::Medium
    } else {
        Band::Low
    };
    Some(ChurnRisk { score, band, bias: churn.bias, signals })
}

/// How often a signal was seen in the conversation, or before it.
fn count(signal: &Signal, now: &ChurnTurn<'_>, reasons: &[&str], earlier: u32) -> u32 {
    let customer = now.turn.customer;
    let seen = match &signal.kind {
        SignalKind::Contacts => return customer.contacts,
        SignalKind::LowRating(limit) => return u32::from(customer.last_rating.is_some_and(|rating| rating <= *limit)),
        SignalKind::ThumbsDown => return now.thumbs_down,
        SignalKind::Rule(reason) => reasons.contains(&reason.as_str()),
        SignalKind::Frustrated => now.decision.mood == Mood::Frustrated,
        SignalKind::Positive => now.decision.mood == Mood::Positive,
        SignalKind::Failed => now.decision.failed,
        SignalKind::Intent(names) => now.decision.intent.as_ref().is_some_and(|intent| names.contains(intent)),
        SignalKind::Lookup(lookup, answers) => {
            now.looked_up.is_some_and(|(name, answer)| name == lookup && answers.iter().any(|one| one == answer))
        }
    };
    earlier.saturating_add(u32::from(seen))
}

/// Four digits are more than the weights are worth, and the same on every machine.
fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
