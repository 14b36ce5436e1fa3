//! The part of a conversation that a summary tells about, and each thing that is told of it.

use super::people::state_of;
use super::words::{count_words, cut, names_a_time, plain, sentence_of, sentences};
use super::{Language, Left, MoodAt, MoodLine, Promised, Quote, Tried, Wants, Why};
use crate::dialogue::normalise;
use crate::dialogue::prompts::{IntentKind, Prompts};
use crate::domain::{ActionKind, Author, Event, EventKind, TurnRecord, Visibility};
use serde_json::Value;
use std::collections::BTreeSet;

/// Times that the bot named, the latest, at most.
const MOST_TIMES: usize = 5;
/// A message with fewer words says little by itself.
const SUBSTANTIAL: usize = 4;

/// The part of a conversation that is told about.
pub(super) struct Part<'a> {
    pub(super) events: &'a [&'a Event],
    pub(super) turns: &'a [&'a TurnRecord],
    pub(super) prompts: &'a Prompts,
}

impl Part<'_> {
    fn text(&self, seq: i64) -> Option<&str> {
        self.events.iter().find(|event| event.seq == seq)?.text.as_deref()
    }

    fn title(&self, intent: &str) -> Option<String> {
        self.prompts.intent(intent).map(|intent| intent.title.clone())
    }

    /// The intent of a turn if it is something to be dealt with: neither a pleasantry nor a yes or no.
    fn topic<'t>(&self, turn: &'t TurnRecord) -> Option<&'t str> {
        let intent = self.prompts.intent(turn.intent.as_deref()?)?;
        (intent.kind == IntentKind::Answer && !intent.small_talk && !intent.failure).then_some(turn.intent.as_deref()?)
    }

    pub(super) fn wants(&self) -> Option<Wants> {
        if let Some(turn) = self.turns.iter().rev().find(|turn| self.is_grave(turn)) {
            return self.wanted(turn, turn.intent.as_deref());
        }
        // What they came back to most often; of two that are even, the later one.
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for topic in self.turns.iter().filter_map(|turn| self.topic(turn)) {
            let before = counts.iter().position(|(name, _)| *name == topic).map(|index| counts.remove(index).1);
            counts.push((topic, before.unwrap_or(0) + 1));
        }
        if let Some((topic, _)) = counts.into_iter().max_by_key(|(_, count)| *count) {
            // Their fullest wording, the first of equals: "JT-1042" alone says less than the question.
            let said = self.turns.iter().filter(|turn| turn.intent.as_deref() == Some(topic)).rev();
            let fullest = said.max_by_key(|turn| self.text(turn.seq).map_or(0, count_words).min(40))?;
            return self.wanted(fullest, Some(topic));
        }
        let texts = || {
            let said = self.events.iter().filter(|event| event.author == Author::Customer);
            said.filter(|event| {
                event.kind == EventKind::Message && !event.is_attachment() && !self.is_pleasantry(event.seq)
            })
            .filter_map(|event| Some((event.seq, event.text.as_deref()?)))
        };
        let first = texts().find(|(_, text)| count_words(text) >= SUBSTANTIAL);
        let (seq, text) = first.or_else(|| texts().max_by_key(|(_, text)| count_words(text)))?;
        Some(Wants { quote: Quote { seq, text: cut(text) }, title: None })
    }

    /// A hand-over for what was said there, not for wanting a person.
    fn is_grave(&self, turn: &TurnRecord) -> bool {
        let kind = turn.intent.as_deref().and_then(|name| self.prompts.intent(name)).map(|intent| intent.kind);
        let of_rule = turn.trace.get("by").and_then(Value::as_str) == Some("hard_rule");
        let code = turn.reasons.first().map(|reason| reason.code.as_str());
        turn.action == ActionKind::Handoff
            && (kind.is_some_and(IntentKind::is_grave) || (of_rule && code.is_some_and(|code| code != "request_human")))
    }

    fn is_pleasantry(&self, seq: i64) -> bool {
        let intent = self.turns.iter().find(|turn| turn.seq == seq).and_then(|turn| turn.intent.as_deref());
        let intent = intent.and_then(|name| self.prompts.intent(name));
        intent.is_some_and(|intent| {
            intent.small_talk || matches!(intent.kind, IntentKind::RequestHuman | IntentKind::Affirm | IntentKind::Deny)
        })
    }

    fn wanted(&self, turn: &TurnRecord, intent: Option<&str>) -> Option<Wants> {
        let text = self.text(turn.seq)?;
        let text = intent.and_then(|intent| sentence_of(text, intent, turn)).unwrap_or(text);
        let title = intent.and_then(|intent| self.title(intent));
        Some(Wants { quote: Quote { seq: turn.seq, text: cut(text) }, title })
    }

    pub(super) fn tried(&self) -> Vec<Tried> {
        let mut all: Vec<Tried> = Vec::new();
        for event in self.events.iter().filter(|event| event.author == Author::Bot) {
            let Some(said) = event.data.as_ref().and_then(|data| data.get("said")) else { continue };
            for done in self.done(event.seq, said) {
                let same = |other: &&mut Tried| {
                    (&other.kind, &other.title, &other.outcome, &other.slot)
                        == (&done.kind, &done.title, &done.outcome, &done.slot)
                };
                match all.iter_mut().find(same) {
                    Some(before) => before.times += 1,
                    None => all.push(done),
                }
            }
        }
        all
    }

    /// What one message was made of: it may hold an answer beside the offer of a person.
    fn done(&self, seq: i64, said: &Value) -> Vec<Tried> {
        let text = |key: &str| said.get(key).and_then(Value::as_str);
        let mut all: Vec<Tried> = Vec::new();
        // Values are the customer's own and may have any name.
        for (_, value) in said.as_object().into_iter().flatten().filter(|(key, _)| *key != "slots") {
            match value {
                Value::Array(parts) => all.extend(parts.iter().flat_map(|part| self.done(seq, part))),
                part => all.extend(self.done(seq, part)),
            }
        }
        let Some(kind) = text("kind").filter(|kind| !matches!(*kind, "handoff" | "still_waiting")) else { return all };
        if text("intent").and_then(|name| self.prompts.intent(name)).is_some_and(|intent| intent.small_talk) {
            return all;
        }
        let titles: Vec<String> =
            ["intent", "first", "second"].into_iter().filter_map(|key| self.title(text(key)?)).collect();
        let reason = text("reason").and_then(|code| self.prompts.reason(code)).map(|texts| texts.label.clone());
        all.push(Tried {
            seq,
            kind: kind.to_owned(),
            title: if titles.is_empty() { reason } else { Some(titles.join(" / ")) },
            outcome: text("outcome").map(str::to_owned),
            slot: text("slot").map(str::to_owned),
            times: 1,
        });
        all
    }

    pub(super) fn mood(&self) -> Option<MoodLine> {
        // A press of the button is no text: there was nothing to read.
        let read = || self.turns.iter().filter(|turn| turn.trace.get("button") != Some(&Value::Bool(true)));
        let at = |turn: &&TurnRecord| MoodAt { seq: turn.seq, mood: turn.mood, frustration: turn.frustration };
        Some(MoodLine {
            start: read().next().map(at)?,
            worst: read().rev().max_by(|a, b| a.frustration.total_cmp(&b.frustration)).map(at)?,
            now: read().next_back().map(at)?,
        })
    }

    pub(super) fn reasons(&self) -> Vec<Why> {
        let mut all: Vec<Why> = Vec::new();
        for turn in self.turns.iter().rev() {
            for reason in &turn.reasons {
                if all.iter().any(|why| why.reason.code == reason.code) {
                    continue;
                }
                let label = self.prompts.reason(&reason.code).map_or(&reason.code, |texts| &texts.label).clone();
                all.push(Why { seq: turn.seq, label, reason: reason.clone() });
            }
        }
        all
    }

    pub(super) fn promised(&self) -> Option<Promised> {
        let event = self.events.iter().rev().find(|event| state_of(event) == Some("queued"))?;
        let told = |key: &str| event.data.as_ref().and_then(|data| data.get(key)).cloned();
        let (position, wait) = (told("position"), told("wait"));
        Some(Promised { seq: event.seq, at: event.at, position, open: told("open"), wait, back_at: told("back_at") })
    }

    pub(super) fn times(&self) -> Vec<Quote> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for event in self.events.iter().filter(|event| event.author == Author::Bot) {
            let kind = event.data.as_ref().and_then(|data| data.pointer("/said/kind")).and_then(Value::as_str);
            // What a hand-over says of its wait is told apart.
            let (Some(text), Some(kind)) = (&event.text, kind) else { continue };
            if matches!(kind, "handoff" | "still_waiting") {
                continue;
            }
            for sentence in sentences(&plain(text)).filter(|sentence| names_a_time(sentence)) {
                if seen.insert(sentence.to_owned()) {
                    all.push(Quote { seq: event.seq, text: cut(sentence) });
                }
            }
        }
        all.split_off(all.len().saturating_sub(MOST_TIMES))
    }

    pub(super) fn language(&self) -> Option<Language> {
        self.turns.iter().rev().find_map(|turn| {
            let analysis = turn.trace.get("analysis")?;
            let supported = analysis.get("supported").and_then(Value::as_bool).unwrap_or(true);
            Some(Language { code: analysis.get("language")?.as_str()?.to_owned(), supported })
        })
    }

    pub(super) fn left(&self) -> Vec<Left> {
        let left = self.events.iter().filter(|event| event.kind == EventKind::LeftMessage);
        left.filter(|event| event.visibility == Visibility::All)
            .filter_map(|event| {
                let email = event.data.as_ref().and_then(|data| data.get("email")).and_then(Value::as_str);
                let quote = Quote { seq: event.seq, text: cut(event.text.as_deref()?) };
                Some(Left { quote, at: event.at, email: email.map(str::to_owned) })
            })
            .collect()
    }

    pub(super) fn repeats(&self) -> usize {
        let mut topics = BTreeSet::new();
        let mut texts = BTreeSet::new();
        let again = |turn: &&&TurnRecord| {
            let text = self.text(turn.seq).map(normalise);
            let same_topic = self.topic(turn).is_some_and(|topic| !topics.insert(topic.to_owned()));
            let same_text = text.is_some_and(|text| count_words(&text) > 1 && !texts.insert(text));
            same_topic || same_text
        };
        self.turns.iter().filter(again).count()
    }
}
