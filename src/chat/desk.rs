//! The desk: the list entries that it shows, and what those who wait may expect.

use super::Result;
use crate::app::App;
use crate::domain::{AgentId, Author, Band, ConversationId, Mood, State, Timestamp, VisitorId};
use crate::store::{CardRow, PastWait};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Bot conversations that were active within this time are shown on the desk.
const LIVE: Duration = Duration::from_secs(30 * 60);
/// Waits of this period count for an estimate.
pub(super) const RECENT: Duration = Duration::from_secs(7 * 24 * 3600);
/// With fewer waits than this, no estimate is given: it would be a guess.
const ENOUGH_WAITS: usize = 5;

/// A reason with the words that staff read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReasonLabel {
    /// Code.
    pub code: String,
    /// Words.
    pub label: String,
}

/// The agent on a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Who.
    pub id: AgentId,
    /// Shown name.
    pub name: String,
}

/// A conversation as the desk lists it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Owner.
    pub state: State,
    /// The agent who has it.
    pub agent: Option<Holder>,
    /// What the customer is called.
    pub customer: String,
    /// The business vouched for who they are.
    pub verified: bool,
    /// Newest sequence number.
    pub seq: i64,
    /// When its newest event was written.
    pub last_at: Timestamp,
    /// Beginning of the newest message.
    pub last_text: Option<String>,
    /// Beginning of the customer's newest message.
    pub last_customer_text: Option<String>,
    /// Who wrote the newest message.
    pub last_role: Option<Author>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it entered the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// Higher first.
    pub priority: i64,
    /// Latest reason.
    pub reason: Option<ReasonLabel>,
    /// Mood of the newest turn.
    pub mood: Option<Mood>,
    /// Frustration of the newest turn, 0 to 1.
    pub frustration: Option<f64>,
    /// Signs of leaving after the newest turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub churn: Option<Churn>,
    /// Sample data.
    pub demo: bool,
}

/// Signs of leaving as a list shows them; what they are stands in the turn's trace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Churn {
    /// 0 to 1; hand-set, so an order rather than a probability.
    pub score: f64,
    /// Its range.
    pub band: Band,
}

/// What staff call an anonymous customer: stable, short, and nothing personal.
#[must_use]
pub fn visitor_name(id: VisitorId) -> String {
    let hex = id.0.simple().to_string().to_uppercase();
    format!("Visitor {}", &hex[hex.len() - 4..])
}

/// What staff call a customer: as the business does, or else by their id.
#[must_use]
pub fn customer_name(known: Option<String>, id: VisitorId) -> String {
    known.unwrap_or_else(|| visitor_name(id))
}

/// A reason code with its label from the prompts.
#[must_use]
pub fn reason_label(app: &App, code: &str) -> ReasonLabel {
    let label = app.prompts().reason(code).map_or(code, |texts| texts.label.as_str()).to_owned();
    ReasonLabel { code: code.to_owned(), label }
}

/// Everything that the desk shows when it is opened, in queue order.
///
/// # Errors
/// If storage fails.
pub async fn cards(app: &App) -> Result<Vec<Card>> {
    let rows = app.store.cards(app.clock.now().before(LIVE)).await?;
    Ok(rows.into_iter().map(|row| card_of(app, row)).collect())
}

/// The cards of these conversations; one that the desk does not show has none (closed, or nothing said yet).
///
/// # Errors
/// If storage fails.
pub async fn cards_of(app: &App, conversations: &[ConversationId]) -> Result<HashMap<ConversationId, Card>> {
    let rows = app.store.cards_of(conversations).await?;
    let shown = rows.into_iter().filter(|row| row.state != State::Closed);
    Ok(shown.map(|row| (row.id, card_of(app, row))).collect())
}

fn card_of(app: &App, row: CardRow) -> Card {
    Card {
        customer: customer_name(row.customer_name(), row.visitor_id),
        verified: row.verified,
        conversation: row.id,
        state: row.state,
        agent: row.agent_id.zip(row.agent_name).map(|(id, name)| Holder { id, name }),
        seq: row.last_seq,
        last_at: row.updated_at,
        last_text: row.last_text.as_deref().map(beginning),
        last_customer_text: row.last_customer_text.as_deref().map(beginning),
        last_role: row.last_author,
        created_at: row.created_at,
        queued_at: row.queued_at,
        priority: row.priority,
        reason: row.reason.map(|code| reason_label(app, &code)),
        mood: row.mood,
        frustration: row.frustration,
        churn: row.churn_score.zip(row.churn_band).map(|(score, band)| Churn { score, band }),
        demo: row.demo,
    }
}

/// As much of a message as a list shows.
fn beginning(text: &str) -> String {
    text.chars().take(160).collect()
}

/// A wait, as an honest range in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// A quarter of recent customers waited less.
    pub low_s: i64,
    /// A quarter of recent customers waited longer.
    pub high_s: i64,
}

/// How long people with about as many others ahead of them have waited lately; none while there are too few to say.
#[must_use]
pub(super) fn expected_wait(waits: &[PastWait], ahead: i64) -> Option<Wait> {
    quartiles(alike(waits, ahead)).map(|(low, high)| Wait { low_s: low / 1000, high_s: (high / 1000).max(1) })
}

/// The waits of people who had as many ahead of them, give or take one, or half as many where they are many: behind
/// six others nobody waits as long as the next in line.
fn alike(waits: &[PastWait], ahead: i64) -> Vec<i64> {
    let near = (ahead / 2).max(1);
    waits.iter().filter(|wait| (wait.ahead - ahead).abs() <= near).map(|wait| wait.waited).collect()
}

fn quartiles(mut values: Vec<i64>) -> Option<(i64, i64)> {
    if values.len() < ENOUGH_WAITS {
        return None;
    }
    values.sort_unstable();
    let last = values.len() - 1;
    Some((values[last / 4], values[last - last / 4]))
}

#[cfg(test)]
mod tests {
    use super::{PastWait, alike, quartiles, visitor_name};
    use crate::domain::VisitorId;
    use uuid::Uuid;

    #[test]
    fn thin_data_gives_no_promise() {
        assert_eq!(quartiles(vec![1, 2, 3, 4]), None);
        assert_eq!(quartiles(vec![50, 10, 30, 20, 40]), Some((20, 40)));
    }

    #[test]
    fn a_wait_is_expected_from_those_who_stood_as_far_back() {
        let waits: Vec<PastWait> = (0..10).map(|ahead| PastWait { ahead, waited: ahead * 60_000 }).collect();
        assert_eq!(alike(&waits, 0), [0, 60_000]);
        assert_eq!(alike(&waits, 6), [3, 4, 5, 6, 7, 8, 9].map(|minutes| minutes * 60_000));
        assert!(quartiles(alike(&waits, 40)).is_none(), "nobody was that far back lately");
    }

    #[test]
    fn a_visitor_is_named_by_their_id() {
        assert_eq!(visitor_name(VisitorId(Uuid::from_u128(0x7f3a))), "Visitor 7F3A");
    }
}
