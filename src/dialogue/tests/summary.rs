//! The summary for the person who takes over: only what the log holds, and only since a person last had it.

use super::fixture::{self, Talk};
use crate::dialogue::summary::Log;
use crate::dialogue::{DialogueState, LookupOutcome, Prompts, Summary, render, summarise};
use crate::domain::customer::STRANGER;
use crate::domain::{
    ActionKind, Analysis, Author, ConversationId, Customer, Event, EventKind, Mood, State, Timestamp, TurnRecord,
    Visibility,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// A conversation with the small bot, kept as the server keeps it.
struct Kept {
    talk: Talk,
    events: Vec<Event>,
    turns: Vec<TurnRecord>,
}

impl Kept {
    fn new() -> Self {
        Self { talk: Talk::new(), events: Vec::new(), turns: Vec::new() }
    }

    fn write(&mut self, kind: EventKind, author: Author, text: Option<&str>, data: Value) -> i64 {
        let seq = i64::try_from(self.events.len()).unwrap() + 1;
        self.events.push(Event {
            conversation_id: ConversationId(Uuid::nil()),
            seq,
            at: Timestamp(seq * 1_000),
            kind,
            visibility: Visibility::All,
            author,
            author_name: None,
            client_id: None,
            text: text.map(str::to_owned),
            data: (!data.is_null()).then_some(data),
        });
        seq
    }

    fn state(&mut self, data: Value) {
        self.write(EventKind::State, Author::System, None, data);
    }

    fn say(&mut self, text: &str, analysis: &Analysis, outcome: Option<LookupOutcome>) -> i64 {
        let seq = self.write(EventKind::Message, Author::Customer, Some(text), Value::Null);
        let before = self.talk.state;
        let decision = self.talk.say(text, analysis);
        let said = render(&self.talk.prompts, &decision.reply, outcome.as_ref(), decision.voice(&STRANGER));
        self.turns.push(TurnRecord {
            conversation_id: ConversationId(Uuid::nil()),
            seq,
            at: Timestamp(seq * 1_000),
            source: analysis.source,
            mood: decision.mood,
            negative: 0.0,
            positive: 0.0,
            frustration: f64::from(analysis.frustration),
            intent: decision.intent.clone(),
            action: decision.action,
            reasons: decision.reasons.clone(),
            trace: decision.trace.clone(),
            words: None,
        });
        if !said.text.is_empty() {
            self.write(EventKind::Message, Author::Bot, Some(&said.text), json!({ "said": said.data }));
        }
        if self.talk.state == State::Queued && before != State::Queued {
            self.state(json!({
                "state": "queued", "reason": decision.reasons[0].code, "position": 2, "open": true,
                "wait": { "low_s": 40, "high_s": 190 },
            }));
        }
        seq
    }

    fn summary(&self) -> Summary {
        let customer = Customer { name: Some("Sam".to_owned()), verified: true, ..Customer::default() };
        let log = Log { events: &self.events, turns: &self.turns, memory: &self.talk.memory, customer: &customer };
        summarise(&log, &self.talk.prompts)
    }
}

fn found() -> Option<LookupOutcome> {
    Some(LookupOutcome::Found(json!({ "number": "JT-1042", "status": "packed" })))
}

/// A whole way to a person: a greeting, an order that is not found, the same again, anger, a person.
fn upset() -> Kept {
    let mut kept = Kept::new();
    kept.say("hello there my friends", &fixture::about("greeting"), None);
    let order = fixture::about("order_status");
    kept.say("Hi. Where is my order jt 1042? It is late", &order, Some(LookupOutcome::NotFound));
    kept.say("When do I get a refund", &fixture::about("refunds"), None);
    kept.say("JT-1042", &order, found());
    kept.say("mumble mumble", &fixture::angry(fixture::nothing(), 0.95), None);
    kept.say("I want to talk to a human", &fixture::angry(fixture::about("human"), 0.7), None);
    kept
}

#[test]
fn a_summary_tells_who_what_and_what_was_tried_in_the_customers_own_words() {
    let kept = upset();
    let summary = kept.summary();
    assert_eq!((summary.who.name.as_deref(), summary.who.verified), (Some("Sam"), true));
    let wants = summary.wants.clone().unwrap();
    assert_eq!(wants.quote.text, "Hi. Where is my order jt 1042? It is late", "asked for twice, in the fuller wording");
    assert_eq!(wants.title.as_deref(), Some("Order status"));
    assert_eq!(summary.given.get("order_number").map(String::as_str), Some("JT-1042"));
    let tried: Vec<_> =
        summary.tried.iter().map(|done| (done.kind.as_str(), done.title.as_deref(), done.outcome.as_deref())).collect();
    assert_eq!(tried[0], ("lookup", Some("Order status"), Some("not_found")), "small talk is nothing that was tried");
    assert_eq!(tried[1], ("answer", Some("Refunds"), None));
    assert_eq!(tried[2], ("lookup", Some("Order status"), Some("found")));
    assert!(tried.iter().all(|(kind, ..)| *kind != "handoff"));
    let mood = summary.mood.unwrap();
    assert_eq!((mood.start.mood, mood.worst.mood, mood.now.mood), (Mood::Neutral, Mood::Frustrated, Mood::Frustrated));
    assert!((mood.worst.frustration - 0.95).abs() < 1e-6 && (mood.now.frustration - 0.7).abs() < 1e-6);
    assert_eq!(summary.reasons[0].reason.code, "request_human");
    assert!(summary.reasons[0].reason.evidence.contains("talk to a human"), "{:?}", summary.reasons);
    let promised = summary.promised.unwrap();
    assert_eq!((promised.position, promised.open), (Some(json!(2)), Some(json!(true))));
    assert_eq!(promised.wait, Some(json!({ "low_s": 40, "high_s": 190 })));
    assert_eq!(summary.times.iter().map(|time| time.text.as_str()).collect::<Vec<_>>(), ["Refunds take five days."]);
    assert_eq!(summary.language.unwrap().code, "en");
    assert_eq!(summary.repeats, 1, "the order was asked about twice");
}

#[test]
fn every_word_of_a_customer_in_it_stands_in_the_log() {
    let kept = upset();
    let summary = kept.summary();
    let quotes = summary.wants.iter().map(|wants| &wants.quote).chain(&summary.times);
    for quote in quotes {
        let event = kept.events.iter().find(|event| event.seq == quote.seq).unwrap();
        assert!(event.text.as_deref().unwrap().contains(&quote.text), "{quote:?}");
    }
}

#[test]
fn the_sentence_that_carries_the_intent_is_quoted() {
    let mut kept = Kept::new();
    let text = "I bought a jumper last week. When do I get my refund? My sister likes it.";
    let mut read = fixture::about("refunds");
    let refunds = read.intents.clone();
    let other = fixture::nothing().intents;
    let greeting = fixture::about("greeting").intents;
    read.sentences = vec![greeting, refunds, other];
    kept.say(text, &read, None);
    assert_eq!(kept.summary().wants.unwrap().quote.text, "When do I get my refund?");
}

#[test]
fn without_an_intent_the_first_message_of_substance_is_quoted() {
    let mut kept = Kept::new();
    kept.say("hey hello you out there", &fixture::about("greeting"), None);
    kept.say("um", &fixture::nothing(), None);
    kept.say("the zip of my tent is stuck", &fixture::nothing(), None);
    let wants = kept.summary().wants.unwrap();
    assert_eq!((wants.quote.text.as_str(), wants.title), ("the zip of my tent is stuck", None));
    assert_eq!(Kept::new().summary(), Summary { who: kept.summary().who, ..Summary::default() }, "an empty log");
}

#[test]
fn a_grave_matter_is_what_they_want_whatever_was_asked_before() {
    let mut kept = Kept::new();
    kept.say("When do I get a refund", &fixture::about("refunds"), None);
    kept.say("When do I get the refund", &fixture::about("refunds"), None);
    kept.say("you will hear from my lawyer about this", &fixture::about("refunds"), None);
    let summary = kept.summary();
    assert_eq!(kept.turns.last().unwrap().action, ActionKind::Handoff);
    assert_eq!(summary.wants.unwrap().quote.text, "you will hear from my lawyer about this");
}

#[test]
fn after_a_return_only_what_came_since_is_told_and_the_people_stay_known() {
    let mut kept = upset();
    kept.state(json!({ "state": "assigned", "agent": { "name": "Dana" } }));
    kept.write(EventKind::Message, Author::Agent, Some("I have found it."), Value::Null);
    kept.state(json!({ "state": "assigned", "agent": { "name": "Omar" } }));
    let transferred = kept.summary();
    assert_eq!(transferred.since, None, "a transfer begins nothing anew");
    assert_eq!(transferred.wants, upset().summary().wants);
    assert_eq!(transferred.people.iter().map(|held| held.name.as_str()).collect::<Vec<_>>(), ["Dana", "Omar"]);
    assert!(transferred.people[0].until.is_some() && transferred.people[1].until.is_none());
    assert_eq!(transferred.people[0].last.as_ref().unwrap().text, "I have found it.");

    kept.state(json!({ "state": "bot", "reason_text": "Omar has passed this back." }));
    (kept.talk.state, kept.talk.memory) = (State::Bot, DialogueState::default());
    let empty = kept.summary();
    assert!(empty.wants.is_none() && empty.tried.is_empty() && empty.reasons.is_empty() && empty.promised.is_none());
    kept.say("When do you open", &fixture::about("opening_hours"), None);
    let summary = kept.summary();
    assert_eq!(summary.wants.unwrap().title.as_deref(), Some("Opening hours"));
    assert_eq!((summary.repeats, summary.people.len()), (0, 2));
    assert_eq!(summary.since.unwrap().seq, kept.events.len() as i64 - 2);
    assert_eq!(summary.mood.unwrap().worst.mood, Mood::Neutral, "the quarrel of before is settled");
}

#[test]
fn a_message_that_was_left_is_told_with_where_to_answer() {
    let mut kept = Kept::new();
    let data = json!({ "email": "kim@mail.example" });
    kept.write(EventKind::LeftMessage, Author::Customer, Some("call me"), data);
    kept.write(EventKind::LeftMessage, Author::Customer, Some("please"), Value::Null);
    let left = kept.summary().left;
    assert_eq!(left.iter().map(|left| left.email.as_deref()).collect::<Vec<_>>(), [Some("kim@mail.example"), None]);
    assert_eq!(left[0].quote.text, "call me");
}

#[test]
fn parts_that_it_does_not_know_are_told_by_their_kind() {
    let prompts: Prompts = fixture::prompts();
    let mut kept = Kept::new();
    let said = json!({ "kind": "offer", "reason": "churn", "answer": { "kind": "answer", "intent": "refunds" } });
    kept.write(EventKind::Message, Author::Bot, Some("A person?"), json!({ "said": said }));
    let said = json!({ "kind": "both", "parts": [{ "kind": "answer", "intent": "refunds" }, { "kind": "answer", "intent": "opening_hours" }] });
    kept.write(EventKind::Message, Author::Bot, Some("Both."), json!({ "said": said }));
    let tried = kept.summary().tried;
    let told: Vec<_> = tried.iter().map(|done| (done.kind.as_str(), done.title.as_deref(), done.times)).collect();
    assert_eq!(
        told,
        [
            ("answer", Some("Refunds"), 2),
            ("offer", Some(prompts.reason("churn").unwrap().label.as_str()), 1),
            ("answer", Some("Opening hours"), 1),
            ("both", None, 1),
        ]
    );
}
