//! What holds for every turn, whatever was said before.

use super::fixture::{analysis, prompts};
use super::tone::toned;
use crate::dialogue::{Awaiting, Decision, DialogueState, PastTurn, Prompts, decide, render};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis, Customer, IntentScore, State, Wish};
use proptest::prelude::*;
use std::sync::LazyLock;

/// The same bot with a tone.
static TONED: LazyLock<Prompts> = LazyLock::new(|| Prompts::load(&toned()).unwrap_or_else(|errors| panic!("{errors}")));
pub(super) static BOT: LazyLock<Prompts> = LazyLock::new(prompts);

const NAMES: [&str; 14] = [
    "opening_hours",
    "refunds",
    "order_status",
    "greeting",
    "yes",
    "no",
    "not_helpful",
    "human",
    "danger",
    "law",
    "send_back",
    "send_back_how",
    "stock",
    "doctor",
];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned)
}

pub(super) fn read() -> impl Strategy<Value = Analysis> {
    let score = (name(), 0.0_f32..1.0, -0.2_f32..1.0).prop_map(|(name, probability, similarity)| IntentScore {
        name,
        probability,
        similarity,
    });
    let emotions = prop::collection::vec(prop_oneof![Just(0.0), 0.0_f32..=1.0], 28);
    let wish = (0.0_f32..=1.0, 0.0_f32..=1.0).prop_map(|(person, bot)| Wish { person, bot: bot * (1.0 - person) });
    let language = prop_oneof![Just(Some("en")), Just(Some("de")), Just(Some("vi")), Just(None)];
    (prop::collection::vec(score, 0..5), 0.0_f32..=1.0, emotions, prop::option::of(wish), language).prop_map(
        |(mut intents, frustration, emotions, wish, language)| {
            intents.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            let language = language.map(str::to_owned);
            Analysis { intents, emotions, wish, language, ..analysis(&[], frustration) }
        },
    )
}

/// As remembered scores are.
fn four_digits(score: f32) -> f32 {
    (score * 10_000.0).round() / 10_000.0
}

fn past() -> impl Strategy<Value = PastTurn> {
    let action =
        prop::sample::select(vec![ActionKind::Reply, ActionKind::Clarify, ActionKind::Fallback, ActionKind::Offer]);
    let added = prop_oneof![Just(0.0_f32), Just(0.04), Just(0.16)];
    (action, 0.0_f32..=1.0, 0.0_f32..=1.0, prop::option::of(name()), any::<bool>(), added).prop_map(
        |(action, frustration, hostility, intent, failed, added)| PastTurn {
            action,
            frustration: four_digits(frustration),
            hostility: four_digits(hostility),
            answer: intent.clone(),
            intent,
            failed,
            alone: four_digits(frustration),
            gist: None,
            added,
        },
    )
}

pub(super) fn memory() -> impl Strategy<Value = DialogueState> {
    let code = prop::sample::select(vec!["frustration", "bot_failure", "churn"]).prop_map(str::to_owned);
    (
        prop::collection::vec(past(), 0..6),
        prop::option::of(1_u32..4),
        prop::option::of(code),
        prop::option::of((name(), name())),
        prop::option::of(0_u32..5),
        prop::option::of(0_u32..5),
        0_u32..4,
    )
        .prop_map(|(history, tries, offered, clarified, since_return, since_decline, abusive_turns)| {
            DialogueState {
                history,
                awaiting: tries.map(|tries| Awaiting {
                    intent: "order_status".into(),
                    slot: "order_number".into(),
                    tries,
                    aside: false,
                }),
                offered,
                clarified,
                since_return,
                since_decline,
                abusive_turns,
                ..DialogueState::default()
            }
        })
}

pub(super) fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "yes",
            "no",
            "No, keep going",
            "Yes, please",
            "the first one",
            "Refunds",
            "jt 1042",
            "1042",
            "that did not help",
            "never order again",
            "blue",
            "my other order",
            "stupid bot",
            "STUPID BOT, NEVER ORDER AGAIN!!!",
            "WHERE IS MY PARCEL!!!",
        ])
        .prop_map(str::to_owned),
        "(?s).{0,60}",
    ]
}

/// Who writes: mostly strangers.
pub(super) fn customer() -> impl Strategy<Value = Customer> {
    let known = (0_u32..5, any::<bool>(), any::<bool>(), prop::option::of(1_i64..=5)).prop_map(
        |(contacts, vip, vulnerable, last_rating)| Customer {
            verified: true,
            contacts,
            vip,
            vulnerable,
            last_rating,
            ..Customer::default()
        },
    );
    prop_oneof![Just(Customer::default()), known]
}

/// How far a decision goes towards a person.
pub(super) fn degree(decision: &Decision) -> u8 {
    match decision.action {
        ActionKind::Handoff => 2,
        ActionKind::Offer => 1,
        ActionKind::Reply | ActionKind::Clarify | ActionKind::Fallback | ActionKind::Silent => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn hard_reasons_always_hand_over(start in "[a-z ,]{0,20}", read in read(), memory in memory(), which in 0_usize..3) {
        let said = ["can I speak to a person", "or I will hurt myself", "you hear from my lawyer"][which];
        let text = format!("{start} {said}");
        let decision = decide(&memory.turn(&text, false, State::Bot, &STRANGER), &read, &BOT);
        prop_assert_eq!(decision.action, ActionKind::Handoff);
        prop_assert!(!decision.reasons.is_empty());
        let button = decide(&memory.turn(&text, true, State::Offered, &STRANGER), &read, &BOT);
        prop_assert_eq!(&button.reasons[0].code, "button");
    }

    #[test]
    fn nothing_that_is_decided_depends_on_the_tone(
        text in words(), read in read(), mut memory in memory(), locale in prop::sample::select(vec!["de", "fr-CA", "en-GB", "x"]),
        said in prop::collection::vec(prop::sample::select(vec!["I understand {understood}.", "I have noted {understood}."]), 0..3),
    ) {
        let plain = decide(&memory.turn(&text, false, State::Bot, &STRANGER), &read, &BOT);
        memory.acknowledged = said.into_iter().map(str::to_owned).collect();
        let customer = Customer { locale: Some(locale.to_owned()), ..Customer::default() };
        let toned = decide(&memory.turn(&text, false, State::Bot, &customer), &read, &TONED);
        prop_assert_eq!(&toned.trace["decided"], &plain.trace["decided"]);
        prop_assert_eq!(&toned.trace["meaning"], &plain.trace["meaning"]);
        let after = DialogueState { acknowledged: Vec::new(), ..toned.after.clone() };
        prop_assert_eq!(after, plain.after);
        if let Some(opening) = &toned.tone.opening {
            prop_assert!(!memory.acknowledged.contains(&opening.template), "said twice");
            let rendered = render(&TONED, &toned.reply, None, toned.voice(&customer)).text;
            prop_assert!(!rendered.contains(['{', '!']), "{}", rendered);
        }
    }

    #[test]
    fn every_decision_is_complete(text in words(), read in read(), memory in memory()) {
        let decision = decide(&memory.turn(&text, false, State::Bot, &STRANGER), &read, &BOT);
        prop_assert_eq!(decision.reasons.is_empty(), degree(&decision) == 0, "a person has a reason, and only a person");
        for reason in &decision.reasons {
            prop_assert!(BOT.reason(&reason.code).is_some(), "no texts for {}", reason.code);
        }
        let said = render(&BOT, &decision.reply, None, decision.voice(&STRANGER)).text;
        let whole = !said.trim().is_empty() && !said.contains('{');
        prop_assert!(whole, "a reply says something, and never a raw brace");
    }
}

#[test]
fn a_damaged_score_makes_no_one_angry() {
    for damaged in [f32::NAN, f32::INFINITY] {
        let read = Analysis { emotions: vec![damaged; 28], ..analysis(&[("refunds", damaged, damaged)], damaged) };
        let decision = decide(&DialogueState::default().turn("blue", false, State::Bot, &STRANGER), &read, &BOT);
        assert_eq!(decision.action, ActionKind::Fallback);
    }
}
