//! A reply in the words of the prompts.
//!
//! Every text was checked when it was loaded; what can still be missing at this point is what a
//! lookup was to bring, and then the lookup's `failed` text is said, never a raw brace.

use super::Reply;
use super::prompts::{Lookup, Prompts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a lookup brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "body", rename_all = "snake_case")]
pub enum LookupOutcome {
    /// The business's system answered with this object.
    Found(Value),
    /// It does not know the value.
    NotFound,
    /// It did not answer, or not in time, or not in a form that we know.
    Failed,
}

/// A button under a message: `say` is sent as the customer's own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyOption {
    /// What the button shows.
    pub label: String,
    /// What it says.
    pub say: String,
}

/// A message of the bot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rendered {
    /// The text, in the Markdown subset; empty if nothing is said.
    pub text: String,
    /// Buttons under it.
    pub options: Vec<ReplyOption>,
    /// What the message was made of, for the desk: `{kind, intent?, lookup?, outcome?, reason?}`.
    pub data: Value,
}

/// Puts a reply into words; an empty text for [`Reply::None`]. `outcome` is what the lookup of
/// [`Reply::lookup`] brought; a missing one counts as failed.
#[must_use]
pub fn render(prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>) -> Rendered {
    match reply {
        Reply::Answer { intent } => {
            let text = prompts.intent(intent).and_then(|intent| intent.answer.clone()).unwrap_or_default();
            said(text, json!({"kind": "answer", "intent": intent}))
        }
        Reply::Lookup { intent, lookup, slots } => {
            let (text, outcome) = match prompts.lookup(lookup) {
                Some(lookup) => looked_up(lookup, slots, outcome),
                None => (prompts.replies().fallback.clone(), "failed"),
            };
            said(
                text,
                json!({"kind": "lookup", "intent": intent, "lookup": lookup, "slots": slots, "outcome": outcome}),
            )
        }
        Reply::Ask { intent, slot, again } => {
            let text = prompts.slot(slot).map(|slot| if *again { slot.ask_again.clone() } else { slot.ask.clone() });
            said(text.unwrap_or_default(), json!({"kind": "ask", "intent": intent, "slot": slot}))
        }
        Reply::Clarify { first, second } => clarify(prompts, first, second),
        Reply::Fallback { again } => {
            let replies = prompts.replies();
            let text = if *again { &replies.fallback_again } else { &replies.fallback };
            said(text.clone(), json!({"kind": "fallback"}))
        }
        Reply::Offer { reason, answer } => offer(prompts, reason, answer.as_deref(), outcome),
        Reply::Handoff { reason } => {
            let text = prompts.reason(reason).map(|texts| texts.customer.clone()).unwrap_or_default();
            said(text, json!({"kind": "handoff", "reason": reason}))
        }
        Reply::DeclinedOffer => said(prompts.handoff().offer_declined.clone(), json!({"kind": "declined_offer"})),
        Reply::None => said(String::new(), Value::Null),
    }
}

fn said(text: String, data: Value) -> Rendered {
    Rendered { text, options: Vec::new(), data }
}

fn clarify(prompts: &Prompts, first: &str, second: &str) -> Rendered {
    let replies = prompts.replies();
    let title = |name: &str| prompts.intent(name).map_or_else(String::new, |intent| intent.title.clone());
    let (first_title, second_title) = (title(first), title(second));
    let text =
        replies.clarify.fill(|field| Some(if field == "first" { first_title.clone() } else { second_title.clone() }));
    let labels = [first_title.clone(), second_title.clone(), replies.clarify_neither.clone()];
    Rendered {
        text: text.unwrap_or_default(),
        options: labels.into_iter().map(button).collect(),
        data: json!({"kind": "clarify", "first": first, "second": second}),
    }
}

fn offer(prompts: &Prompts, reason: &str, answer: Option<&Reply>, outcome: Option<&LookupOutcome>) -> Rendered {
    let mut text = prompts.reason(reason).and_then(|texts| texts.offer.clone()).unwrap_or_default();
    let mut data = json!({"kind": "offer", "reason": reason});
    if let Some(answer) = answer {
        let answered = render(prompts, answer, outcome);
        text = format!("{text}\n\n{}", answered.text);
        data["answer"] = answered.data;
    }
    let texts = prompts.handoff();
    Rendered { text, options: vec![button(texts.offer_yes.clone()), button(texts.offer_no.clone())], data }
}

fn button(label: String) -> ReplyOption {
    ReplyOption { say: label.clone(), label }
}

fn looked_up(
    lookup: &Lookup,
    slots: &BTreeMap<String, String>,
    outcome: Option<&LookupOutcome>,
) -> (String, &'static str) {
    let failed = || (lookup.failed.clone(), "failed");
    match outcome {
        Some(LookupOutcome::Found(body)) => found(lookup, body).map_or_else(failed, |text| (text, "found")),
        Some(LookupOutcome::NotFound) => {
            let text = lookup.not_found.fill(|field| slots.get(field).map(|value| plain(value)));
            text.map_or_else(failed, |text| (text, "not_found"))
        }
        Some(LookupOutcome::Failed) | None => failed(),
    }
}

fn found(lookup: &Lookup, body: &Value) -> Option<String> {
    let choice = words(field(body, &lookup.choose_by)?)?;
    let template = lookup.answers.get(&choice)?;
    template.fill(|name| {
        let value = words(field(body, name)?)?;
        if template.is_link(name) { address(&value) } else { Some(plain(&value)) }
    })
}

/// A field by its dotted path.
fn field<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, key| value.get(key))
}

/// A JSON value as a customer reads it; none for what has no reading.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(words).collect::<Option<Vec<_>>>().map(|parts| parts.join(", "))
        }
        _ => None,
    }
}

/// A value between words: one line, and no sign that the Markdown subset gives a meaning.
fn plain(value: &str) -> String {
    let kept: String = value.chars().filter(|sign| !matches!(sign, '*' | '[' | ']' | '`' | '<' | '>')).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value as a link's target: https only, and nothing that could end the link early.
fn address(value: &str) -> Option<String> {
    let sound = value.starts_with("https://")
        && !value.contains(|sign: char| sign.is_whitespace() || matches!(sign, '(' | ')' | '<' | '>'));
    sound.then(|| value.to_owned())
}
