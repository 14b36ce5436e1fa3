//! What managers read: transcripts, figures, and facts about the installation.

use super::error::{ApiError, ApiResult, Problem};
use super::extract::{AgentUser, Json, Manager, OwnOrigin, Path, Query};
use super::frame::{Reader, Turn, event};
use crate::app::{App, Shared};
use crate::bus::Signal;
use crate::chat::desk::{customer_name, reason_label};
use crate::domain::{ConversationId, Mood, State as Owner, Timestamp, time::DAY_MS};
use crate::store::{HIT_END, HIT_START, TranscriptFilter, TranscriptRow};
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};

/// Conditions of the transcript list. Every value is typed, so none reaches SQL as text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conditions {
    q: Option<String>,
    state: Option<Owner>,
    reason: Option<String>,
    mood: Option<Mood>,
    before: Option<String>,
    limit: Option<i64>,
}

/// The period of the figures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Period {
    pub(super) days: Option<i64>,
}

/// `GET /v1/transcripts`: the list, newest change first. `next` is the cursor for `before`.
///
/// # Errors
/// `bad_request` for a condition that does not exist.
pub(super) async fn list(
    _manager: Manager,
    State(app): State<Shared>,
    Query(conditions): Query<Conditions>,
) -> ApiResult<Json<Value>> {
    let limit = conditions.limit.unwrap_or(30).clamp(1, 100);
    let before = conditions.before.as_deref().map(parse_cursor).transpose()?;
    let filter = TranscriptFilter {
        query: conditions.q.filter(|query| !query.trim().is_empty()),
        state: conditions.state,
        reason: conditions.reason,
        mood: conditions.mood,
        before,
        limit,
    };
    let rows = app.store.transcripts(&filter).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| format!("{}_{}", row.updated_at.0, row.id));
    let items: Vec<Value> = rows.iter().map(|row| line(&app, row)).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// A cursor is the time and id of the last line of a page.
fn parse_cursor(cursor: &str) -> ApiResult<(Timestamp, ConversationId)> {
    let parts = cursor.split_once('_').and_then(|(at, id)| Some((Timestamp(at.parse().ok()?), id.parse().ok()?)));
    parts.ok_or_else(|| ApiError::new(Problem::BadRequest, "`before` is the `next` of an earlier answer"))
}

fn line(app: &App, row: &TranscriptRow) -> Value {
    json!({
        "conversation": row.id,
        "state": row.state,
        "agent": row.agent_name.as_ref().map(|name| json!({ "name": name })),
        "customer": customer_name(row.customer_name(), row.visitor_id),
        "verified": row.verified,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "closed_at": row.closed_at,
        "turns": row.turns,
        "reason": row.reason.as_deref().map(|code| reason_label(app, code)),
        "mood_end": row.mood_end,
        "mood_worst": row.mood_worst,
        "csat": row.csat,
        "first_text": row.first_text.as_ref().map(|text| text.chars().take(160).collect::<String>()),
        "snippet": row.snippet.as_deref().map(parts),
        "demo": row.demo,
    })
}

/// A snippet as pieces, so that a page marks hits without ever building HTML from text.
fn parts(snippet: &str) -> Vec<Value> {
    let mut pieces = Vec::new();
    for (index, chunk) in snippet.split(HIT_START).enumerate() {
        let (hit, rest) = if index == 0 { ("", chunk) } else { chunk.split_once(HIT_END).unwrap_or((chunk, "")) };
        for (text, is_hit) in [(hit, true), (rest, false)] {
            if !text.is_empty() {
                pieces.push(json!({ "text": text, "hit": is_hit }));
            }
        }
    }
    pieces
}

/// `GET /v1/transcripts/{id}`: one conversation with every reading and decision.
///
/// # Errors
/// `not_found`.
pub(super) async fn show(
    _manager: Manager,
    State(app): State<Shared>,
    Path(id): Path<ConversationId>,
) -> ApiResult<Json<Value>> {
    let conversation = app.store.conversation(id).await?.ok_or(Problem::NotFound)?;
    let (mut events, mut turns) = (Vec::new(), Vec::new());
    let mut after = 0;
    loop {
        let page = app.store.events_after(id, after).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        events.extend(page.iter().map(|entry| event(entry, Reader::Staff)));
    }
    after = 0;
    loop {
        let page = app.store.turns_after(id, after).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        turns.extend(page.iter().map(|turn| json!(Turn::from(turn))));
    }
    let mut facts = json!(conversation);
    if let Some(facts) = facts.as_object_mut() {
        let agent = match conversation.agent_id {
            Some(agent) => app.store.agent(agent).await?.map(|agent| json!({ "id": agent.id, "name": agent.name })),
            None => None,
        };
        facts.insert("conversation".to_owned(), json!(id));
        let profile = app.store.profile(conversation.visitor_id).await?;
        facts.insert("verified".to_owned(), json!(profile.is_some()));
        let name = customer_name(profile.and_then(|profile| profile.name), conversation.visitor_id);
        facts.insert("customer".to_owned(), json!(name));
        facts.insert("agent".to_owned(), json!(agent));
        let reason = conversation.reason.as_deref().map(|code| reason_label(&app, code));
        facts.insert("reason".to_owned(), json!(reason));
    }
    Ok(Json(json!({ "conversation": facts, "events": events, "turns": turns })))
}

/// `GET /v1/figures`: the first figures of the last days, today included, by UTC day.
///
/// # Errors
/// `not_signed_in`, `forbidden`.
pub(super) async fn figures(
    _manager: Manager,
    State(app): State<Shared>,
    Query(period): Query<Period>,
) -> ApiResult<Json<Value>> {
    let days = period.days.unwrap_or(7).clamp(1, 366);
    let today = app.clock.now().day();
    let (from, to) = (Timestamp((today - days + 1) * DAY_MS), Timestamp((today + 1) * DAY_MS));
    let figures = app.store.figures(from, to).await?;
    let rated: i64 = figures.csat.iter().sum();
    let total: i64 = figures.csat.iter().zip(1_i64..).map(|(count, score)| count * score).sum();
    let by_day: Vec<Value> = (today - days + 1..=today)
        .map(|day| {
            let found = figures.by_day.iter().find(|count| count.day == day);
            let (all, handed_over) = found.map_or((0, 0), |count| (count.conversations, count.handed_over));
            json!({ "day": date(day), "conversations": all, "contained": all - handed_over, "handed_over": handed_over })
        })
        .collect();
    let reasons: Vec<Value> = figures
        .reasons
        .iter()
        .map(|reason| {
            let label = reason_label(&app, &reason.code);
            json!({ "code": label.code, "label": label.label, "count": reason.count })
        })
        .collect();
    Ok(Json(json!({
        "days": days,
        "from": from,
        "to": to,
        "conversations": figures.conversations,
        "contained": figures.contained,
        "handed_over": figures.handed_over,
        "offered": figures.offered,
        "open_now": figures.open_now,
        "first_response_ms": {
            "bot_median": median(figures.bot_response_ms),
            "person_median": median(figures.person_response_ms),
        },
        "csat": { "mean": (rated > 0).then(|| ratio(total, rated)), "count": rated, "by_score": figures.csat },
        "reasons": reasons,
        "by_day": by_day,
        "definitions": DEFINITIONS.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
    })))
}

/// What each figure means, in the words that the page shows.
const DEFINITIONS: [(&str, &str); 7] = [
    ("conversations", "Conversations opened in the period in which a customer said something. Days are UTC days."),
    ("contained", "Conversations that never went to a person: the bot, or the customer's own leaving, ended them."),
    ("handed_over", "Conversations that went to the queue or to a person at least once."),
    ("offered", "Conversations in which the bot offered a person at least once, taken or not."),
    ("open_now", "Conversations that are not closed at this moment, whenever they were opened."),
    (
        "first_response_ms",
        "Bot: median time from the customer's first message to its answer. Person: median time from entering the \
         queue to the first message of a person.",
    ),
    ("csat", "Mean of the answers, 1 to 5, given to \"How was it?\" about conversations opened in the period."),
];

/// `GET /v1/reasons`: the reasons there are, for filters.
///
/// # Errors
/// `not_signed_in`.
pub(super) async fn reasons(_user: AgentUser, State(app): State<Shared>) -> Json<Value> {
    let all: Vec<Value> =
        app.prompts().reasons().iter().map(|(code, texts)| json!({ "code": code, "label": texts.label })).collect();
    Json(json!({ "reasons": all }))
}

/// `GET /v1/about`: facts about this installation.
///
/// # Errors
/// `not_signed_in`.
pub(super) async fn about(_user: AgentUser, State(app): State<Shared>) -> ApiResult<Json<Value>> {
    let (model, prompts) = (app.bot().nlu.status(), app.prompts());
    let samples = app.store.count_samples().await?;
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": { "source": model.source, "state": model.stage, "version": model.version, "reason": model.reason },
        "prompts_version": prompts.version(),
        "prompts_reload": app.reload.last(),
        "frustration_threshold": prompts.policy().frustration.turn,
        "demo": samples > 0,
        "demo_conversations": samples,
        "demo_shop": !app.config.no_demo,
        "origin": app.origin,
    })))
}

/// `DELETE /v1/demo`: removes the sample conversations for good.
///
/// # Errors
/// `not_signed_in`, `forbidden`.
pub(super) async fn remove_samples(
    _origin: OwnOrigin,
    _manager: Manager,
    State(app): State<Shared>,
) -> ApiResult<StatusCode> {
    app.store.remove_samples().await?;
    app.bus.publish(&Signal::Reset);
    Ok(StatusCode::NO_CONTENT)
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(i64::midpoint(values[middle - 1], values[middle])),
    }
}

/// A mean for people, to two places.
fn ratio(total: i64, count: i64) -> f64 {
    let hundredths = (total * 100 + count / 2) / count;
    f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0
}

fn date(day: i64) -> String {
    let span = jiff::Span::new().try_days(day);
    span.and_then(|span| Date::constant(1970, 1, 1).checked_add(span))
        .map_or_else(|_| day.to_string(), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::{date, median, parts, ratio};
    use serde_json::json;

    #[test]
    fn figures_are_rounded_for_people() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![5, 1, 9]), Some(5));
        assert_eq!(median(vec![1, 2, 3, 10]), Some(2));
        assert!((ratio(14, 3) - 4.67).abs() < 1e-9);
        assert_eq!(date(20_779), "2026-11-22");
    }

    #[test]
    fn a_snippet_is_pieces_and_never_markup() {
        assert_eq!(
            parts("…my \u{2}late\u{3} <b>parcel"),
            [
                json!({"text": "…my ", "hit": false}),
                json!({"text": "late", "hit": true}),
                json!({"text": " <b>parcel", "hit": false}),
            ]
        );
    }
}
