//! Conversations that go on under other prompts than those that began them.

use super::fixture::{Talk, about, files, nothing};
use crate::dialogue::{Awaiting, DialogueState, PastTurn, Prompts, Reply, TaskState, decide, render};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, State};
use std::borrow::Cow;

/// A memory that names nothing that the small bot has.
fn foreign() -> DialogueState {
    let past = PastTurn {
        action: ActionKind::Reply,
        frustration: 0.1,
        hostility: 0.0,
        intent: Some("gone".to_owned()),
        failed: false,
        answer: Some("gone JT-1".to_owned()),
        alone: 0.1,
        gist: None,
        added: 0.0,
    };
    let mut memory = DialogueState {
        history: vec![past],
        awaiting: Some(Awaiting { intent: "gone".to_owned(), slot: "order_number".to_owned(), tries: 1, aside: false }),
        clarified: Some(("opening_hours".to_owned(), "gone".to_owned())),
        task: Some(TaskState {
            task: "send_back".to_owned(),
            intent: "send_back".to_owned(),
            values: [("gone".to_owned(), "1".to_owned())].into(),
            open: Some("item".to_owned()),
            options: None,
            tries: 1,
        }),
        failed_lookup: Some("gone".to_owned()),
        ..DialogueState::default()
    };
    memory.slots.insert("gone".to_owned(), "1".to_owned());
    memory.slots.insert("order_number".to_owned(), "JT-1042".to_owned());
    memory
}

#[test]
fn a_memory_of_these_prompts_is_left_as_it_is() {
    let mut talk = Talk::new();
    talk.say("where is my order", &about("order_status"));
    assert!(talk.memory.awaiting.is_some());
    assert!(matches!(talk.memory.known_to(&talk.prompts), Cow::Borrowed(_)));
}

#[test]
fn names_that_mean_nothing_any_more_are_dropped_and_the_rest_stays() {
    let talk = Talk::new();
    let foreign = foreign();
    let known = foreign.known_to(&talk.prompts);
    assert_eq!((&known.awaiting, &known.clarified), (&None, &None));
    assert_eq!((&known.task, &known.failed_lookup), (&None, &None));
    assert_eq!(known.slots.keys().collect::<Vec<_>>(), ["order_number"]);
    assert_eq!((known.history.len(), &known.history[0].intent), (1, &None), "that there was a turn still counts");
    let slot = Awaiting { intent: "order_status".to_owned(), slot: "gone".to_owned(), tries: 1, aside: false };
    let memory = DialogueState { awaiting: Some(slot), ..DialogueState::default() };
    assert_eq!(memory.known_to(&talk.prompts).awaiting, None);
}

#[test]
fn a_conversation_goes_on_whatever_it_remembers() {
    let prompts = super::fixture::prompts();
    for (text, analysis) in [
        ("1042", nothing()),
        ("the first", nothing()),
        ("yes", nothing()),
        ("", nothing()),
        ("when?", about("opening_hours")),
    ] {
        let mut memory = foreign();
        memory.offered = Some("gone".to_owned());
        // With the names dropped, as the server does it, and without: neither ends the turn.
        for memory in [memory.known_to(&prompts).into_owned(), memory] {
            let decision = decide(&memory.turn(text, false, State::Bot, &STRANGER), &analysis, &prompts);
            drop(render(&prompts, &decision.reply, None, decision.voice(&STRANGER)));
            assert_ne!(decision.action, ActionKind::Silent, "{text}");
        }
    }
}

#[test]
fn a_yes_to_an_offer_whose_reason_is_gone_still_brings_a_person() {
    let mut files = files();
    for name in ["handoff.toml", "rules.toml"] {
        let text = files[name].replace("churn", "other_reason");
        files.insert(name.to_owned(), text);
    }
    // What gives the reason goes with it.
    let intents = files["intents/all.toml"].replace("kind = \"leaving\"", "kind = \"insult\"");
    files.insert("intents/all.toml".to_owned(), intents);
    let mut talk = Talk::new();
    talk.say("I will never buy here again", &nothing());
    assert_eq!(talk.memory.offered.as_deref(), Some("churn"));
    talk.prompts = Prompts::load(&files).unwrap();
    talk.memory = talk.memory.known_to(&talk.prompts).into_owned();
    let decision = talk.say("yes please", &nothing());
    assert_eq!(decision.action, ActionKind::Handoff);
    assert!(matches!(&decision.reply, Reply::Handoff { reason } if talk.prompts.reason(reason).is_some()));
    assert!(!render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text.is_empty());
}
