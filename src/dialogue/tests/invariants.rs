//! What holds for every turn, whatever was said before.

use super::fixture::{analysis, prompts};
use crate::dialogue::policy::Policy;
use crate::dialogue::{Awaiting, Decision, DialogueState, PastTurn, Prompts, decide, render};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{ActionKind, Analysis, IntentScore, State};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

static BOT: LazyLock<Prompts> = LazyLock::new(prompts);

const NAMES: [&str; 10] =
    ["opening_hours", "refunds", "order_status", "greeting", "yes", "no", "not_helpful", "human", "danger", "law"];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned)
}

fn read() -> impl Strategy<Value = Analysis> {
    let score = (name(), 0.0_f32..1.0, -0.2_f32..1.0).prop_map(|(name, probability, similarity)| IntentScore {
        name,
        probability,
        similarity,
    });
    let emotions = prop::collection::vec(prop_oneof![Just(0.0), 0.0_f32..=1.0], 28);
    (prop::collection::vec(score, 0..5), 0.0_f32..=1.0, emotions).prop_map(|(mut intents, frustration, emotions)| {
        intents.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Analysis { intents, emotions, ..analysis(&[], frustration) }
    })
}

/// As remembered scores are.
fn four_digits(score: f32) -> f32 {
    (score * 10_000.0).round() / 10_000.0
}

fn past() -> impl Strategy<Value = PastTurn> {
    let action =
        prop::sample::select(vec![ActionKind::Reply, ActionKind::Clarify, ActionKind::Fallback, ActionKind::Offer]);
    (action, 0.0_f32..=1.0, 0.0_f32..=1.0, prop::option::of(name()), any::<bool>()).prop_map(
        |(action, frustration, hostility, intent, failed)| PastTurn {
            action,
            frustration: four_digits(frustration),
            hostility: four_digits(hostility),
            answer: intent.clone(),
            intent,
            failed,
            alone: four_digits(frustration),
            gist: None,
        },
    )
}

fn memory() -> impl Strategy<Value = DialogueState> {
    let code = prop::sample::select(vec!["frustration", "bot_failure", "churn"]).prop_map(str::to_owned);
    (
        prop::collection::vec(past(), 0..6),
        prop::option::of(1_u32..4),
        prop::option::of(code),
        prop::option::of((name(), name())),
        prop::option::of(0_u32..5),
        prop::option::of(0_u32..5),
    )
        .prop_map(|(history, tries, offered, clarified, since_return, since_decline)| DialogueState {
            history,
            awaiting: tries.map(|tries| Awaiting { intent: "order_status".into(), slot: "order_number".into(), tries }),
            offered,
            clarified,
            since_return,
            since_decline,
            slots: Default::default(),
        })
}

fn words() -> impl Strategy<Value = String> {
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
        ])
        .prop_map(str::to_owned),
        "(?s).{0,60}",
    ]
}

/// How far a decision goes towards a person.
fn degree(decision: &Decision) -> u8 {
    match decision.action {
        ActionKind::Handoff => 2,
        ActionKind::Offer => 1,
        ActionKind::Reply | ActionKind::Clarify | ActionKind::Fallback | ActionKind::Silent => 0,
    }
}

/// The thresholds whose rise must never bring a person sooner. Gates of intents are not among
/// them: a stricter gate means more "I did not get that", and that is a reason for a person.
fn raise(policy: &mut Policy, which: usize, by: f32) {
    let count = |value: &mut u32| *value += 1;
    let share = |value: &mut f32| *value = (*value + by).min(1.0);
    match which {
        0 => share(&mut policy.frustration.turn),
        1 => share(&mut policy.frustration.single),
        2 => share(&mut policy.frustration.rise),
        3 => share(&mut policy.frustration.rise_step),
        4 => share(&mut policy.frustration.rise_end),
        5 => share(&mut policy.intent.hard_probability),
        6 => count(&mut policy.frustration.consecutive),
        7 => count(&mut policy.failures.in_a_row),
        8 => count(&mut policy.failures.ask_tries),
        11 => share(&mut policy.frustration.hostility),
        12 => share(&mut policy.frustration.single_hostility),
        9 => count(&mut policy.cooldown.after_return),
        _ => count(&mut policy.cooldown.after_decline),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn raising_a_threshold_never_brings_a_person_sooner(
        text in words(), read in read(), memory in memory(), which in 0_usize..13, by in 0.0_f32..0.5,
    ) {
        let mut policy = BOT.policy().clone();
        raise(&mut policy, which, by);
        let stricter = BOT.clone().with_policy(policy);
        let turn = memory.turn(&text, false, State::Bot);
        let (before, after) = (decide(&turn, &read, &BOT), decide(&turn, &read, &stricter));
        prop_assert!(degree(&after) <= degree(&before), "threshold {which}: {:?} became {:?}", before.trace, after.trace);
    }

    #[test]
    fn hard_reasons_always_hand_over(start in "[a-z ,]{0,20}", read in read(), memory in memory(), which in 0_usize..3) {
        let said = ["can I speak to a person", "or I will hurt myself", "you hear from my lawyer"][which];
        let text = format!("{start} {said}");
        let decision = decide(&memory.turn(&text, false, State::Bot), &read, &BOT);
        prop_assert_eq!(decision.action, ActionKind::Handoff);
        prop_assert!(!decision.reasons.is_empty());
        let button = decide(&memory.turn(&text, true, State::Offered), &read, &BOT);
        prop_assert_eq!(&button.reasons[0].code, "button");
    }

    #[test]
    fn every_decision_is_complete_and_can_be_made_again_from_its_trace(text in words(), read in read(), memory in memory()) {
        let decision = decide(&memory.turn(&text, false, State::Bot), &read, &BOT);
        prop_assert_eq!(decision.reasons.is_empty(), degree(&decision) == 0, "a person has a reason, and only a person");
        for reason in &decision.reasons {
            prop_assert!(BOT.reason(&reason.code).is_some(), "no texts for {}", reason.code);
        }
        let said = render(&BOT, &decision.reply, None).text;
        let whole = !said.trim().is_empty() && !said.contains('{');
        prop_assert!(whole, "a reply says something, and never a raw brace");

        let stored: Value = serde_json::from_str(&decision.trace.to_string()).unwrap();
        let again_memory: DialogueState = serde_json::from_value(stored["before"].clone()).unwrap();
        let mut again_read: Value = stored["analysis"].clone();
        let emotion = |name: &&str| -> f32 {
            let listed = stored["analysis"]["emotions"].as_array().unwrap();
            let score = listed.iter().find(|emotion| emotion["name"] == **name).unwrap();
            serde_json::from_value(score["probability"].clone()).unwrap()
        };
        again_read["emotions"] = EMOTIONS.iter().map(emotion).collect();
        let again_read: Analysis = serde_json::from_value(again_read).unwrap();
        let policy: Policy = serde_json::from_value(stored["thresholds"].clone()).unwrap();
        let bot = BOT.clone().with_policy(policy);
        let again = decide(&again_memory.turn(&text, false, State::Bot), &again_read, &bot);
        prop_assert_eq!(&again.trace["decided"], &decision.trace["decided"]);
    }
}

#[test]
fn a_damaged_score_makes_no_one_angry() {
    for damaged in [f32::NAN, f32::INFINITY] {
        let read = Analysis { emotions: vec![damaged; 28], ..analysis(&[("refunds", damaged, damaged)], damaged) };
        let decision = decide(&DialogueState::default().turn("blue", false, State::Bot), &read, &BOT);
        assert_eq!(decision.action, ActionKind::Fallback);
    }
}
