//! What a person who takes over has to know, in one look: taken from the log word for word, nothing invented.
//!
//! A function of the stored events, readings and memory. It quotes and counts; it knows no words of its own but
//! the titles and labels of the prompts. It tells what happened since a person last gave the conversation back.

mod part;
mod people;
mod words;

use super::DialogueState;
use super::prompts::Prompts;
use crate::domain::{Customer, Event, Mood, Reason, Timestamp, TurnRecord};
use part::Part;
use people::{last_return, people};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A conversation as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a> {
    /// The whole log, in order.
    pub events: &'a [Event],
    /// The readings of its customer turns, in order.
    pub turns: &'a [TurnRecord],
    /// The bot's memory.
    pub memory: &'a DialogueState,
    /// Who writes.
    pub customer: &'a Customer,
}

/// What a person has to know.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// When a person last gave the conversation back; the rest is about what came after.
    pub since: Option<Since>,
    /// Who writes.
    pub who: Customer,
    /// What they want.
    pub wants: Option<Wants>,
    /// Values that they gave, by slot.
    pub given: BTreeMap<String, String>,
    /// What the bot did, in order.
    pub tried: Vec<Tried>,
    /// How the mood went; none if nothing was read.
    pub mood: Option<MoodLine>,
    /// Why a person was offered or brought in, the latest first.
    pub reasons: Vec<Why>,
    /// What they were told about the wait.
    pub promised: Option<Promised>,
    /// Sentences of the bot that name a time.
    pub times: Vec<Quote>,
    /// The language that they write in.
    pub language: Option<Language>,
    /// Messages that they left, with where to answer.
    pub left: Vec<Left>,
    /// How often they said again what they had said.
    pub repeats: usize,
    /// The people who had the conversation, in order.
    pub people: Vec<Held>,
}

/// A point of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Since {
    /// Its event.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
}

/// Words out of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quote {
    /// The event that they are from.
    pub seq: i64,
    /// The words, cut where they are long.
    pub text: String,
}

/// What somebody wants, in their own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wants {
    /// The words.
    #[serde(flatten)]
    pub quote: Quote,
    /// Title of the intent that was understood.
    pub title: Option<String>,
}

/// Something that the bot did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The event of the first time.
    pub seq: i64,
    /// What, as in `said.kind` of the message: `answer`, `lookup`, `ask` ...
    pub kind: String,
    /// What it was about: titles of intents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What a look-up brought: `found`, `not_found`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// The value that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// How often.
    pub times: usize,
}

/// The mood of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MoodAt {
    /// The customer's event.
    pub seq: i64,
    /// In one word.
    pub mood: Mood,
    /// Probability of frustration, 0 to 1.
    pub frustration: f64,
}

/// How the mood went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MoodLine {
    /// At the first turn.
    pub start: MoodAt,
    /// At the most frustrated one.
    pub worst: MoodAt,
    /// At the latest one.
    pub now: MoodAt,
}

/// A reason for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Why {
    /// The customer's event.
    pub seq: i64,
    /// What staff call it.
    pub label: String,
    /// With its evidence.
    #[serde(flatten)]
    pub reason: Reason,
}

/// What a customer was told about the wait.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Promised {
    /// The event that said so.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Place in the queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Value>,
    /// Somebody was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Value>,
    /// How long it would take: `low_s`, `high_s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Value>,
    /// When people would be there again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_at: Option<Value>,
}

/// A language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Language {
    /// ISO 639-1 code.
    pub code: String,
    /// The reading was made for it.
    pub supported: bool,
}

/// A message that somebody left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The words.
    #[serde(flatten)]
    pub quote: Quote,
    /// When.
    pub at: Timestamp,
    /// Where to answer.
    pub email: Option<String>,
}

/// A person who had the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Their name.
    pub name: String,
    /// From when.
    pub from: Timestamp,
    /// Until when; none while they have it.
    pub until: Option<Timestamp>,
    /// What they said last.
    pub last: Option<Quote>,
}

/// Reads a conversation for the person who takes over.
#[must_use]
pub fn summarise(log: &Log<'_>, prompts: &Prompts) -> Summary {
    let since = last_return(log.events);
    let from = since.map_or(0, |since| since.seq);
    let events: Vec<&Event> = log.events.iter().filter(|event| event.seq > from).collect();
    let turns: Vec<&TurnRecord> = log.turns.iter().filter(|turn| turn.seq > from).collect();
    let part = Part { events: &events, turns: &turns, prompts };
    Summary {
        since,
        who: log.customer.clone(),
        wants: part.wants(),
        given: log.memory.slots.clone(),
        tried: part.tried(),
        mood: part.mood(),
        reasons: part.reasons(),
        promised: part.promised(),
        times: part.times(),
        language: part.language(),
        left: part.left(),
        repeats: part.repeats(),
        people: people(log.events),
    }
}
