//! The committed wording of the hard and countable triggers: what leads to a person by its words
//! alone, and what must not. No model is asked.

use candor::dialogue::{Decision, DialogueState, Prompts, decide};
use candor::domain::customer::STRANGER;
use candor::domain::{ActionKind, Analysis, State};
use candor::prompt_files;

fn said(prompts: &Prompts, text: &str) -> Decision {
    decide(&DialogueState::default().turn(text, false, State::Bot, &STRANGER), &Analysis::unread(), prompts)
}

/// The reason that brought a person in, or how the bot went on.
fn outcome(prompts: &Prompts, text: &str) -> String {
    let decision = said(prompts, text);
    match (decision.action, decision.reasons.first()) {
        (ActionKind::Handoff, Some(reason)) => reason.code.clone(),
        (ActionKind::Offer, Some(reason)) => format!("offer: {}", reason.code),
        _ => "bot".to_owned(),
    }
}

fn all(prompts: &Prompts, wanted: &str, texts: &[&str]) -> Vec<String> {
    let of = |text: &&str| ((*text).to_owned(), outcome(prompts, text));
    texts
        .iter()
        .map(of)
        .filter(|(_, got)| got != wanted)
        .map(|(text, got)| format!("{text:?} was {got}, not {wanted}"))
        .collect()
}

#[test]
fn words_alone_lead_where_they_should() {
    let prompts = prompt_files::load(None).unwrap();
    let mut wrong = all(
        &prompts,
        "payment_dispute",
        &[
            "I have asked my bank for a chargeback",
            "I dispute this payment",
            "I am disputing the £49.99 charge with my card company",
            "There is an unauthorised payment to you on my statement",
            "This is card fraud, somebody used my card",
            "Someone has used my credit card on your site",
            "I never authorised this payment",
            "I don't recognise this charge on my statement",
            "there's a payment I didn't make",
            "You took money from my account without my permission",
        ],
    );
    wrong.extend(all(
        &prompts,
        "bot",
        &[
            "Hi, I think I was charged twice for JT-1042",
            "I was charged twice, could you have a look please?",
            "My card was declined at the checkout",
            "I have not made the payment yet, is my basket still there?",
            "my bank did not approve the payment",
            "your site doesn't recognise my payment method",
            "Do I have to pay a charge for delivery?",
            "my parcel arrived broken",
            "This dress is a nightmare to iron",
            "I need something black for my father's funeral",
        ],
    ));
    wrong.extend(all(
        &prompts,
        "offer: churn",
        &[
            "I will never order from you again",
            "I'm going to post this all over Instagram",
            "I shall leave you a one star review",
        ],
    ));
    wrong.extend(all(&prompts, "safety", &["I want to kill myself"]));
    wrong.extend(all(&prompts, "legal", &["You will hear from my solicitor"]));
    wrong.extend(all(&prompts, "request_human", &["Can I speak to a real person, please?"]));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn insults_aimed_at_us_count_and_other_strong_words_do_not() {
    let prompts = prompt_files::load(None).unwrap();
    let counts = |text: &str| said(&prompts, text).after.abusive_turns == 1;
    for text in [
        "you stupid bot",
        "You are an idiot",
        "fuck off",
        "you're useless idiots",
        "What a bunch of crooks",
        "F*** you",
    ] {
        assert!(counts(text), "{text:?} is an insult");
    }
    for text in [
        "this damn zip is stuck again",
        "fuck yes, it fits, this is amazing, you absolute bastards!",
        "I was stupid and ordered the wrong size",
        "are you a bot?",
        "that is useless to me",
        "the queue was hell",
        "My dog is an idiot and ate the label",
        "what the hell happened to my order",
    ] {
        assert!(!counts(text), "{text:?} is none");
    }
}

#[test]
fn every_reason_of_the_code_has_its_sentences() {
    let prompts = prompt_files::load(None).unwrap();
    for (code, texts) in prompts.reasons() {
        assert!(!texts.customer.is_empty() && !texts.label.is_empty(), "{code}");
        let promises = ["minutes", "hours", "shortly", "soon", "sorry"];
        for text in [Some(&texts.customer), texts.offer.as_ref()].into_iter().flatten() {
            let words: Vec<String> =
                text.to_lowercase().split(|sign: char| !sign.is_alphabetic()).map(str::to_owned).collect();
            let found: Vec<&&str> = promises.iter().filter(|word| words.contains(&(**word).to_owned())).collect();
            assert!(found.is_empty(), "{code} claims {found:?}: {text}");
        }
    }
}
