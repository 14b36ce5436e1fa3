//! Two ways of deciding the same conversations, side by side: how many more or fewer people are brought in, in which
//! conversations and why, how well-timed, and what that costs in agents' hours.

use super::{Outcome, PastConversation};
use crate::domain::{ActionKind, ConversationId};
use crate::measure::timing::golden_transfer;
use serde::Serialize;
use std::collections::BTreeMap;

/// Tolerances of GT-T, in turns.
const TOLERANCES: [f64; 3] = [1.0, 2.0, 3.0];
/// What lateness costs more in the second set of figures (λ of GT-T).
const LATENESS: f64 = 0.5;

/// One way of deciding, counted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Turns on which a person was offered.
    pub offers: usize,
    /// Conversations in which a person was offered at least once.
    pub offered: usize,
    /// Conversations that were handed over.
    pub handed_over: usize,
    /// Hand-overs by their first reason.
    pub reasons: BTreeMap<String, usize>,
    /// Timing against staff's labels; none where nothing is labelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

/// Mean GT-T of the labelled conversations, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// Labelled conversations.
    pub labelled: usize,
    /// With a tolerance of 1, 2 and 3 turns.
    pub gt: [f64; 3],
    /// The same where lateness costs more (λ = 0.5).
    pub gt_late: [f64; 3],
}

/// How a conversation came out otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Handed over, and was not.
    Gained,
    /// Not handed over, and was.
    Lost,
    /// Handed over earlier.
    Earlier,
    /// Handed over later.
    Later,
    /// A person is offered, and was not; handed over alike.
    OfferGained,
    /// A person is not offered, and was; handed over alike.
    OfferLost,
    /// Brought in at the same turn for another reason.
    Reason,
}

/// One step towards a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Sequence number of the customer's event.
    pub seq: i64,
    /// Offer or hand-over.
    pub action: ActionKind,
    /// Code of the first reason.
    pub reason: String,
    /// What it was seen by, with the figure and its limit where it has them.
    pub evidence: String,
}

/// A conversation that came out otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Which.
    pub conversation: ConversationId,
    /// How.
    pub change: Change,
    /// The first step towards a person on the first side.
    pub from: Option<Step>,
    /// On the second side.
    pub to: Option<Step>,
}

/// Two ways of deciding, compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Conversations.
    pub conversations: usize,
    /// Customer turns in them.
    pub turns: usize,
    /// The first way.
    pub from: Side,
    /// The second.
    pub to: Side,
    /// What came out otherwise, in the order of the conversations.
    pub changed: Vec<Changed>,
}

impl Comparison {
    /// Conversations that changed in this way.
    #[must_use]
    pub fn count(&self, change: Change) -> usize {
        self.changed.iter().filter(|changed| changed.change == change).count()
    }

    /// Adds what another part of the conversations gave.
    pub fn add(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.turns += other.turns;
        self.from.add(other.from);
        self.to.add(other.to);
        self.changed.extend(other.changed);
    }
}

impl Side {
    fn take(&mut self, outcomes: &[Outcome], right: Option<&[usize]>) {
        let offers = outcomes.iter().filter(|outcome| outcome.action == ActionKind::Offer).count();
        let handover = outcomes.iter().find(|outcome| outcome.action == ActionKind::Handoff);
        self.offers += offers;
        self.offered += usize::from(offers > 0);
        self.handed_over += usize::from(handover.is_some());
        if let Some(reason) = handover.and_then(|outcome| outcome.reasons.first()) {
            *self.reasons.entry(reason.code.clone()).or_default() += 1;
        }
        if let Some(right) = right {
            let predicted: Vec<usize> = brought_in(outcomes).into_iter().collect();
            let one = Timing {
                labelled: 1,
                gt: TOLERANCES.map(|tolerance| golden_transfer(&predicted, right, tolerance, 0.0)),
                gt_late: TOLERANCES.map(|tolerance| golden_transfer(&predicted, right, tolerance, LATENESS)),
            };
            self.timing = Some(self.timing.map_or(one, |timing| timing.with(one)));
        }
    }

    fn add(&mut self, other: Self) {
        self.offers += other.offers;
        self.offered += other.offered;
        self.handed_over += other.handed_over;
        for (code, count) in other.reasons {
            *self.reasons.entry(code).or_default() += count;
        }
        self.timing = match (self.timing, other.timing) {
            (Some(own), Some(other)) => Some(own.with(other)),
            (own, other) => own.or(other),
        };
    }
}

impl Timing {
    /// The mean over the conversations of both.
    fn with(self, other: Self) -> Self {
        let labelled = self.labelled + other.labelled;
        let weigh =
            |own: f64, others: f64| (own * self.labelled as f64 + others * other.labelled as f64) / labelled as f64;
        let all = |own: [f64; 3], others: [f64; 3]| std::array::from_fn(|index| weigh(own[index], others[index]));
        Self { labelled, gt: all(self.gt, other.gt), gt_late: all(self.gt_late, other.gt_late) }
    }
}

/// Position of the turn at which a person was first offered or came; none if never.
#[must_use]
pub fn brought_in(outcomes: &[Outcome]) -> Option<usize> {
    outcomes.iter().position(|outcome| matches!(outcome.action, ActionKind::Offer | ActionKind::Handoff))
}

/// Compares one conversation decided in two ways. `right` are the positions of the turns at which staff say that a
/// person was needed; none if nobody said anything.
#[must_use]
pub fn compare(past: &PastConversation, from: &[Outcome], to: &[Outcome], right: Option<&[usize]>) -> Comparison {
    let mut comparison = Comparison { conversations: 1, turns: past.turns.len(), ..Comparison::default() };
    comparison.from.take(from, right);
    comparison.to.take(to, right);
    comparison.changed.extend(change(from, to).map(|change| Changed {
        conversation: past.id,
        change,
        from: step(past, from, change),
        to: step(past, to, change),
    }));
    comparison
}

fn change(from: &[Outcome], to: &[Outcome]) -> Option<Change> {
    let handover = |outcomes: &[Outcome]| outcomes.iter().position(|outcome| outcome.action == ActionKind::Handoff);
    let offer = |outcomes: &[Outcome]| outcomes.iter().position(|outcome| outcome.action == ActionKind::Offer);
    let reason = |outcomes: &[Outcome], at: Option<usize>| {
        at.and_then(|at| outcomes.get(at)).and_then(|outcome| outcome.reasons.first()).map(|reason| reason.code.clone())
    };
    let by_handover = match (handover(from), handover(to)) {
        (None, Some(_)) => Some(Change::Gained),
        (Some(_), None) => Some(Change::Lost),
        (Some(before), Some(after)) if after < before => Some(Change::Earlier),
        (Some(before), Some(after)) if after > before => Some(Change::Later),
        _ => None,
    };
    by_handover.or_else(|| match (offer(from), offer(to)) {
        (None, Some(_)) => Some(Change::OfferGained),
        (Some(_), None) => Some(Change::OfferLost),
        _ => {
            let (before, after) = (brought_in(from), brought_in(to));
            (before == after && reason(from, before) != reason(to, after)).then_some(Change::Reason)
        }
    })
}

/// The step that a change is about: the hand-over, or the offer where hand-overs are alike; on the side that has
/// none, what came nearest to it.
fn step(past: &PastConversation, outcomes: &[Outcome], change: Change) -> Option<Step> {
    let of = |action: ActionKind| outcomes.iter().position(|outcome| outcome.action == action);
    let at = match change {
        Change::OfferGained | Change::OfferLost => of(ActionKind::Offer),
        Change::Reason => brought_in(outcomes),
        _ => of(ActionKind::Handoff).or_else(|| of(ActionKind::Offer)),
    }?;
    let (outcome, turn) = (outcomes.get(at)?, past.turns.get(at)?);
    let reason = outcome.reasons.first();
    let figures = reason.and_then(|reason| Some(format!(" ({:.2}, limit {:.2})", reason.value?, reason.threshold?)));
    Some(Step {
        seq: turn.seq,
        action: outcome.action,
        reason: reason.map(|reason| reason.code.clone()).unwrap_or_default(),
        evidence: reason.map(|reason| reason.evidence.clone()).unwrap_or_default() + &figures.unwrap_or_default(),
    })
}
