//! What raising each threshold does, in one table: the tests hold the decision to it, and the
//! explanation of a decision asks it what could have been raised.

use super::Policy;

/// What raising a threshold does to how soon a person is offered or brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Later, or the same: more evidence is asked for, or soft reasons rest longer.
    Later,
    /// Sooner, or the same: evidence weighs more, limits are lower, or more counts as evidence.
    Sooner,
    /// Either: a stricter reading leaves more turns not understood, which is a reason of its own.
    Either,
    /// Nothing: it decides about no person.
    None,
}

/// A threshold's place in a policy.
#[derive(Debug)]
pub enum Field<'p> {
    /// A probability or a share, 0 to 1.
    Share(&'p mut f32),
    /// A whole number.
    Count(&'p mut u32),
    /// Milliseconds.
    Millis(&'p mut u64),
}

/// One number of `policy.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    /// Section and key.
    pub path: &'static str,
    /// What raising it does.
    pub raised: Direction,
    /// Its kind.
    pub is_share: bool,
    /// Finds it.
    pub field: fn(&mut Policy) -> Field<'_>,
}

macro_rules! threshold {
    ($kind:ident $section:ident . $key:ident $raised:ident) => {
        Threshold {
            path: concat!(stringify!($section), ".", stringify!($key)),
            raised: Direction::$raised,
            is_share: matches!(stringify!($kind).as_bytes(), b"Share"),
            field: |policy| Field::$kind(&mut policy.$section.$key),
        }
    };
}

/// Every number of `policy.toml`.
pub const THRESHOLDS: &[Threshold] = &[
    threshold!(Share intent.accept_probability Either),
    threshold!(Share intent.accept_similarity Either),
    threshold!(Share intent.margin Either),
    threshold!(Share intent.sure_similarity Either),
    threshold!(Share intent.clarify_probability Either),
    threshold!(Share intent.hard_probability Later),
    threshold!(Share intent.hard_offer_probability Either),
    threshold!(Share intent.hard_similarity Either),
    threshold!(Share intent_rules.accept_probability Either),
    threshold!(Share intent_rules.accept_similarity Either),
    threshold!(Share intent_rules.margin Either),
    threshold!(Share intent_rules.sure_similarity Either),
    threshold!(Share intent_rules.clarify_probability Either),
    threshold!(Share intent_rules.hard_probability Later),
    threshold!(Share intent_rules.hard_offer_probability Either),
    threshold!(Share intent_rules.hard_similarity Either),
    threshold!(Share follow_up.probability Either),
    threshold!(Share follow_up.share Either),
    threshold!(Share follow_up.similarity Either),
    threshold!(Share follow_up.both Either),
    threshold!(Share wish.handoff Later),
    threshold!(Share wish.handoff_beside Later),
    threshold!(Share wish.offer Later),
    threshold!(Share wish.bot Either),
    threshold!(Share frustration.turn Later),
    threshold!(Count frustration.consecutive Later),
    threshold!(Share frustration.hostility Later),
    threshold!(Share frustration.single Later),
    threshold!(Share frustration.single_hostility Later),
    threshold!(Share frustration.rise Later),
    threshold!(Share frustration.rise_step Later),
    threshold!(Share frustration.rise_end Later),
    threshold!(Share shouting.capitals Later),
    threshold!(Count shouting.letters Later),
    threshold!(Count shouting.marks Later),
    threshold!(Share shouting.weight Sooner),
    threshold!(Share shouting.cap Sooner),
    threshold!(Share abuse.weight Sooner),
    threshold!(Count abuse.offer Later),
    threshold!(Count abuse.handoff Later),
    threshold!(Count failures.in_a_row Later),
    threshold!(Count failures.ask_tries Later),
    threshold!(Count failures.loop_times Later),
    threshold!(Count failures.loop_turns Sooner),
    threshold!(Count repeat_contact.lower_from Later),
    threshold!(Share repeat_contact.lower Sooner),
    threshold!(Count repeat_contact.first_sign_from Later),
    threshold!(Count repeat_contact.offer_from Later),
    threshold!(Share customer.lower Sooner),
    threshold!(Count customer.vip_priority None),
    threshold!(Count customer.vulnerable_priority None),
    threshold!(Count rating.low Sooner),
    threshold!(Count cooldown.after_return Later),
    threshold!(Count cooldown.after_decline Later),
    threshold!(Share explain.frustration None),
    threshold!(Count handover.remind_after_s None),
    threshold!(Count handover.late_after_s None),
    threshold!(Share mood.negative None),
    threshold!(Share mood.positive None),
    threshold!(Millis analysis.deadline_ms None),
    threshold!(Count privacy.keep_days None),
];

impl Threshold {
    /// Its value; counts and milliseconds as numbers.
    #[must_use]
    pub fn get(&self, policy: &Policy) -> f64 {
        match (self.field)(&mut policy.clone()) {
            Field::Share(value) => f64::from(*value),
            Field::Count(value) => f64::from(*value),
            Field::Millis(value) => u32::try_from(*value).map_or(f64::MAX, f64::from),
        }
    }

    /// Sets it; fractions of a count are dropped.
    pub fn set(&self, policy: &mut Policy, to: f64) {
        match (self.field)(policy) {
            Field::Share(value) => *value = to as f32,
            Field::Count(value) => *value = to as u32,
            Field::Millis(value) => *value = to as u64,
        }
    }
}
