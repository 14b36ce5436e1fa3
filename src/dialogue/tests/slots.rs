//! Values: asked for, given in any form, refused, corrected and given up.

use super::fixture::{Talk, about, nothing};
use crate::dialogue::{Decision, LookupOutcome, Reply, render};
use crate::domain::ActionKind;
use crate::domain::customer::STRANGER;
use serde_json::json;

fn looked_up<'d>(decision: &'d Decision, slot: &str) -> Option<&'d str> {
    decision.reply.lookup().and_then(|(_, slots)| slots.get(slot)).map(String::as_str)
}

#[test]
fn a_corrected_value_replaces_the_old_one() {
    for correction in ["sorry, I meant JT-1043", "not 1042, 1043", "JT 1042 no, JT-1043"] {
        let mut talk = Talk::new();
        talk.say("where is jt 1042", &about("order_status"));
        let decision = talk.say(correction, &nothing());
        assert_eq!(looked_up(&decision, "order_number"), Some("JT-1043"), "{correction}");
        assert_eq!(talk.memory.slots["order_number"], "JT-1043");
    }
}

#[test]
fn the_other_order_is_asked_for_and_the_old_one_is_forgotten() {
    let mut talk = Talk::new();
    talk.say("where is jt 1042", &about("order_status"));
    let decision = talk.say("no, the other order", &about("no"));
    assert!(matches!(decision.reply, Reply::Ask { again: false, .. }), "{:?}", decision.reply);
    let decision = talk.say("I do not have it", &nothing());
    assert!(matches!(decision.reply, Reply::Ask { again: true, .. }), "not the old order again: {:?}", decision.reply);
    assert_eq!(looked_up(&talk.say("1043", &nothing()), "order_number"), Some("JT-1043"));
}

#[test]
fn what_cannot_be_is_told_and_counts_as_a_try() {
    let mut talk = Talk::new();
    let said = |talk: &mut Talk, text: &str| {
        let decision = talk.say(text, &nothing());
        (render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text, decision.action, decision.failed)
    };
    talk.say("remind me", &about("remind"));
    assert_eq!(said(&mut talk, "a@b"), ("No mail reaches that.".into(), ActionKind::Reply, true));
    assert_eq!(said(&mut talk, "ada@mail.example").0, "Which day?", "the next value is asked for afresh");
    assert_eq!(said(&mut talk, "31/02/2026"), ("No calendar has that.".into(), ActionKind::Reply, true));
    let decision = talk.say("3 March 2026", &nothing());
    assert_eq!(looked_up(&decision, "email"), Some("ada@mail.example"));
    assert_eq!(looked_up(&decision, "day"), Some("2026-03-03"));
}

#[test]
fn two_asks_without_a_value_offer_a_person() {
    let mut talk = Talk::new();
    let actions: Vec<ActionKind> = ["remind me", "a@b", "hm"]
        .map(|text| talk.say(text, &if text == "remind me" { about("remind") } else { nothing() }).action)
        .into();
    assert_eq!(actions, [ActionKind::Reply, ActionKind::Reply, ActionKind::Offer]);
}

#[test]
fn a_lookup_beside_an_answer_is_made_where_its_value_is_known_and_again_with_another() {
    let mut talk = Talk::new();
    assert_eq!(talk.say("is it there", &about("stock")).reply, Reply::Answer { intent: "stock".into() });
    assert_eq!(looked_up(&talk.say("is size 12 there", &about("stock")), "size"), Some("12"));
    assert_eq!(looked_up(&talk.say("and in a 14?", &nothing()), "size"), Some("14"));
    assert_eq!(looked_up(&talk.say("sorry, I meant 16", &about("greeting")), "size"), Some("16"));
}

#[test]
fn a_lookup_that_fails_twice_in_a_row_is_a_failure_of_the_bot() {
    let mut talk = Talk::new();
    for failed in [false, true] {
        let decision = talk.say("where is jt 1042", &about("order_status"));
        assert!(!decision.failed, "to ask again was what the customer was told");
        talk.memory.looked_up(&talk.prompts, &decision.reply, Some(&LookupOutcome::Failed));
        assert_eq!(talk.memory.history.last().unwrap().failed, failed);
    }
    let decision = talk.say("where is jt 1042", &about("order_status"));
    let found = LookupOutcome::Found(json!({"number": "JT-1042", "status": "packed"}));
    talk.memory.looked_up(&talk.prompts, &decision.reply, Some(&found));
    assert_eq!(talk.memory.failed_lookup, None);
}

#[test]
fn a_number_that_the_business_does_not_know_is_asked_for_again() {
    let mut talk = Talk::new();
    let decision = talk.say("where is jt 1099", &about("order_status"));
    talk.memory.looked_up(&talk.prompts, &decision.reply, Some(&LookupOutcome::NotFound));
    assert!(!talk.memory.history.last().unwrap().failed, "not found is an answer");
    assert_eq!(looked_up(&talk.say("oh, 1042", &nothing()), "order_number"), Some("JT-1042"));
}

#[test]
fn a_side_question_is_answered_with_the_open_question_behind_it_once() {
    let mut talk = Talk::new();
    talk.say("where is my order", &about("order_status"));
    let decision = talk.say("when do you open?", &about("opening_hours"));
    assert_eq!(
        render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text,
        "We open at **nine**.\n\nWhich order?"
    );
    let decision = talk.say("what about my money", &about("refunds"));
    assert_eq!(decision.reply, Reply::Answer { intent: "refunds".into() }, "who goes on asking has moved on");
}

#[test]
fn never_mind_leaves_the_question() {
    let mut talk = Talk::new();
    talk.say("where is my order", &about("order_status"));
    let decision = talk.say("never mind", &nothing());
    assert_eq!((decision.reply, decision.failed), (Reply::Answer { intent: "no".into() }, false));
    assert!(talk.memory.awaiting.is_none());
}
