//! A task of several turns: values, a side question, a correction, a yes, a no, and a way out.

use super::fixture::{Talk, about, angry, nothing};
use crate::dialogue::{Decision, DialogueState, LookupOutcome, Reply, decide, render};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis};
use proptest::prelude::*;
use serde_json::json;

/// A shop whose order JT-1042 has two items, JT-1043 is not delivered, and no other is known.
fn shop(decision: &Decision) -> Option<LookupOutcome> {
    let (lookup, slots) = decision.reply.lookup()?;
    let number = slots.get("order_number").map(String::as_str);
    Some(match (lookup, number) {
        ("order_status", Some("JT-1042")) => LookupOutcome::Found(json!({
            "number": "JT-1042", "status": "shipped", "parcel": {"carrier": "Post"},
            "link": "https://post.example/1", "items": ["Linen shirt", "Wool socks", "**Bold** hat"],
        })),
        ("order_status", Some("JT-1043")) => LookupOutcome::Found(json!({"number": "JT-1043", "status": "packed"})),
        ("order_status", Some("JT-1044")) | ("send_back", Some("JT-1044")) => LookupOutcome::Failed,
        ("send_back", _) => LookupOutcome::Found(json!({"state": "started", "label": "RT-1"})),
        _ => LookupOutcome::NotFound,
    })
}

/// One turn as the server makes it: decided, looked up, put into words.
fn say(talk: &mut Talk, text: &str, analysis: &Analysis) -> String {
    let decision = talk.say(text, analysis);
    let outcome = shop(&decision);
    talk.memory.looked_up(&talk.prompts, &decision.reply, outcome.as_ref());
    // What is stored between two turns.
    let stored = serde_json::to_string(&talk.memory).unwrap();
    assert_eq!(serde_json::from_str::<DialogueState>(&stored).unwrap(), talk.memory);
    let rendered = render(&talk.prompts, &decision.reply, outcome.as_ref(), decision.voice(&STRANGER));
    let labels: Vec<String> = rendered.options.into_iter().map(|option| option.label).collect();
    let failed = if decision.failed { " failed" } else { "" };
    format!("{text} => {:?}{failed} {:?} {labels:?}", decision.action, rendered.text)
}

fn play(turns: &[(&str, Analysis)]) -> String {
    let mut talk = Talk::new();
    turns.iter().map(|(text, analysis)| say(&mut talk, text, analysis)).collect::<Vec<_>>().join("\n")
}

fn start() -> Analysis {
    about("send_back")
}

#[test]
fn values_are_asked_for_one_by_one_and_done_after_a_yes() {
    insta::assert_snapshot!(play(&[
        ("I want to send it back", start()),
        ("1042", nothing()),
        ("the shirt", nothing()),
        ("it is too big", nothing()),
        ("yes", about("yes")),
        ("thanks", about("greeting")),
    ]));
}

#[test]
fn what_is_known_is_not_asked_for() {
    insta::assert_snapshot!(play(&[
        ("send back something of jt-1042, it has a hole", start()),
        ("Wool socks", nothing()),
        ("Yes, do it", nothing()),
    ]));
}

#[test]
fn a_side_question_keeps_the_task_and_a_correction_changes_it() {
    insta::assert_snapshot!(play(&[
        ("send back from jt 1042", start()),
        ("when do you open?", about("opening_hours")),
        ("the socks", nothing()),
        ("hello", about("greeting")),
        ("faulty", nothing()),
        ("where is my order?", about("order_status")),
        ("actually not faulty, too big", nothing()),
        ("sorry, I meant the shirt", nothing()),
        ("hm", nothing()),
        ("no", about("no")),
        ("yes", about("yes")),
    ]));
}

#[test]
fn an_order_without_items_is_told_and_another_one_is_asked_for() {
    insta::assert_snapshot!(play(&[
        ("send back from jt 1099", start()),
        ("1043", nothing()),
        ("1044", nothing()),
        ("the shirt", nothing()),
        ("sorry, jt 1042", nothing()),
    ]));
}

#[test]
fn a_task_that_could_not_be_done_waits_for_another_yes() {
    let mut talk = Talk::new();
    let order = [("send back from jt 1042", start()), ("the shirt", nothing()), ("too big", nothing())];
    for (text, analysis) in &order {
        say(&mut talk, text, analysis);
    }
    talk.memory.task.as_mut().unwrap().values.insert("order_number".into(), "JT-1044".into());
    assert!(say(&mut talk, "yes", &about("yes")).contains("It was not started."));
    assert!(talk.memory.task.as_ref().is_some_and(|task| task.open.is_none()));
}

#[test]
fn cancel_ends_the_task_politely_and_a_question_beside_it_is_answered() {
    insta::assert_snapshot!(play(&[
        ("send back from jt 1042", start()),
        ("never mind", nothing()),
        ("the shirt", nothing())
    ]));
    insta::assert_snapshot!(play(&[
        ("send back from jt 1042", start()),
        ("forget it, when do you open?", about("opening_hours")),
    ]));
}

#[test]
fn two_asks_without_a_value_offer_a_person_and_a_no_goes_on_with_the_task() {
    insta::assert_snapshot!(play(&[
        ("send back from jt 1042", start()),
        ("the thing", nothing()),
        ("blue", nothing()),
        ("No, keep going", nothing()),
        ("the shirt", nothing()),
    ]));
}

#[test]
fn an_offer_in_the_middle_loses_nothing_and_a_person_ends_the_task() {
    let mut talk = Talk::new();
    say(&mut talk, "send back from jt 1042", &start());
    let offer = talk.say("worst ever", &angry(nothing(), 0.95));
    assert_eq!(offer.action, ActionKind::Offer);
    assert!(talk.memory.task.is_some());
    assert_eq!(talk.say("can I talk to a human", &nothing()).action, ActionKind::Handoff);
    assert!(talk.memory.task.is_none());
}

#[test]
fn the_answer_to_the_how_offers_to_do_it() {
    let mut talk = Talk::new();
    let decision = talk.say("how do I send it back", &about("send_back_how"));
    let rendered = render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER));
    assert_eq!(rendered.options[0].label, "Send something back");
    let pressed = talk.say(&rendered.options[0].say, &nothing());
    assert!(matches!(pressed.reply, Reply::Ask { ref slot, .. } if slot == "order_number"));
}

#[test]
fn a_memory_from_before_tasks_still_loads() {
    let old =
        json!({"history": [], "awaiting": {"intent": "order_status", "slot": "order_number", "tries": 1}, "slots": {}});
    let memory: DialogueState = serde_json::from_value(old).unwrap();
    assert_eq!(memory.awaiting.map(|awaiting| awaiting.aside), Some(false));
    assert!(memory.task.is_none());
}

fn turns() -> impl Strategy<Value = Vec<(String, usize, f32)>> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "send back from jt 1042",
            "1042",
            "jt 1043",
            "the shirt",
            "socks",
            "too big",
            "not faulty",
            "a hole",
            "yes",
            "no",
            "never mind",
            "forget it, when do you open?",
            "sorry, I meant jt 1044",
            "other order",
            "hello",
            "when?",
            "that did not help",
            "No, keep going",
            "and in a 14?",
            "the first one",
            "Send something back",
            "can I talk to a human",
        ])
        .prop_map(str::to_owned),
        "(?s)[ -~é]{0,30}",
    ];
    prop::collection::vec((text, 0_usize..12, 0.0_f32..0.9), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_sequence_of_turns_panics_or_loses_the_task_in_silence(turns in turns()) {
        const READ: [&str; 11] = ["send_back", "send_back_how", "opening_hours", "refunds", "order_status", "greeting", "yes", "no", "not_helpful", "doctor", "stock"];
        let mut talk = Talk::new();
        for (text, read, frustration) in turns {
            let analysis = angry(READ.get(read).map_or_else(nothing, |name| about(name)), frustration);
            let open = talk.memory.task.clone();
            let turn = talk.memory.turn(&text, false, talk.state, &STRANGER);
            let (once, twice) = (decide(&turn, &analysis, &talk.prompts), decide(&turn, &analysis, &talk.prompts));
            prop_assert_eq!(once, twice);
            let decision = talk.say(&text, &analysis);
            let outcome = shop(&decision);
            talk.memory.looked_up(&talk.prompts, &decision.reply, outcome.as_ref());
            let rendered = render(&talk.prompts, &decision.reply, outcome.as_ref(), decision.voice(&STRANGER));
            prop_assert!(decision.action == ActionKind::Silent || !rendered.text.trim().is_empty(), "{:?}", decision.reply);
            prop_assert!(!rendered.text.contains('{'), "{}", rendered.text);
            prop_assert!(rendered.options.iter().all(|option| option.label.chars().count() <= 60));
            if open.is_some() && talk.memory.task.is_none() {
                let told = rendered.text.contains("Nothing was sent.") || rendered.text.contains("Started")
                    || decision.action == ActionKind::Handoff || rendered.text.contains("Nothing to send back.")
                    || decision.reasons.iter().any(|reason| !reason.code.is_empty());
                prop_assert!(told, "the task went without a word: {text:?} {:?}", decision.reply);
            }
            let stored = serde_json::to_string(&talk.memory).unwrap();
            prop_assert_eq!(&serde_json::from_str::<DialogueState>(&stored).unwrap(), &talk.memory);
        }
    }
}
