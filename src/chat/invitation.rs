//! Invitations to a chat: counted when one is due, checked against the business's system where a
//! trigger asks for that, and compared between visits with and without.

use super::{Result, lookup};
use crate::app::App;
use crate::dialogue::answer_name;
use crate::domain::{Arm, ConversationId, Invitation, Timestamp};
use crate::store::ArmCount;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Characters of an order number and the like at most.
const NUMBER: usize = 60;
/// Visits of an arm below which a difference is not told: an interval would be wider than any effect.
const ENOUGH_VISITS: i64 = 100;
/// Conversations of both arms together below which it is not told either.
const ENOUGH_CONVERSATIONS: i64 = 10;
/// The 97.5th percentile of the normal distribution: intervals are of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Counts an invitation that was due; false if there is no such trigger.
///
/// # Errors
/// Storage errors.
pub async fn count(app: &App, trigger: &str, arm: Arm) -> Result<bool> {
    if app.prompts().triggers().get(trigger).is_none() {
        return Ok(false);
    }
    app.store.count_invitation(trigger.to_owned(), arm, app.clock.now()).await?;
    Ok(true)
}

/// Whether the business's system says what a trigger waits for, about a number that the page names.
/// None if there is no such trigger, or if it asks for nothing.
pub async fn check(app: &App, trigger: &str, number: &str) -> Option<bool> {
    let prompts = app.prompts();
    let check = prompts.triggers().get(trigger)?.when.lookup.as_ref()?;
    let slot = prompts.slot(&check.slot)?;
    let named: String = number.chars().take(NUMBER).collect();
    // A value that the bot would not take from a message is not sent on either.
    let Some(value) = slot.find(&named) else { return Some(false) };
    let values = BTreeMap::from([(check.slot.clone(), value)]);
    let outcome = lookup::fetch(app, &prompts, &check.lookup, &values, trigger).await;
    let answer = answer_name(prompts.lookup(&check.lookup)?, &outcome);
    Some(check.answers.contains(&answer))
}

/// Notes the invitation of a page view with the conversation that was opened in it. One that the
/// prompts do not know is left out: it is a browser's word.
///
/// # Errors
/// Storage errors.
pub async fn note(app: &App, conversation: ConversationId, invitation: Invitation) -> Result<()> {
    if app.prompts().triggers().get(&invitation.trigger).is_some() {
        app.store.note_invitation(conversation, invitation).await?;
    }
    Ok(())
}

/// One arm of a trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ArmFigures {
    /// Visits in which the invitation was due.
    pub visits: i64,
    /// Of those, in how many the customer said something in a chat.
    pub conversations: i64,
    /// Conversations that accepting the invitation opened.
    pub accepted: i64,
    /// Conversations that went to a person.
    pub handed_over: i64,
    /// Conversations that were rated.
    pub rated: i64,
    /// Mean of the ratings, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csat: Option<f64>,
}

/// A difference of two shares with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// First share less the second, -1 to 1.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One trigger's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TriggerFigures {
    /// Its name.
    pub name: String,
    /// Its text; none if it is no longer in the prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Visits in which it was shown.
    pub shown: ArmFigures,
    /// Visits in which it was due and not shown, by lot.
    pub held_out: ArmFigures,
    /// Share of visits with a conversation, shown less held out; none where there are too few to tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Difference>,
}

/// Figures of every trigger that was due from `from` (inclusive) to `to` (exclusive), or is in the prompts.
///
/// # Errors
/// Storage errors.
pub async fn figures(app: &App, from: Timestamp, to: Timestamp) -> Result<Vec<TriggerFigures>> {
    let counts = app.store.invitation_counts(from, to).await?;
    let prompts = app.prompts();
    let known = prompts.triggers().list.iter().map(|trigger| trigger.name.as_str());
    let names: BTreeSet<&str> = counts.iter().map(|count| count.trigger_name.as_str()).chain(known).collect();
    let of = |name: &str, arm| counts.iter().find(|count| count.trigger_name == name && count.arm == arm);
    Ok(names
        .into_iter()
        .map(|name| {
            let (shown, held_out) = (arm(of(name, Arm::Shown)), arm(of(name, Arm::HeldOut)));
            TriggerFigures {
                name: name.to_owned(),
                text: prompts.triggers().get(name).map(|trigger| trigger.text.clone()),
                effect: effect(&shown, &held_out),
                shown,
                held_out,
            }
        })
        .collect())
}

fn arm(count: Option<&ArmCount>) -> ArmFigures {
    let Some(count) = count else { return ArmFigures::default() };
    ArmFigures {
        visits: count.visits,
        conversations: count.conversations,
        accepted: count.accepted,
        handed_over: count.handed_over,
        rated: count.rated,
        csat: (count.rated > 0).then(|| (count.rating_sum as f64 / count.rated as f64 * 100.0).round() / 100.0),
    }
}

fn effect(shown: &ArmFigures, held_out: &ArmFigures) -> Option<Difference> {
    let few = shown.visits.min(held_out.visits) < ENOUGH_VISITS
        || shown.conversations + held_out.conversations < ENOUGH_CONVERSATIONS;
    (!few).then(|| difference((shown.conversations, shown.visits), (held_out.conversations, held_out.visits)))
}

/// The difference of two independent shares with Newcombe's hybrid score interval (R. G. Newcombe,
/// "Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
/// 1998, method 10): the distances come from the Wilson intervals of the two shares.
fn difference(first: (i64, i64), second: (i64, i64)) -> Difference {
    let (p, lower_p, upper_p) = wilson(first);
    let (q, lower_q, upper_q) = wilson(second);
    let value = p - q;
    Difference { value, low: value - (p - lower_p).hypot(upper_q - q), high: value + (upper_p - p).hypot(q - lower_q) }
}

/// A share with its score interval (E. B. Wilson, 1927). A beacon can be lost where a conversation is not, so
/// the share is cut at 1.
fn wilson((hits, all): (i64, i64)) -> (f64, f64, f64) {
    let n = all as f64;
    let p = (hits as f64 / n).min(1.0);
    let z2 = Z * Z;
    let middle = 2.0f64.mul_add(n * p, z2);
    let spread = Z * (4.0 * n * p).mul_add(1.0 - p, z2).sqrt();
    let base = 2.0 * (n + z2);
    (p, (middle - spread) / base, (middle + spread) / base)
}

#[cfg(test)]
mod tests {
    use super::{ArmFigures, difference, effect};

    #[test]
    fn the_interval_is_that_of_the_paper() {
        // Newcombe 1998, table II, method 10: examples (a), (d) and (g).
        for ((first, second), (low, high)) in [
            (((56, 70), (48, 80)), (0.0524, 0.3339)),
            (((5, 56), (0, 29)), (-0.0381, 0.1926)),
            (((10, 10), (0, 20)), (0.6791, 1.0)),
        ] {
            let found = difference(first, second);
            assert!((found.low - low).abs() < 5e-5 && (found.high - high).abs() < 5e-5, "{found:?}");
        }
    }

    #[test]
    fn few_visits_tell_nothing() {
        let arm = |visits, conversations| ArmFigures { visits, conversations, ..ArmFigures::default() };
        assert_eq!(effect(&arm(5_000, 400), &arm(99, 3)), None);
        assert_eq!(effect(&arm(5_000, 7), &arm(500, 2)), None);
        let told = effect(&arm(900, 90), &arm(100, 2)).unwrap();
        assert!(told.low > 0.0 && (told.value - 0.08).abs() < 1e-12, "{told:?}");
    }
}
