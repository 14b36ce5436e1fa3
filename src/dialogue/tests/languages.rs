//! Turns in languages that the bot does not speak.

use super::fixture::{Talk, about, analysis, files, nothing};
use crate::dialogue::{Decision, Prompts, Reply, render};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis};

/// A text that is surely in a language; its scores mean nothing, however sure they look.
fn written_in(code: &str) -> Analysis {
    Analysis { language: Some(code.to_owned()), frustration: 0.99, ..analysis(&[("refunds", 0.99, 0.99)], 0.99) }
}

/// A text too short to tell.
fn scrap() -> Analysis {
    Analysis { language: None, ..nothing() }
}

fn codes(decision: &Decision) -> Vec<&str> {
    decision.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

#[test]
fn another_language_is_offered_a_person_in_its_own_words_and_nothing_is_guessed() {
    let mut talk = Talk::new();
    let decision = talk.say("Wo ist meine Bestellung jt 1042 denn nun?", &written_in("de"));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["language"]));
    assert_eq!(decision.intent, None);
    let rendered = render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER));
    assert_eq!(rendered.text, "Nur Englisch. Ein Mensch?");
    let labels: Vec<&str> = rendered.options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["Ja, bitte", "Nein"]);
    assert_eq!(rendered.data["language"], "de");
}

#[test]
fn going_on_in_the_language_hands_over_and_so_does_a_yes_in_it() {
    for (text, read) in
        [("Das verstehe ich leider nicht.", written_in("de")), ("ja bitte", scrap()), ("Ja, bitte", scrap())]
    {
        let mut talk = Talk::new();
        talk.say("Wo ist meine Bestellung denn nun?", &written_in("de"));
        let decision = talk.say(text, &read);
        assert_eq!((decision.action, decision.reasons[0].code.as_str()), (ActionKind::Handoff, "language"), "{text}");
    }
}

#[test]
fn a_language_is_offered_once() {
    let mut talk = Talk::new();
    talk.say("Wo ist meine Bestellung denn nun?", &written_in("de"));
    let declined = talk.say("Nein", &scrap());
    assert_eq!((declined.action, &declined.reply), (ActionKind::Reply, &Reply::DeclinedOffer));
    let again = talk.say("Wo ist meine Bestellung denn nun?", &written_in("de"));
    assert_eq!((again.action, codes(&again)), (ActionKind::Fallback, vec![]));
}

#[test]
fn a_language_without_words_is_offered_a_person_in_english() {
    let mut talk = Talk::new();
    let decision = talk.say("Đơn hàng của tôi ở đâu?", &written_in("vi"));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Offer, vec!["language"]));
    assert_eq!(render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text, "A person? (language)");
}

#[test]
fn a_person_is_handed_over_to_in_any_language_whatever_the_detector_says() {
    for text in ["Kann ich mit einem Mitarbeiter sprechen?", "MENSCH!", "kann ich mit einem Menshcen sprechen"] {
        for read in [scrap(), written_in("de"), written_in("nl")] {
            let decision = Talk::new().say(text, &read);
            assert_eq!((decision.action, codes(&decision)), (ActionKind::Handoff, vec!["request_human"]), "{text}");
        }
    }
    let decision = Talk::new().say("ich brauche keinen menschen", &scrap());
    assert_eq!(decision.action, ActionKind::Fallback, "what only looks like a wish is none");
    let decision = Talk::new().say("when you open, is it mensch you sell or something else?", &about("opening_hours"));
    assert_eq!(decision.action, ActionKind::Reply, "a foreign word in an English question is no wish");
}

#[test]
fn a_question_about_the_bot_is_answered_in_its_language_and_a_wish_beside_it_goes_first() {
    let mut talk = Talk::new();
    let decision = talk.say("Bist du ein echter Bot?", &written_in("de"));
    assert_eq!((decision.action, decision.intent.as_deref()), (ActionKind::Reply, Some("greeting")));
    assert_eq!(render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER)).text, "Ja, ein Bot.");
    let decision = talk.say("Bist du ein Bot? Ich will mit einem Menschen sprechen", &written_in("de"));
    assert_eq!((decision.action, codes(&decision)), (ActionKind::Handoff, vec!["request_human"]));
    let english = Talk::new().say("are you a bot", &about("human"));
    assert_eq!((english.action, english.intent.as_deref()), (ActionKind::Reply, Some("greeting")));
    let both = Talk::new().say("are you a bot and can you tell me when my money comes back", &about("refunds"));
    assert_eq!(both.intent.as_deref(), Some("refunds"), "a question of its own is answered");
}

#[test]
fn a_language_with_half_its_words_is_refused() {
    let faulty = [
        ("sentence = 'Nur Englisch. Ein Mensch?'\n", "", "needs `sentence`"),
        ("bot_answer = 'Ja, ein Bot.'\n", "", "`bot` needs `bot_answer`"),
        ("name = 'English'\n", "name = 'English'\nsentence = 'Hi.'\n", "a supported one has none"),
        ("bot_intent = 'greeting'", "bot_intent = 'nobody'", "no intent `nobody`"),
        ("supported = ['en']", "supported = ['english']", "no ISO 639-1 code"),
        ("<person> sprechen", "<someone> sprechen", "no words `someone`"),
    ];
    for (right, wrong, reason) in faulty {
        let mut files = files();
        let text = files.get_mut("languages.toml").unwrap();
        assert!(text.contains(right), "{right}");
        *text = text.replacen(right, wrong, 1);
        let errors = Prompts::load(&files).unwrap_err().to_string();
        assert!(errors.contains("languages.toml") && errors.contains(reason), "{errors}");
    }
}
