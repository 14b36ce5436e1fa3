//! A reply in the words of the prompts.
//!
//! Every text was checked when it was loaded; what can still be missing at this point is what a
//! lookup was to bring, and then the lookup's `failed` text is said, never a raw brace.

mod open;

use super::Reply;
use super::prompts::personal::plain;
use super::prompts::{Answers, Lookup, Prompts, Template, field};
use super::tone::{self, Voice};
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
    /// It understood and says no.
    Refused,
    /// It did not answer in time: what was to be done there may be done or not.
    TimedOut,
    /// It did not answer, or not in a form that we know.
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
/// [`Reply::lookup`] brought; a missing one counts as failed. `voice` says how, and to whom.
#[must_use]
pub fn render(prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>, voice: Voice<'_>) -> Rendered {
    tone::finish(phrase(prompts, reply, outcome, voice), voice)
}

/// The words of a reply before what every reply goes through.
fn phrase(prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>, voice: Voice<'_>) -> Rendered {
    match reply {
        Reply::Answer { intent } => {
            let text = prompts.intent(intent).map(|intent| tone::answer(intent, voice)).unwrap_or_default();
            let answer = said(text, json!({"kind": "answer", "intent": intent}));
            Rendered { options: buttons(prompts, intent), ..answer }
        }
        Reply::Lookup { intent, lookup, slots } => {
            let (text, outcome) = match prompts.lookup(lookup) {
                Some(lookup) => looked_up(lookup, slots, outcome),
                None => (prompts.replies().fallback.clone(), "failed"),
            };
            let options = if outcome == "found" { buttons(prompts, intent) } else { Vec::new() };
            let data =
                json!({"kind": "lookup", "intent": intent, "lookup": lookup, "slots": slots, "outcome": outcome});
            Rendered { text, options, data }
        }
        Reply::Ask { .. } | Reply::Confirm { .. } | Reply::Cancelled { .. } => open::render(prompts, reply, outcome),
        Reply::Aside { answer, then } => together(
            phrase(prompts, answer, outcome, voice),
            phrase(prompts, then, outcome, voice),
            ["aside", "answer", "then"],
        ),
        Reply::Both { first, second } => together(
            phrase(prompts, first, outcome, voice),
            phrase(prompts, second, outcome, voice),
            ["both", "first", "second"],
        ),
        Reply::Clarify { first, second } => clarify(prompts, first, second),
        Reply::Fallback { again } => {
            let replies = prompts.replies();
            let text = if *again { &replies.fallback_again } else { &replies.fallback };
            said(text.clone(), json!({"kind": "fallback"}))
        }
        Reply::Offer { reason, answer } => offer(prompts, reason, answer.as_deref(), outcome, voice),
        Reply::OtherLanguage { language, reason } => other_language(prompts, language, reason, voice),
        Reply::BotQuestion { language } => {
            let text = prompts.languages().get(language).and_then(|language| language.bot_answer.clone());
            said(text.unwrap_or_default(), json!({"kind": "bot_question", "language": language}))
        }
        Reply::Handoff { reason } => {
            let text = prompts.reason(reason).map(|texts| texts.customer.clone()).unwrap_or_default();
            said(text, json!({"kind": "handoff", "reason": reason}))
        }
        Reply::DeclinedOffer => said(prompts.handoff().offer_declined.clone(), json!({"kind": "declined_offer"})),
        Reply::None => said(String::new(), Value::Null),
    }
}

/// Two messages as one: the buttons are those of the second, which is what is open.
fn together(first: Rendered, second: Rendered, [kind, one, two]: [&str; 3]) -> Rendered {
    Rendered {
        text: format!("{}\n\n{}", first.text.trim_end(), second.text),
        options: if second.options.is_empty() { first.options } else { second.options },
        data: json!({"kind": kind, one: first.data, two: second.data}),
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

/// The reason of an offer beside a polite no.
const EXCLUDED: &str = "excluded_topic";

fn offer(
    prompts: &Prompts,
    reason: &str,
    answer: Option<&Reply>,
    outcome: Option<&LookupOutcome>,
    voice: Voice<'_>,
) -> Rendered {
    let mut text = prompts.reason(reason).and_then(|texts| texts.offer.clone()).unwrap_or_default();
    let mut data = json!({"kind": "offer", "reason": reason});
    if let Some(answer) = answer {
        let answered = phrase(prompts, answer, outcome, voice);
        // A no comes before the offer that makes up for it.
        text = if reason == EXCLUDED {
            format!("{}\n\n{text}", answered.text.trim_end())
        } else {
            format!("{text}\n\n{}", answered.text)
        };
        data["answer"] = answered.data;
    }
    let texts = prompts.handoff();
    Rendered { text, options: vec![button(texts.offer_yes.clone()), button(texts.offer_no.clone())], data }
}

/// The buttons that an intent's answer has.
fn buttons(prompts: &Prompts, intent: &str) -> Vec<ReplyOption> {
    prompts.intent(intent).map(|intent| intent.buttons.clone()).unwrap_or_default()
}

/// The fixed sentence of a language that the bot does not speak. `language` stands in the data, so that
/// faces can have it read out as what it is.
fn other_language(prompts: &Prompts, language: &str, reason: &str, voice: Voice<'_>) -> Rendered {
    let data = json!({"kind": "offer", "reason": reason, "language": language});
    match prompts.languages().get(language).and_then(|language| language.said.as_ref()) {
        Some(words) => Rendered {
            text: words.sentence.clone(),
            options: vec![button(words.yes.clone()), button(words.no.clone())],
            data,
        },
        None => Rendered { data, ..offer(prompts, reason, None, None, voice) },
    }
}

pub(super) fn button(label: String) -> ReplyOption {
    ReplyOption { say: label.clone(), label }
}

fn looked_up(
    lookup: &Lookup,
    slots: &BTreeMap<String, String>,
    outcome: Option<&LookupOutcome>,
) -> (String, &'static str) {
    let failed = || (lookup.failed.clone(), "failed");
    let with_slots = |text: &Template| text.fill(|field| slots.get(field).map(|value| plain(value)));
    match outcome {
        Some(LookupOutcome::Found(body)) => found(lookup, body).map_or_else(failed, |text| (text, "found")),
        Some(LookupOutcome::NotFound) => with_slots(&lookup.not_found).map_or_else(failed, |text| (text, "not_found")),
        Some(LookupOutcome::Refused) => {
            let text = lookup.refused.as_ref().and_then(with_slots);
            (text.unwrap_or_else(|| lookup.failed.clone()), "refused")
        }
        Some(LookupOutcome::TimedOut) => (lookup.timed_out.as_ref().unwrap_or(&lookup.failed).clone(), "timed_out"),
        Some(LookupOutcome::Failed) | None => failed(),
    }
}

fn found(lookup: &Lookup, body: &Value) -> Option<String> {
    let template = match &lookup.answers {
        Answers::One(template) => template,
        Answers::By(by, templates) => templates.get(&words(field(body, by)?)?)?,
    };
    template.fill(|name| {
        let value = words(field(body, name)?)?;
        if template.is_link(name) { address(&value) } else { Some(plain(&value)) }
    })
}

/// A JSON value as a customer reads it; none for what has no reading.
pub(super) fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) if !items.is_empty() => {
            items.iter().map(words).collect::<Option<Vec<_>>>().map(|parts| parts.join(", "))
        }
        _ => None,
    }
}

/// A value as a link's target: https only, and nothing that could end the link early.
fn address(value: &str) -> Option<String> {
    let sound = value.starts_with("https://")
        && !value.contains(|sign: char| sign.is_whitespace() || matches!(sign, '(' | ')' | '<' | '>' | '{' | '}'));
    sound.then(|| value.to_owned())
}

/// Which of a lookup's answers an outcome leads to: a name of [`Lookup::answer_names`].
#[must_use]
pub fn answer_name(lookup: &Lookup, outcome: &LookupOutcome) -> String {
    let name = match outcome {
        LookupOutcome::Found(body) => match &lookup.answers {
            Answers::One(_) => "found",
            Answers::By(by, texts) => {
                let choice = field(body, by).and_then(words).filter(|choice| texts.contains_key(choice));
                return choice.unwrap_or_else(|| "failed".to_owned());
            }
        },
        LookupOutcome::NotFound => "not_found",
        LookupOutcome::Refused => "refused",
        LookupOutcome::TimedOut => "timed_out",
        LookupOutcome::Failed => "failed",
    };
    name.to_owned()
}
