//! Thresholds of the smaller evidence: how loud a text is, insults, who the customer is.

use super::{Fault, count, share};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// Shouting: a little evidence beside what the model reads, never enough alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShoutingPolicy {
    /// Least share of capitals among the letters, 0 to 1,
    pub capitals: f32,
    /// in a text of so many letters.
    pub letters: u32,
    /// So many exclamation and question marks in a text.
    pub marks: u32,
    /// What each of the two adds to frustration, 0 to 1,
    pub weight: f32,
    /// and what both add at most.
    pub cap: f32,
}

/// Insults aimed at the bot or the business, in customer turns of one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbusePolicy {
    /// What an insult adds to the frustration of its turn, 0 to 1.
    pub weight: f32,
    /// From so many abusive turns on, one more offers a person;
    pub offer: u32,
    /// from so many on, it hands over.
    pub handoff: u32,
}

/// Customers who had other conversations in the 24 hours before this one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatContactPolicy {
    /// From so many other conversations on, the limits of frustration are lower
    pub lower_from: u32,
    /// by this much, 0 to 1;
    pub lower: f32,
    /// from so many on, the first sign of anything offers a person;
    pub first_sign_from: u32,
    /// from so many on, a person is offered at once.
    pub offer_from: u32,
}

/// Customers whom the business marked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomerPolicy {
    /// The limits of frustration are lower by this much for both, 0 to 1.
    pub lower: f32,
    /// Points of queue priority for a customer who is served first, 0 to 100,
    pub vip_priority: u32,
    /// and for a vulnerable one. The larger counts, not the sum.
    pub vulnerable_priority: u32,
}

/// What a bad rating is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingPolicy {
    /// A score of 1 to 5 up to here is a low one.
    pub low: u32,
}

/// Whose words are looked into after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExplainPolicy {
    /// Least frustration of a turn, 0 to 1.
    pub frustration: f32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawShouting {
    capitals: Spanned<f64>,
    letters: Spanned<i64>,
    marks: Spanned<i64>,
    weight: Spanned<f64>,
    cap: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAbuse {
    weight: Spanned<f64>,
    offer: Spanned<i64>,
    handoff: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRepeatContact {
    lower_from: Spanned<i64>,
    lower: Spanned<f64>,
    first_sign_from: Spanned<i64>,
    offer_from: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCustomer {
    lower: Spanned<f64>,
    vip_priority: Spanned<i64>,
    vulnerable_priority: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRating {
    low: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExplain {
    frustration: Spanned<f64>,
}

impl RawShouting {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> ShoutingPolicy {
        ShoutingPolicy {
            capitals: share(&self.capitals, faults),
            letters: count(&self.letters, 1..=200, faults),
            marks: count(&self.marks, 1..=20, faults),
            weight: share(&self.weight, faults),
            cap: share(&self.cap, faults),
        }
    }
}

impl RawAbuse {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> AbusePolicy {
        let policy = AbusePolicy {
            weight: share(&self.weight, faults),
            offer: count(&self.offer, 1..=10, faults),
            handoff: count(&self.handoff, 1..=20, faults),
        };
        if policy.handoff < policy.offer {
            faults.push((self.handoff.span(), "`handoff` must not be below `offer`".to_owned()));
        }
        policy
    }
}

impl RawRepeatContact {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> RepeatContactPolicy {
        RepeatContactPolicy {
            lower_from: count(&self.lower_from, 1..=20, faults),
            lower: share(&self.lower, faults),
            first_sign_from: count(&self.first_sign_from, 1..=20, faults),
            offer_from: count(&self.offer_from, 1..=20, faults),
        }
    }
}

impl RawCustomer {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> CustomerPolicy {
        CustomerPolicy {
            lower: share(&self.lower, faults),
            vip_priority: count(&self.vip_priority, 0..=100, faults),
            vulnerable_priority: count(&self.vulnerable_priority, 0..=100, faults),
        }
    }
}

impl RawRating {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> RatingPolicy {
        // 0 is no score: nobody counts as dissatisfied then.
        RatingPolicy { low: count(&self.low, 0..=5, faults) }
    }
}

impl RawExplain {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> ExplainPolicy {
        ExplainPolicy { frustration: share(&self.frustration, faults) }
    }
}
