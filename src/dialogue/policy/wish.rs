//! Thresholds of the reader of wishes for a person.

use super::{Fault, share};
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// What the reader of wishes leads to, in every language. All probabilities 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WishPolicy {
    /// Least probability of a wish for a person that hands over, where the bot has no answer to the message;
    pub handoff: f32,
    /// the same where it has one.
    pub handoff_beside: f32,
    /// Least probability of one that offers a person, where the bot has no answer.
    pub offer: f32,
    /// Least probability of a question about the bot that is answered as one.
    pub bot: f32,
}

impl Default for WishPolicy {
    /// That of decisions from before there was a reader: nothing is sure enough.
    fn default() -> Self {
        Self { handoff: 1.0, handoff_beside: 1.0, offer: 1.0, bot: 1.0 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWish {
    handoff: Spanned<f64>,
    handoff_beside: Spanned<f64>,
    offer: Spanned<f64>,
    bot: Spanned<f64>,
}

impl RawWish {
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> WishPolicy {
        let wish = WishPolicy {
            handoff: share(&self.handoff, faults),
            handoff_beside: share(&self.handoff_beside, faults),
            offer: share(&self.offer, faults),
            bot: share(&self.bot, faults),
        };
        if wish.offer > wish.handoff.min(wish.handoff_beside) {
            faults.push((self.offer.span(), "`offer` must not be above what hands over".to_owned()));
        }
        wish
    }
}
