//! Small evidence that is added to frustration, and what lowers the limits it is held against.
//!
//! Nothing here can bring a person by itself: the check of `policy.toml` sees to it that all of it
//! together stays below the limit of a frustrated turn.

use super::super::policy::Policy;
use super::super::trace::round;
use crate::domain::Customer;
use serde::Serialize;

/// How loud a text is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(in crate::dialogue) struct Loudness {
    /// Letters that have a capital form.
    pub(in crate::dialogue) letters: u32,
    /// Share of them that are capitals, 0 to 1.
    pub(in crate::dialogue) capitals: f32,
    /// Exclamation and question marks.
    pub(in crate::dialogue) marks: u32,
}

impl Loudness {
    /// Counts in the text as it was typed.
    pub(in crate::dialogue) fn of(text: &str) -> Self {
        let (mut letters, mut capitals, mut marks) = (0_u32, 0_u32, 0_u32);
        for sign in text.chars() {
            letters += u32::from(sign.is_lowercase() || sign.is_uppercase());
            capitals += u32::from(sign.is_uppercase());
            marks += u32::from(matches!(sign, '!' | '?' | '\u{ff01}' | '\u{ff1f}'));
        }
        let share = if letters == 0 { 0.0 } else { capitals as f32 / letters as f32 };
        Self { letters, capitals: round(share), marks }
    }
}

/// What is added to a turn's frustration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(in crate::dialogue) struct Added {
    /// For capitals and rows of marks.
    pub(in crate::dialogue) shouting: f32,
    /// For insults aimed at the bot or the business.
    pub(in crate::dialogue) abuse: f32,
}

impl Added {
    /// Both together.
    pub(in crate::dialogue) fn sum(&self) -> f32 {
        round(self.shouting + self.abuse)
    }
}

/// The weight of shouting and of an insult, in probability of frustration.
pub(in crate::dialogue) fn added(loudness: Loudness, abusive: bool, policy: &Policy) -> Added {
    let limits = &policy.shouting;
    let capitals = loudness.letters >= limits.letters && loudness.capitals >= limits.capitals;
    let signs = u8::from(capitals) + u8::from(loudness.marks >= limits.marks);
    Added {
        shouting: round((f32::from(signs) * limits.weight).min(limits.cap)),
        abuse: if abusive { policy.abuse.weight } else { 0.0 },
    }
}

/// One thing that lowers the limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::dialogue) struct Lowered {
    /// Why: `repeat_contact`, `vip` or `vulnerable`.
    pub(in crate::dialogue) by: &'static str,
    /// By so much probability.
    pub(in crate::dialogue) amount: f32,
}

/// Limits of frustration as they hold for this customer, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(in crate::dialogue) struct Limits {
    /// A frustrated turn.
    pub(in crate::dialogue) turn: f32,
    /// One turn that is enough.
    pub(in crate::dialogue) single: f32,
    /// Where a rise has to end.
    pub(in crate::dialogue) rise_end: f32,
}

/// What lowers the limits for this customer. The two flags are one reason to be served sooner, not two.
pub(in crate::dialogue) fn lowered(customer: &Customer, policy: &Policy) -> Vec<Lowered> {
    let mut lowered = Vec::new();
    if customer.contacts >= policy.repeat_contact.lower_from {
        lowered.push(Lowered { by: "repeat_contact", amount: policy.repeat_contact.lower });
    }
    if customer.vulnerable {
        lowered.push(Lowered { by: "vulnerable", amount: policy.customer.lower });
    } else if customer.vip {
        lowered.push(Lowered { by: "vip", amount: policy.customer.lower });
    }
    lowered
}

/// The limits of `policy.toml`, lowered.
pub(in crate::dialogue) fn limits(lowered: &[Lowered], policy: &Policy) -> Limits {
    let less: f32 = lowered.iter().map(|lowered| lowered.amount).sum();
    let lower = |limit: f32| round((limit - less).max(0.0));
    let limits = &policy.frustration;
    Limits { turn: lower(limits.turn), single: lower(limits.single), rise_end: lower(limits.rise_end) }
}
