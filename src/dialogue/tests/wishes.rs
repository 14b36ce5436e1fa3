//! Wishes for a person and questions about the bot that no pattern knows, as the reader of wishes sees them.

use super::fixture::{Talk, about, analysis, nothing};
use crate::dialogue::{Decision, DialogueState, Reply, recompute};
use crate::domain::{ActionKind, Analysis, Wish};

fn wishing(person: f32, bot: f32, analysis: Analysis) -> Analysis {
    Analysis { wish: Some(Wish { person, bot }), ..analysis }
}

fn in_language(code: Option<&str>, analysis: Analysis) -> Analysis {
    Analysis { language: code.map(str::to_owned), ..analysis }
}

fn say(text: &str, read: &Analysis) -> Decision {
    Talk::new().say(text, read)
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn a_wish_hands_over_from_its_limit_offers_below_it_and_says_both_numbers() {
    for (person, action) in [(0.8, ActionKind::Handoff), (0.79, ActionKind::Offer), (0.49, ActionKind::Fallback)] {
        let decision = say("your lot's receptionist, if you would", &wishing(person, 0.0, nothing()));
        assert_eq!(decision.action, action, "{person}");
        let limit = if action == ActionKind::Handoff { 0.8 } else { 0.5 };
        for reason in &decision.reasons {
            assert_eq!(
                (reason.code.as_str(), reason.value, reason.threshold),
                ("request_human", Some(person), Some(limit))
            );
            assert_eq!(reason.evidence, "understood as a wish for a person");
        }
        let again = recompute(&decision.trace, "your lot's receptionist, if you would", &Talk::new().prompts).unwrap();
        assert_eq!(again, decision);
    }
    let decision = say("your lot's receptionist", &wishing(0.85, 0.0, nothing()));
    let change = &decision.trace["would_change"]["any"][0];
    assert_eq!((change["name"].as_str(), change["to"].as_f64()), (Some("wish.handoff"), Some(0.8501)));
}

#[test]
fn a_question_that_the_bot_can_answer_asks_for_more_and_is_never_offered_a_person_for_it() {
    for (person, action) in [(0.89, ActionKind::Reply), (0.9, ActionKind::Handoff)] {
        let decision =
            say("when can I come in and see somebody about a hem", &wishing(person, 0.0, about("opening_hours")));
        assert_eq!(decision.action, action, "{person}");
    }
}

#[test]
fn danger_goes_first_and_a_no_to_the_offer_is_no_wish() {
    let danger = say("somebody please help me", &wishing(0.99, 0.0, about("danger")));
    assert_eq!((danger.action, codes(&danger)), (ActionKind::Handoff, vec!["safety"]));
    let mut talk = Talk::new();
    assert_eq!(talk.say("hm", &wishing(0.6, 0.0, nothing())).action, ActionKind::Offer);
    let declined = talk.say("No, keep going", &wishing(0.99, 0.0, nothing()));
    assert_eq!(declined.reply, Reply::DeclinedOffer);
    let rests = talk.say("hm", &wishing(0.6, 0.0, nothing()));
    assert_eq!(rests.action, ActionKind::Fallback, "an unsure wish rests after a no");
    assert_eq!(talk.say("hm", &wishing(0.8, 0.0, nothing())).action, ActionKind::Handoff, "a sure one does not");
}

#[test]
fn a_second_unsure_wish_after_the_offer_hands_over() {
    let mut talk = Talk::new();
    assert_eq!(talk.say("hm", &wishing(0.6, 0.0, nothing())).action, ActionKind::Offer);
    assert_eq!(talk.say("hm", &wishing(0.6, 0.0, nothing())).action, ActionKind::Handoff);
}

#[test]
fn an_unsure_wish_does_not_hold_back_a_person_who_is_needed_anyway() {
    let insulted_twice = DialogueState { abusive_turns: 2, ..DialogueState::default() };
    for (person, by) in [(0.0, "soft_reasons"), (0.6, "soft_reasons"), (0.8, "intent")] {
        let mut talk = Talk { memory: insulted_twice.clone(), ..Talk::new() };
        let decision = talk.say("stupid bot", &wishing(person, 0.0, nothing()));
        assert_eq!(decision.action, ActionKind::Handoff, "{person}");
        assert_eq!(decision.trace["by"].as_str(), Some(by), "{person}");
    }
}

#[test]
fn a_wish_is_seen_in_a_language_that_the_bot_does_not_speak_and_its_bot_question_answered_in_it() {
    let german = |person, bot| in_language(Some("de"), wishing(person, bot, analysis(&[], 0.1)));
    let decision = say("wer von Ihnen ist denn da", &german(0.8, 0.1));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Handoff, vec!["request_human"]));
    let decision = say("werden die Antworten automatisch erzeugt", &german(0.1, 0.7));
    assert_eq!(decision.reply, Reply::BotQuestion { language: "de".to_owned() });
    assert_eq!(decision.trace["heard"]["wish"]["probability"], 0.7);
    // No table, no words for it: what surely is another language stays one.
    let other = say("x", &in_language(Some("vi"), wishing(0.0, 0.99, analysis(&[], 0.1))));
    assert_eq!(codes(&other), ["language"]);
}

#[test]
fn a_bot_question_of_one_sentence_goes_before_a_pattern_and_a_wish_behind_it_does_not() {
    let read = |bot| in_language(None, wishing(0.1, bot, nothing()));
    let one = say("kann ich hier mit einem Menschen sprechen oder seid ihr alle Maschinen", &read(0.9));
    assert_eq!((one.action, one.intent.as_deref()), (ActionKind::Reply, Some("greeting")));
    for (text, bot) in [
        ("kann ich hier mit einem Menschen sprechen oder seid ihr alle Maschinen", 0.5),
        ("Alles Maschinen hier? Dann will ich mit einem Menschen sprechen", 0.9),
        ("can I speak to a person", 0.9),
    ] {
        assert_eq!(codes(&say(text, &read(bot))), ["request_human"], "{text}");
    }
    let english = say("be honest, silicon?", &wishing(0.1, 0.9, nothing()));
    assert_eq!((english.action, english.intent.as_deref()), (ActionKind::Reply, Some("greeting")));
    let own = say("silicon or not, when does my money come back", &wishing(0.1, 0.9, about("refunds")));
    assert_eq!(own.intent.as_deref(), Some("refunds"), "a question of its own is answered");
}

#[test]
fn a_phrase_of_another_language_is_heard_though_the_text_seems_to_be_in_the_bots_own() {
    let english = in_language(Some("en"), nothing());
    let phrase = say("stop met die bot die niets doet, ich will mit einem menschen sprechen", &english);
    assert_eq!(codes(&phrase), ["request_human"]);
    let word = say("stop with the films, is it mensch you sell or something else", &english);
    assert_eq!(codes(&word), Vec::<&str>::new(), "a single word is no wish");
}

#[test]
fn an_analysis_from_before_the_reader_is_still_read() {
    let mut stored = serde_json::to_value(wishing(0.5, 0.2, nothing())).unwrap();
    stored["emotions"] = serde_json::json!([]);
    assert_eq!(serde_json::from_value::<Analysis>(stored.clone()).unwrap().wish, Some(Wish { person: 0.5, bot: 0.2 }));
    stored.as_object_mut().unwrap().remove("wish");
    assert_eq!(serde_json::from_value::<Analysis>(stored).unwrap().wish, None);
}
