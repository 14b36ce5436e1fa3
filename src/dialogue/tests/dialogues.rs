//! What a turn means in its dialogue: follow-ups, two questions, repetition, ratings, excluded topics.

use super::fixture::{Talk, about, analysis, nothing};
use crate::dialogue::{Decision, Reply, decide, render};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis, State};

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

fn sentences(whole: Analysis, sentences: &[&[(&str, f32, f32)]]) -> Analysis {
    Analysis { sentences: sentences.iter().map(|scores| analysis(scores, 0.1).intents).collect(), ..whole }
}

#[test]
fn a_declared_follow_up_is_read_in_its_topic() {
    let mut talk = Talk::new();
    talk.say("how do I send it back", &about("send_back_how"));
    let decision = talk.say("how long does that take?", &about("opening_hours"));
    assert_eq!(decision.intent.as_deref(), Some("refunds"));
    assert_eq!(decision.trace["meaning"]["how"], "follow_up");
    assert_eq!(
        Talk::new().say("how long does that take?", &nothing()).action,
        ActionKind::Fallback,
        "nothing was before it"
    );
}

#[test]
fn an_unsure_follow_up_is_read_in_its_topic_and_only_there() {
    let unsure = || analysis(&[("greeting", 0.3, 0.2), ("refunds", 0.25, 0.4), ("opening_hours", 0.05, 0.3)], 0.05);
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    assert_eq!(talk.say("and my money", &unsure()).intent.as_deref(), Some("refunds"));
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    assert_eq!(talk.say("my money", &unsure()).action, ActionKind::Fallback, "it leans on nothing");
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    assert_eq!(talk.say("and the weather", &nothing()).action, ActionKind::Fallback, "the topic has nothing near it");
}

#[test]
fn the_same_answer_for_another_case_is_no_failure() {
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    let decision = talk.say("and on Sundays?", &about("opening_hours"));
    assert_eq!((decision.action, decision.failed), (ActionKind::Reply, false));
}

#[test]
fn two_sure_questions_are_both_answered_in_their_order() {
    let hours: &[(&str, f32, f32)] = &[("opening_hours", 0.8, 0.8)];
    let refund: &[(&str, f32, f32)] = &[("refunds", 0.9, 0.8)];
    for whole in [nothing(), about("refunds")] {
        let decision = Talk::new().say("When do you open? And my money?", &sentences(whole, &[hours, refund]));
        assert_eq!((decision.action, decision.intent.as_deref()), (ActionKind::Reply, Some("opening_hours")));
        let text = render(&Talk::new().prompts, &decision.reply, None, decision.voice(&STRANGER)).text;
        assert_eq!(text, "We open at **nine**.\n\nRefunds take five days.");
    }
    let unsure: &[(&str, f32, f32)] = &[("refunds", 0.5, 0.7)];
    let decision = Talk::new().say("When? My money.", &sentences(nothing(), &[hours, unsure]));
    assert_eq!(decision.action, ActionKind::Clarify, "two unsure readings may be one question");
}

#[test]
fn of_two_questions_the_one_that_needs_a_value_asks_at_the_end() {
    let hours: &[(&str, f32, f32)] = &[("opening_hours", 0.8, 0.8)];
    let order: &[(&str, f32, f32)] = &[("order_status", 0.9, 0.8)];
    let mut talk = Talk::new();
    let decision = talk.say("Where is my order? When do you open?", &sentences(nothing(), &[order, hours]));
    assert_eq!(
        render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text,
        "We open at **nine**.\n\nWhich order?"
    );
    let decision = talk.say("1042", &nothing());
    assert!(decision.reply.lookup().is_some());
    let decision = Talk::new().say("Where is jt 1042? When do you open?", &sentences(nothing(), &[order, hours]));
    assert!(matches!(decision.reply, Reply::Both { .. }) && decision.reply.lookup().is_some());
}

#[test]
fn the_third_time_within_four_turns_is_a_loop() {
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    talk.say("but when do you open", &about("opening_hours"));
    talk.say("my money", &about("refunds"));
    let decision = talk.say("I asked when you open", &about("opening_hours"));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["loop"]));
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    talk.say("but when do you open", &about("opening_hours"));
    talk.say("thanks", &about("greeting"));
    assert_eq!(talk.say("when do you open", &about("opening_hours")).action, ActionKind::Reply, "it was settled");
}

#[test]
fn did_not_help_offers_a_person_at_once_if_something_was_said() {
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    let decision = talk.say("that did not help", &nothing());
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["low_rating"]));
    assert!(decision.failed);
    assert_eq!(Talk::new().say("that did not help", &nothing()).action, ActionKind::Reply);
}

#[test]
fn a_thumbs_down_is_a_turn_without_words() {
    let mut talk = Talk::new();
    talk.say("when do you open", &about("opening_hours"));
    let turn = talk.memory.turn("", false, State::Bot, &STRANGER).rated_low();
    let decision = decide(&turn, &Analysis::unread(), &talk.prompts);
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["low_rating"]));
    assert_eq!(decision.trace["rated_low"], true);
    talk.memory.advance(&decision);
    let again = talk.memory.turn("", false, State::Offered, &STRANGER).rated_low();
    let decision = decide(&again, &Analysis::unread(), &talk.prompts);
    assert_eq!((decision.action, &decision.after), (ActionKind::Silent, &talk.memory), "the offer stands already");
}

#[test]
fn an_excluded_topic_gets_a_no_and_an_offer() {
    let mut talk = Talk::new();
    let decision = talk.say("what is good for my skin", &about("doctor"));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["excluded_topic"]));
    assert_eq!(decision.intent.as_deref(), Some("doctor"));
    let text = render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text;
    assert_eq!(text, "I am no doctor.\n\nA person? (excluded_topic)", "the no comes first");
    let decision = talk.say("No, keep going", &nothing());
    assert_eq!(decision.action, ActionKind::Reply);
    let decision = talk.say("and for my hair", &about("doctor"));
    assert_eq!(
        decision.reply,
        Reply::Answer { intent: "doctor".into() },
        "after a no the offer rests, the no does not"
    );
}
