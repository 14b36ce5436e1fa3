//! Every frame as it goes over the wire: a change of the protocol shows here, and belongs into docs/protocol.md.

use super::{
    ClientFrame, Close, DeskFrame, Disclosure, ErrorCode, Facts, From, Me, Reader, Reads, ServerFrame, Turn, event,
};
use crate::chat::desk::{Card, Churn, Holder, ReasonLabel, Wait};
use crate::chat::presence::Colleague;
use crate::dialogue::Summary;
use crate::domain::{
    ActionKind, Agent, AgentId, Author, Band, ConversationId, Event, EventKind, Mood, Presence, Reason, Role, Source,
    State, Timestamp, TurnRecord, Visibility, WordWeight,
};
use serde_json::{Value, json};
use std::fmt::Write as _;
use uuid::Uuid;

const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(1));
const DANA: AgentId = AgentId(Uuid::from_u128(2));
const ID: Uuid = Uuid::from_u128(3);
const AT: Timestamp = Timestamp(1_795_340_000_123);

/// One line for each frame, its keys in order.
fn lines(frames: Vec<Value>) -> String {
    frames.into_iter().fold(String::new(), |mut text, frame| {
        writeln!(text, "{frame}").unwrap();
        text
    })
}

fn wire(frames: Vec<ServerFrame<'_>>) -> String {
    lines(frames.into_iter().map(|frame| serde_json::to_value(frame).unwrap()).collect())
}

fn dana() -> Agent {
    let (email, name) = ("dana@shop.example".to_owned(), "Dana".to_owned());
    Agent { id: DANA, email, name, role: Role::Agent, active: true, created_at: AT }
}

fn card() -> Card {
    Card {
        conversation: CONVERSATION,
        state: State::Queued,
        agent: Some(Holder { id: DANA, name: "Dana".to_owned() }),
        customer: "Visitor 7F3A".to_owned(),
        verified: false,
        seq: 10,
        last_at: AT,
        last_text: Some("This is the third time.".to_owned()),
        last_customer_text: None,
        last_role: Some(Author::Customer),
        created_at: AT,
        queued_at: Some(AT),
        priority: 50,
        reason: Some(ReasonLabel { code: "frustration".to_owned(), label: "Frustrated customer".to_owned() }),
        mood: Some(Mood::Frustrated),
        frustration: Some(0.5),
        churn: Some(Churn { score: 0.25, band: Band::Medium }),
        demo: false,
    }
}

fn stored(kind: EventKind, author: Author, visibility: Visibility, data: Option<Value>) -> Event {
    Event {
        conversation_id: CONVERSATION,
        seq: 7,
        at: AT,
        kind,
        visibility,
        author,
        author_name: (author != Author::Customer).then(|| "Dana".to_owned()),
        client_id: Some(ID),
        text: Some("Hello".to_owned()),
        data,
    }
}

#[test]
fn what_a_customer_is_sent() {
    let disclosure = Disclosure { text: "You are chatting with an automated assistant.", version: "1" };
    let wait = Some(Wait { low_s: 40, high_s: 190 });
    insta::assert_snapshot!(wire(vec![
        ServerFrame::Welcome {
            conversation: CONVERSATION,
            token: Some("token"),
            epoch: "epoch",
            seq: 1,
            state: State::Bot,
            disclosure,
            open: true,
            wait,
            business: "Juniper & Thread",
            bot_name: "assistant",
            greeting: "Hello.",
            rate: "How was it?",
            analysis: true,
            erase: true,
            attachments: Some(10_485_760),
            pre_chat: None,
        },
        ServerFrame::Ack { id: ID, conversation: None, seq: Some(3), at: AT },
        ServerFrame::Resumed { seq: 12 },
        ServerFrame::Reset { reason: "too_far", after: Some(4_600) },
        ServerFrame::Position { position: 2, open: true, wait, back_at: None },
        ServerFrame::Position { position: 1, open: false, wait: None, back_at: Some(AT) },
        ServerFrame::Typing { conversation: None, from: From { role: Author::Agent, name: Some("Dana") } },
        ServerFrame::Pong { seq: Some(16), version: None },
        ServerFrame::Busy { id: Some(ID), retry_after_ms: 1_234 },
        ServerFrame::Busy { id: None, retry_after_ms: 2_000 },
        ServerFrame::Restarting { retry_after_ms: 4_321 },
        ServerFrame::Error { id: Some(ID), code: ErrorCode::TooLong, message: "too long", retry_after_ms: None },
        ServerFrame::Error { id: Some(ID), code: ErrorCode::RateLimited, message: "wait", retry_after_ms: Some(900) },
    ]));
}

#[test]
fn what_a_desk_is_sent() {
    let agent = dana();
    let colleague = || vec![Colleague { id: DANA, name: "Dana".to_owned(), status: Presence::Away }];
    let record = TurnRecord {
        conversation_id: CONVERSATION,
        seq: 5,
        at: AT,
        source: Source::Model,
        mood: Mood::Frustrated,
        negative: 0.5,
        positive: 0.25,
        frustration: 0.75,
        intent: Some("delivery_late".to_owned()),
        action: ActionKind::Offer,
        reasons: vec![Reason {
            code: "frustration".to_owned(),
            evidence: "frustration on 2 turns in a row".to_owned(),
            value: Some(0.75),
            threshold: Some(0.5),
        }],
        trace: json!({ "by": "soft_reasons" }),
        words: Some(vec![WordWeight { start: 8, end: 15, frustration: 0.5 }]),
    };
    let facts = Facts { locale: Some("en-GB"), page: None, created_at: AT };
    insta::assert_snapshot!(wire(vec![
        ServerFrame::Snapshot {
            version: 1,
            me: Me { agent: &agent, status: Presence::Online },
            cards: vec![card()],
            agents: colleague(),
            epoch: "epoch",
            demo: true,
        },
        ServerFrame::Card { version: 2, card: card() },
        ServerFrame::Gone { version: 3, conversation: CONVERSATION },
        ServerFrame::Agents { version: 4, agents: colleague() },
        ServerFrame::Turn(Turn::from(&record)),
        ServerFrame::Opened { conversation: CONVERSATION, seq: 14, facts, reads: Reads { customer: 13 } },
        ServerFrame::Summary { conversation: CONVERSATION, summary: Box::new(Summary::default()) },
        ServerFrame::Ack { id: ID, conversation: Some(CONVERSATION), seq: Some(15), at: AT },
        ServerFrame::Typing { conversation: Some(CONVERSATION), from: From { role: Author::Customer, name: None } },
        ServerFrame::Reset { reason: "samples_removed", after: None },
        ServerFrame::Pong { seq: None, version: Some(4) },
    ]));
}

#[test]
fn an_event_as_each_reader_sees_it() {
    let events = [
        stored(EventKind::Message, Author::Customer, Visibility::All, None),
        stored(EventKind::Message, Author::Bot, Visibility::All, Some(json!({ "said": {}, "offer": true }))),
        stored(EventKind::State, Author::System, Visibility::All, Some(json!({ "state": "queued", "seq": 99 }))),
        stored(EventKind::Rating, Author::Customer, Visibility::All, Some(json!({ "kind": "csat", "score": 5 }))),
        stored(EventKind::Note, Author::Agent, Visibility::Staff, None),
    ];
    let seen = events.iter().flat_map(|entry| [event(entry, Reader::Customer), event(entry, Reader::Staff)]);
    insta::assert_snapshot!(lines(seen.collect()));
}

#[test]
fn what_clients_send_is_read_and_nothing_else() {
    let id = ID.to_string();
    let of_customers = [
        json!({ "type": "hello", "site": "default", "after": 12, "epoch": "e", "conversation": id }),
        json!({ "type": "say", "id": id, "text": "Where is it?" }),
        json!({ "type": "human", "id": id }),
        json!({ "type": "rate", "id": id, "kind": "csat", "score": 5, "comment": null }),
        json!({ "type": "feedback", "id": id, "seq": 4, "helpful": true }),
        json!({ "type": "leave", "id": id, "text": "Write to me." }),
        json!({ "type": "typing" }),
        json!({ "type": "read", "seq": 9 }),
        json!({ "type": "ping" }),
        json!({ "type": "ping", "seq": 9 }),
    ];
    for frame in of_customers {
        serde_json::from_value::<ClientFrame>(frame.clone()).unwrap_or_else(|error| panic!("{frame}: {error}"));
        let mut more = frame.clone();
        more["more"] = json!(1);
        assert!(serde_json::from_value::<ClientFrame>(more).is_err(), "{frame}");
    }
    let of_desks = [
        json!({ "type": "hello" }),
        json!({ "type": "hello", "status": "away" }),
        json!({ "type": "open", "id": id, "conversation": id, "after": 12 }),
        json!({ "type": "claim", "id": id, "conversation": id }),
        json!({ "type": "note", "id": id, "conversation": id, "text": "Third delay." }),
        json!({ "type": "status", "id": id, "status": "away" }),
        json!({ "type": "ping", "version": 7 }),
    ];
    for frame in of_desks {
        serde_json::from_value::<DeskFrame>(frame.clone()).unwrap_or_else(|error| panic!("{frame}: {error}"));
    }
}

#[test]
fn close_codes() {
    let all = [
        Close::Silent,
        Close::NotText,
        Close::NotUtf8,
        Close::TooLarge,
        Close::Restarting,
        Close::HelloMissing,
        Close::NotAllowed,
        Close::SlowReader,
    ];
    insta::assert_debug_snapshot!(all.map(Close::frame));
}
