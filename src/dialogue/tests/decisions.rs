//! The decision table: what happens when, one conversation per test.

use super::fixture::{Talk, about, analysis, angry, nothing};
use crate::dialogue::{Decision, Reply, decide};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Mood, State};

fn line(text: &str, decision: &Decision) -> String {
    let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
    let (action, intent) = (decision.action, decision.intent.as_deref().unwrap_or("-"));
    let failed = if decision.failed { " failed" } else { "" };
    format!(
        "{text} => {action:?} {intent} [{}]{failed} by {}",
        reasons.join(", "),
        decision.trace["by"].as_str().unwrap_or("?")
    )
}

/// Plays a conversation and gives one line per turn.
fn play(turns: &[(&str, crate::domain::Analysis)]) -> String {
    let mut talk = Talk::new();
    let lines: Vec<String> = turns.iter().map(|(text, analysis)| line(text, &talk.say(text, analysis))).collect();
    lines.join("\n")
}

#[test]
fn routine_questions_are_answered() {
    insta::assert_snapshot!(play(&[
        ("hi", about("greeting")),
        ("hi again", about("greeting")),
        ("when do you open?", about("opening_hours")),
        ("what about my money", about("refunds")),
        ("Opening hours", nothing()),
    ]));
}

#[test]
fn a_missing_number_is_asked_for_and_a_side_question_is_answered() {
    insta::assert_snapshot!(play(&[
        ("where is my order", about("order_status")),
        ("when do you open?", about("opening_hours")),
        ("jt 1042", nothing()),
        ("and where is it now", about("order_status")),
        ("what about my other order", about("order_status")),
        ("number 1043", nothing()),
        ("where is order 1044?", about("order_status")),
    ]));
}

#[test]
fn a_number_that_never_comes_ends_in_an_offer() {
    insta::assert_snapshot!(play(&[
        ("where is my order", about("order_status")),
        ("I do not have it", nothing()),
        ("no idea", nothing()),
        ("yes please", about("yes")),
    ]));
}

#[test]
fn two_failures_in_a_row_offer_and_the_next_hands_over() {
    insta::assert_snapshot!(play(&[
        ("blue", nothing()),
        ("when do you open?", about("opening_hours")),
        ("green", nothing()),
        ("that did not help at all", nothing()),
        ("red", nothing()),
        ("hello?", nothing()),
    ]));
}

#[test]
fn the_same_answer_to_a_repeated_question_is_a_failure() {
    insta::assert_snapshot!(play(&[
        ("when do you open?", about("opening_hours")),
        ("I asked when you open", about("opening_hours")),
        ("when do you OPEN", about("opening_hours")),
    ]));
}

#[test]
fn two_frustrated_turns_offer_with_the_answer_and_the_third_hands_over() {
    insta::assert_snapshot!(play(&[
        ("this is a joke, where is my refund", angry(about("refunds"), 0.7)),
        ("when do you even open", angry(about("opening_hours"), 0.65)),
        ("unbelievable", angry(nothing(), 0.7)),
    ]));
}

#[test]
fn one_extreme_turn_or_a_steady_rise_offers() {
    insta::assert_snapshot!(play(&[("worst ever", angry(about("refunds"), 0.95))]));
    insta::assert_snapshot!(play(&[
        ("refund?", angry(about("refunds"), 0.1)),
        ("opening?", angry(about("opening_hours"), 0.32)),
        ("refund??", angry(about("refunds"), 0.55)),
    ]));
}

#[test]
fn a_sudden_jump_below_the_single_limit_is_no_rise() {
    insta::assert_snapshot!(play(&[
        ("refund?", angry(about("refunds"), 0.1)),
        ("opening?", angry(about("opening_hours"), 0.1)),
        ("refund??", angry(about("refunds"), 0.8)),
    ]));
}

#[test]
fn bad_news_about_a_parcel_is_no_reason_for_a_person() {
    let mut talk = Talk::new();
    for _ in 0..3 {
        let mut sad = angry(about("refunds"), 0.3);
        sad.sentiment.negative = 0.97;
        let decision = talk.say("my coat arrived with a hole, can I have my money back?", &sad);
        assert_eq!((decision.mood, decision.action), (Mood::Negative, ActionKind::Reply));
        talk.say("thanks", &about("greeting"));
    }
}

#[test]
fn a_declined_offer_quiets_soft_reasons_until_it_gets_worse() {
    insta::assert_snapshot!(play(&[
        ("ugh", angry(about("refunds"), 0.7)),
        ("ugh!", angry(about("opening_hours"), 0.7)),
        ("No, keep going", angry(nothing(), 0.2)),
        ("ugh", angry(about("refunds"), 0.7)),
        ("ugh!", angry(about("opening_hours"), 0.7)),
        ("this is the worst", angry(about("refunds"), 0.93)),
        ("no, when do you open", about("opening_hours")),
    ]));
}

#[test]
fn an_offer_lapses_when_the_customer_goes_on_calmly() {
    insta::assert_snapshot!(play(&[
        ("I will never order here again", angry(about("refunds"), 0.3)),
        ("when do you open?", about("opening_hours")),
        ("yes", about("yes")),
    ]));
}

#[test]
fn hard_reasons_hand_over_at_once_most_urgent_first() {
    insta::assert_snapshot!(play(&[("can I talk to a human", nothing())]));
    insta::assert_snapshot!(play(&[("I want to speak to a person or I hurt myself, and my lawyer knows", nothing())]));
    insta::assert_snapshot!(play(&[("get me somebody", analysis(&[("human", 0.8, 0.7)], 0.1))]));
    insta::assert_snapshot!(play(&[
        ("somebody perhaps", analysis(&[("human", 0.5, 0.7)], 0.1)),
        ("somebody, really", analysis(&[("human", 0.5, 0.7)], 0.1)),
    ]));
}

#[test]
fn a_question_about_the_bot_is_no_request_for_a_person() {
    let decision = Talk::new().say("is this a human, or do I talk to a person?", &nothing());
    assert_eq!(decision.action, ActionKind::Fallback, "`unless` wins over the pattern beside it");
}

#[test]
fn the_button_needs_no_words() {
    let talk = Talk::new();
    let decision = decide(&talk.memory.turn("", true, State::Offered, &STRANGER), &nothing(), &talk.prompts);
    assert_eq!(decision.action, ActionKind::Handoff);
    assert_eq!(decision.reply, Reply::Handoff { reason: "button".into() });
}

#[test]
fn two_near_readings_are_asked_about_and_the_choice_is_answered() {
    let close = || analysis(&[("refunds", 0.41, 0.7), ("opening_hours", 0.39, 0.68)], 0.1);
    insta::assert_snapshot!(play(&[("money when", close()), ("the refund", nothing())]));
    insta::assert_snapshot!(play(&[("money when", close()), ("Opening hours", nothing())]));
    insta::assert_snapshot!(play(&[("money when", close()), ("the first one", nothing())]));
    insta::assert_snapshot!(play(&[("money when", close()), ("hmm", close())]));
    insta::assert_snapshot!(play(&[("money when", close()), ("Neither", nothing()), ("blue", nothing())]));
    insta::assert_snapshot!(play(&[("money when", close()), ("hello there", about("greeting"))]));
}

#[test]
fn after_a_return_soft_reasons_rest_for_two_turns_and_hard_ones_do_not() {
    let mut talk = Talk::new();
    talk.memory.returned_by_agent();
    let lines: Vec<String> = (0..3).map(|_| line("blue", &talk.say("blue", &angry(nothing(), 0.95)))).collect();
    insta::assert_snapshot!(lines.join("\n"));
    talk.memory.returned_by_agent();
    talk.state = State::Bot;
    assert_eq!(talk.say("talk to a person", &nothing()).action, ActionKind::Handoff);
}

#[test]
fn the_bot_never_talks_over_a_person() {
    let talk = Talk::new();
    for state in [State::Queued, State::Assigned, State::Closed] {
        let decision = decide(
            &talk.memory.turn("when do you open?", false, state, &STRANGER),
            &about("opening_hours"),
            &talk.prompts,
        );
        assert_eq!((decision.action, &decision.reply), (ActionKind::Silent, &Reply::None));
        assert_eq!(decision.intent.as_deref(), Some("opening_hours"), "the desk still sees what was read");
        assert_eq!(decision.after, talk.memory);
        assert_eq!(decision.next_state(state), state);
    }
}

#[test]
fn the_trace_of_a_turn_reads_like_this() {
    let mut talk = Talk::new();
    talk.say("ugh", &angry(about("refunds"), 0.7));
    let mut decision = talk.say("UGH, when do you open", &angry(about("opening_hours"), 0.712_345));
    decision.trace["prompts"] = "version".into();
    insta::assert_json_snapshot!(decision.trace);
}

#[test]
fn danger_is_never_one_of_two_buttons() {
    let close = |first, second| analysis(&[(first, 0.41, 0.7), (second, 0.39, 0.68)], 0.1);
    insta::assert_snapshot!(play(&[("it burns", close("danger", "refunds"))]));
    insta::assert_snapshot!(play(&[("it burns money", close("refunds", "danger"))]));
    insta::assert_snapshot!(play(&[("who can help", close("human", "refunds"))]));
    insta::assert_snapshot!(play(&[("hello refund", close("greeting", "refunds"))]));
}

#[test]
fn a_question_inside_a_story_is_found_by_its_sentence() {
    let told = |sentences: &[(&str, f32, f32)]| crate::domain::Analysis {
        sentences: sentences.iter().map(|score| analysis(&[*score], 0.1).intents).collect(),
        ..nothing()
    };
    let (hours, refund, hello) = (("opening_hours", 0.8, 0.8), ("refunds", 0.9, 0.8), ("greeting", 0.95, 0.9));
    let unclear = ("refunds", 0.2, 0.3);
    insta::assert_snapshot!(play(&[("It rained. When do you open?", told(&[unclear, hours]))]));
    insta::assert_snapshot!(play(&[("Hello. When? My money!", told(&[hello, hours, refund]))]));
    insta::assert_snapshot!(play(&[("Hello you. It rained.", told(&[hello, unclear]))]));
    insta::assert_snapshot!(play(&[("Hello you. What of it?", told(&[hello, unclear]))]));
    let danger = ("danger", 0.9, 0.8);
    insta::assert_snapshot!(play(&[("When? It is burning.", told(&[hours, danger]))]));
}

#[test]
fn a_yes_to_an_offer_may_go_on_and_elsewhere_it_may_not() {
    let mut talk = Talk::new();
    talk.say("never order here again", &nothing());
    let decision = talk.say("well, if it helps somebody", &nothing());
    assert_eq!(decision.action, ActionKind::Handoff, "{:?}", decision.trace);
    let mut talk = Talk::new();
    let decision = talk.say("well, if it helps somebody", &nothing());
    assert_eq!(decision.action, ActionKind::Fallback);
    let mut talk = Talk::new();
    talk.say("never order here again", &nothing());
    assert_eq!(talk.say("lol not needed", &nothing()).action, ActionKind::Reply);
}

#[test]
fn a_yes_that_answers_nothing_gives_way_to_a_pleasantry() {
    assert_eq!(Talk::new().say("ok", &about("greeting")).intent.as_deref(), Some("greeting"));
    assert_eq!(Talk::new().say("ok", &nothing()).intent.as_deref(), Some("yes"));
    let mut talk = Talk::new();
    talk.say("never order here again", &nothing());
    assert_eq!(talk.say("ok", &about("greeting")).action, ActionKind::Handoff, "to an offer it is a yes");
}
