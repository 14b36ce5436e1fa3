//! Every threshold of the dialogue, as `prompts/policy.toml` sets it.
//!
//! Numbers only: how they are used is told where they are used, and what raising each of them does
//! in `policy/direction.rs`.

mod direction;
mod evidence;
mod wish;

pub use direction::{Direction, Field, THRESHOLDS, Threshold};
pub use evidence::{AbusePolicy, CustomerPolicy, ExplainPolicy, RatingPolicy, RepeatContactPolicy, ShoutingPolicy};
pub use wish::WishPolicy;

use crate::domain::Customer;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use toml::Spanned;

/// All thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Accepting an intent that the model read.
    pub intent: IntentPolicy,
    /// Accepting an intent that keyword rules read; their figures have another scale.
    pub intent_rules: IntentPolicy,
    /// Accepting an intent of a message that leans on the answer before it.
    pub follow_up: FollowUpPolicy,
    /// What the reader of wishes leads to.
    #[serde(default)]
    pub wish: WishPolicy,
    /// When frustration offers a person.
    pub frustration: FrustrationPolicy,
    /// What shouting adds to frustration.
    pub shouting: ShoutingPolicy,
    /// What insults lead to.
    pub abuse: AbusePolicy,
    /// When the bot's own failures offer a person.
    pub failures: FailurePolicy,
    /// What repeated contact leads to.
    pub repeat_contact: RepeatContactPolicy,
    /// What the business's marks lead to.
    pub customer: CustomerPolicy,
    /// What a bad rating is.
    pub rating: RatingPolicy,
    /// When soft reasons rest.
    pub cooldown: CooldownPolicy,
    /// Whose words are looked into.
    pub explain: ExplainPolicy,
    /// What follows a hand-over while nobody has come.
    pub handover: HandoverPolicy,
    /// How a turn's mood is named.
    pub mood: MoodPolicy,
    /// How long the model may take.
    pub analysis: AnalysisPolicy,
    /// How long conversations are kept.
    pub privacy: PrivacyPolicy,
}

/// Gates of an intent. Both the probability and the similarity have to pass: the first alone is
/// high for texts about something else altogether, because it is shared out among known intents.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntentPolicy {
    /// Least probability of the best intent, 0 to 1.
    pub accept_probability: f32,
    /// Least cosine similarity to the intent's nearest example, 0 to 1.
    pub accept_similarity: f32,
    /// Least lead of the best intent over the second, 0 to 1 of probability.
    pub margin: f32,
    /// Similarity from which the probability no longer matters, 0 to 1.
    pub sure_similarity: f32,
    /// Least probability of the two best together for asking which one is meant, 0 to 1.
    pub clarify_probability: f32,
    /// Least probability for handing over because of an intent alone, 0 to 1; below it a person is offered.
    pub hard_probability: f32,
    /// Least probability for offering a person because of an intent alone, 0 to 1; below it the
    /// reading is not taken.
    pub hard_offer_probability: f32,
    /// Least similarity of an intent that leads to a person, 0 to 1; below it the reading is not taken.
    pub hard_similarity: f32,
}

/// Gates of a follow-up: only the intents of the topic before it are looked at, so they are lower.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FollowUpPolicy {
    /// Least probability of the best intent of the topic, 0 to 1.
    pub probability: f32,
    /// Least share of what the topic's intents have together, 0 to 1.
    pub share: f32,
    /// Least cosine similarity to the intent's nearest example, 0 to 1.
    pub similarity: f32,
    /// Least probability of each of two questions in one message that are both answered, 0 to 1.
    pub both: f32,
}

/// When frustration offers a person. All probabilities 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrustrationPolicy {
    /// A turn at or above it is a frustrated one.
    pub turn: f32,
    /// So many frustrated turns in a row offer a person.
    pub consecutive: u32,
    /// At least one turn of a run or rise shows this much hostility: anger, annoyance,
    /// disappointment, disapproval and disgust together. Two readings of the same words have to
    /// agree, because frustration alone is easily seen in plain, short requests.
    pub hostility: f32,
    /// One turn this frustrated offers at once,
    pub single: f32,
    /// if it shows this much hostility.
    pub single_hostility: f32,
    /// A rise this large over three turns offers,
    pub rise: f32,
    /// if each of the two steps is at least this
    pub rise_step: f32,
    /// and the last turn is at least this.
    pub rise_end: f32,
}

/// When the bot's own failures offer a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailurePolicy {
    /// So many failures in a row, in turns.
    pub in_a_row: u32,
    /// How often a missing value is asked for before that counts as given up.
    pub ask_tries: u32,
    /// The same answer so many times,
    pub loop_times: u32,
    /// within so many turns, this one included, is a loop.
    pub loop_turns: u32,
}

/// When soft reasons rest, in customer turns. Hard rules never rest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CooldownPolicy {
    /// After a person gave the conversation back to the bot.
    pub after_return: u32,
    /// After the customer declined an offer, unless things get worse.
    pub after_decline: u32,
}

/// What follows a hand-over while nobody has come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandoverPolicy {
    /// Seconds without a person until the on-call person is told again, where the reason notifies.
    pub remind_after_s: u32,
    /// Seconds of waiting until a customer is told that it takes longer, if they were promised nothing longer.
    pub late_after_s: u32,
}

/// How a turn's mood is named.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoodPolicy {
    /// Probability from which a turn is shown as negative, 0 to 1.
    pub negative: f32,
    /// Probability from which a turn is shown as positive, 0 to 1.
    pub positive: f32,
}

/// How long the model may take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnalysisPolicy {
    /// Milliseconds until keyword rules read the turn instead.
    pub deadline_ms: u64,
}

/// How long conversations are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrivacyPolicy {
    /// Days after its last event until a conversation is deleted. Texts name it as `{keep_days}`, so
    /// that what customers are told is what happens.
    pub keep_days: u32,
}

impl Policy {
    /// What a customer's marks add to the priority of a hand-over, in points of 100.
    #[must_use]
    pub fn priority_bonus(&self, customer: &Customer) -> i64 {
        let points = |mark: bool, points: u32| if mark { i64::from(points) } else { 0 };
        points(customer.vip, self.customer.vip_priority)
            .max(points(customer.vulnerable, self.customer.vulnerable_priority))
    }
}

/// A fault and where it is.
type Fault = (Range<usize>, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    intent: RawIntent,
    intent_rules: RawIntent,
    follow_up: RawFollowUp,
    wish: wish::RawWish,
    frustration: RawFrustration,
    shouting: evidence::RawShouting,
    abuse: evidence::RawAbuse,
    failures: RawFailures,
    repeat_contact: evidence::RawRepeatContact,
    customer: evidence::RawCustomer,
    rating: evidence::RawRating,
    explain: evidence::RawExplain,
    cooldown: RawCooldown,
    handover: RawHandover,
    mood: RawMood,
    analysis: RawAnalysis,
    privacy: RawPrivacy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent {
    accept_probability: Spanned<f64>,
    accept_similarity: Spanned<f64>,
    margin: Spanned<f64>,
    sure_similarity: Spanned<f64>,
    clarify_probability: Spanned<f64>,
    hard_probability: Spanned<f64>,
    hard_offer_probability: Spanned<f64>,
    hard_similarity: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFollowUp {
    probability: Spanned<f64>,
    share: Spanned<f64>,
    similarity: Spanned<f64>,
    both: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFrustration {
    turn: Spanned<f64>,
    consecutive: Spanned<i64>,
    hostility: Spanned<f64>,
    single: Spanned<f64>,
    single_hostility: Spanned<f64>,
    rise: Spanned<f64>,
    rise_step: Spanned<f64>,
    rise_end: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFailures {
    in_a_row: Spanned<i64>,
    ask_tries: Spanned<i64>,
    loop_times: Spanned<i64>,
    loop_turns: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCooldown {
    after_return: Spanned<i64>,
    after_decline: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHandover {
    remind_after_s: Spanned<i64>,
    late_after_s: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMood {
    negative: Spanned<f64>,
    positive: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnalysis {
    deadline_ms: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrivacy {
    keep_days: Spanned<i64>,
}

impl RawPolicy {
    /// Checks every number against its range. Faults go to `faults`; the value then is the range's end.
    pub(super) fn check(&self, faults: &mut Vec<Fault>) -> Policy {
        let mut intent = |raw: &RawIntent| IntentPolicy {
            accept_probability: share(&raw.accept_probability, faults),
            accept_similarity: share(&raw.accept_similarity, faults),
            margin: share(&raw.margin, faults),
            sure_similarity: share(&raw.sure_similarity, faults),
            clarify_probability: share(&raw.clarify_probability, faults),
            hard_probability: share(&raw.hard_probability, faults),
            hard_offer_probability: share(&raw.hard_offer_probability, faults),
            hard_similarity: share(&raw.hard_similarity, faults),
        };
        let (model, rules) = (intent(&self.intent), intent(&self.intent_rules));
        let raw = &self.frustration;
        let frustration = FrustrationPolicy {
            turn: share(&raw.turn, faults),
            consecutive: count(&raw.consecutive, 1..=10, faults),
            hostility: share(&raw.hostility, faults),
            single: share(&raw.single, faults),
            single_hostility: share(&raw.single_hostility, faults),
            rise: share(&raw.rise, faults),
            rise_step: share(&raw.rise_step, faults),
            rise_end: share(&raw.rise_end, faults),
        };
        if frustration.single < frustration.turn {
            faults.push((raw.single.span(), "`single` must not be below `turn`".to_owned()));
        }
        let follow_up = FollowUpPolicy {
            probability: share(&self.follow_up.probability, faults),
            share: share(&self.follow_up.share, faults),
            similarity: share(&self.follow_up.similarity, faults),
            both: share(&self.follow_up.both, faults),
        };
        let (shouting, abuse) = (self.shouting.check(faults), self.abuse.check(faults));
        let (repeat_contact, customer) = (self.repeat_contact.check(faults), self.customer.check(faults));
        if shouting.cap + abuse.weight + repeat_contact.lower + customer.lower >= frustration.turn {
            let reason = "shouting.cap, abuse.weight, repeat_contact.lower and customer.lower together must stay \
                          below `turn`: none of them may bring a person without frustration";
            faults.push((raw.turn.span(), reason.to_owned()));
        }
        Policy {
            intent: model,
            intent_rules: rules,
            follow_up,
            wish: self.wish.check(faults),
            frustration,
            shouting,
            abuse,
            repeat_contact,
            customer,
            rating: self.rating.check(faults),
            explain: self.explain.check(faults),
            failures: FailurePolicy {
                in_a_row: count(&self.failures.in_a_row, 1..=10, faults),
                ask_tries: count(&self.failures.ask_tries, 1..=5, faults),
                loop_times: count(&self.failures.loop_times, 2..=10, faults),
                loop_turns: count(&self.failures.loop_turns, 2..=10, faults),
            },
            cooldown: CooldownPolicy {
                after_return: count(&self.cooldown.after_return, 0..=20, faults),
                after_decline: count(&self.cooldown.after_decline, 0..=20, faults),
            },
            handover: HandoverPolicy {
                remind_after_s: count(&self.handover.remind_after_s, 30..=86_400, faults),
                late_after_s: count(&self.handover.late_after_s, 30..=86_400, faults),
            },
            mood: MoodPolicy {
                negative: share(&self.mood.negative, faults),
                positive: share(&self.mood.positive, faults),
            },
            analysis: AnalysisPolicy { deadline_ms: u64::from(count(&self.analysis.deadline_ms, 50..=10_000, faults)) },
            privacy: PrivacyPolicy { keep_days: count(&self.privacy.keep_days, 1..=3_650, faults) },
        }
    }
}

fn share(value: &Spanned<f64>, faults: &mut Vec<Fault>) -> f32 {
    let number = *value.get_ref();
    if !(0.0..=1.0).contains(&number) {
        faults.push((value.span(), format!("{number} is not between 0 and 1")));
    }
    // Scores are compared and stored with four digits; a finer limit could not be held against them.
    if (number * 10_000.0).round() / 10_000.0 != number {
        faults.push((value.span(), format!("{number} has more than four digits after the point")));
    }
    // As f32, because it is held against the model's f32 scores.
    number as f32
}

fn count(value: &Spanned<i64>, range: std::ops::RangeInclusive<u32>, faults: &mut Vec<Fault>) -> u32 {
    let number = u32::try_from(*value.get_ref()).ok().filter(|number| range.contains(number));
    number.unwrap_or_else(|| {
        let (low, high) = (range.start(), range.end());
        faults.push((value.span(), format!("{} is not between {low} and {high}", value.get_ref())));
        *low
    })
}
