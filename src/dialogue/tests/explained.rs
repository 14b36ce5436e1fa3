//! A stored decision explains itself: it can be made again, and what it says would have changed it does.

use super::fixture::{Talk, about, analysis, angry, nothing, prompts};
use super::invariants::{BOT, customer, degree, memory, read, words};
use crate::dialogue::policy::{Policy, THRESHOLDS};
use crate::dialogue::{Decision, Prompts, RecomputeError, decide, recompute};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Evidence, State};
use proptest::prelude::*;
use serde_json::Value;

/// The same bot with every number of its policy moved.
fn moved(by: &[f64]) -> Prompts {
    let mut policy = BOT.policy().clone();
    for (threshold, by) in THRESHOLDS.iter().zip(by) {
        let now = threshold.get(&policy);
        let share = ((now + by).clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0;
        threshold.set(&mut policy, if threshold.is_share { share } else { (now + (by * 10.0).round()).max(1.0) });
    }
    BOT.clone().with_policy(policy)
}

fn policy() -> impl Strategy<Value = Prompts> {
    prop_oneof![Just(BOT.clone()), prop::collection::vec(-0.3_f64..0.3, THRESHOLDS.len()).prop_map(|by| moved(&by))]
}

/// As it comes back from storage.
fn stored(decision: &Decision) -> Value {
    serde_json::from_str(&decision.trace.to_string()).unwrap()
}

fn with(bot: &Prompts, changes: &[&Value]) -> Prompts {
    let mut policy: Policy = bot.policy().clone();
    for change in changes {
        let threshold = THRESHOLDS.iter().find(|threshold| change["name"] == *threshold.path).unwrap();
        assert!(change["to"].as_f64() > change["from"].as_f64(), "{change} raises nothing");
        threshold.set(&mut policy, change["to"].as_f64().unwrap());
    }
    bot.clone().with_policy(policy)
}

/// The same reading with another frustration or hostility.
fn changed(read: &Analysis, name: &str, to: f32) -> Analysis {
    let anger = |name: &&str| if *name == "anger" { to } else { 0.0 };
    match name {
        "hostility" => Analysis { emotions: EMOTIONS.iter().map(anger).collect(), ..read.clone() },
        "frustration" => Analysis { frustration: to, ..read.clone() },
        _ => read.clone(),
    }
}

fn rank_of(name: &Value) -> u8 {
    ["stay", "offer", "handoff"]
        .iter()
        .position(|known| name == known)
        .and_then(|rank| u8::try_from(rank).ok())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn a_decision_is_made_again_from_its_trace(
        text in words(), read in read(), memory in memory(), customer in customer(), bot in policy(),
        seen in prop::option::of((0.0_f32..1.0, prop::collection::vec(-1.0_f32..1.0, 0..6))),
        button in prop::bool::weighted(0.05), owned in prop::bool::weighted(0.05),
    ) {
        let evidence = seen.map(|(alone, meaning)| Evidence { score: 0.3, cues: vec![0.0; 11], meaning, alone });
        let read = Analysis { evidence, ..read };
        let state = if owned { State::Assigned } else { State::Bot };
        let decision = decide(&memory.turn(&text, button, state, &customer), &read, &bot);
        let again = recompute(&stored(&decision), &text, &BOT).unwrap();
        prop_assert_eq!(&again, &decision);
        prop_assert_eq!(&again.after, &decision.after);
    }

    #[test]
    fn what_would_have_changed_a_decision_does_change_it(
        text in words(), read in read(), memory in memory(), customer in customer(),
    ) {
        let turn = memory.turn(&text, false, State::Bot, &customer);
        let decision = decide(&turn, &read, &BOT);
        let rank = degree(&decision);
        let trace = stored(&decision);
        let changes = &trace["would_change"];
        for change in changes["any"].as_array().unwrap() {
            let led = match change["kind"].as_str().unwrap() {
                "threshold" => degree(&decide(&turn, &read, &with(&BOT, &[change]))),
                "rest" => {
                    let mut before = memory.clone();
                    (before.since_return, before.since_decline) = (None, None);
                    degree(&decide(&before.turn(&text, false, State::Bot, &customer), &read, &BOT))
                }
                _ => figure(&text, &read, &turn, change),
            };
            match (rank, change["more_turns"].as_u64()) {
                (0, Some(0)) => prop_assert_eq!(led, rank_of(&change["leads_to"]), "{}", change),
                (0, _) => prop_assert!(led > 0, "{} led nowhere", change),
                _ => {
                    prop_assert!(led < rank, "{} left {rank}", change);
                    prop_assert_eq!(led, rank_of(&change["leads_to"]));
                }
            }
        }
        let all: Vec<&Value> = changes["all"].as_array().unwrap().iter().collect();
        if !all.is_empty() {
            prop_assert!(degree(&decide(&turn, &read, &with(&BOT, &all))) < rank, "{:?}", all);
        }
        let codes: Vec<&str> = decision.reasons.iter().map(|reason| reason.code.as_str()).collect();
        prop_assert_eq!(&trace["would_change"]["sufficient"], &serde_json::json!(codes));
    }
}

/// Plays a change of a figure: this turn with it, and as many more as it says. The highest degree.
fn figure(text: &str, read: &Analysis, turn: &crate::dialogue::Turn<'_>, change: &Value) -> u8 {
    let name = change["name"].as_str().unwrap();
    let to = change["to"].as_f64().unwrap() as f32;
    let read = changed(read, name, to);
    let mut decision = decide(turn, &read, &BOT);
    let mut highest = degree(&decision);
    for _ in 0..change["more_turns"].as_u64().unwrap() {
        let failing = name == "failures_in_a_row";
        let (text, next) = if failing { ("qwert", nothing()) } else { (text, read.clone()) };
        let memory = decision.after.clone();
        decision = decide(&memory.turn(text, false, State::Bot, turn.customer), &next, &BOT);
        highest = highest.max(degree(&decision));
    }
    highest
}

fn any(decision: &Decision) -> Vec<String> {
    let one = |change: &Value| {
        format!(
            "{} {} -> {} (+{}) {}",
            change["name"].as_str().unwrap(),
            change["from"],
            change["to"],
            change["more_turns"],
            change["leads_to"].as_str().unwrap()
        )
    };
    decision.trace["would_change"]["any"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_calm_turn_says_what_it_was_short_of() {
    let mut talk = Talk::new();
    let mut calm = angry(about("refunds"), 0.41);
    calm.emotions[2] = 0.9;
    assert_eq!(
        any(&talk.say("hm", &calm)),
        ["frustration 0.41 -> 0.6 (+1) offer", "frustration 0.41 -> 0.9 (+0) offer"]
    );
    let failing = any(&Talk::new().say("blue", &nothing()));
    assert!(failing.contains(&"failures_in_a_row 1.0 -> 2.0 (+1) offer".to_owned()), "{failing:?}");
}

#[test]
fn an_offer_says_what_would_have_prevented_it() {
    let mut talk = Talk::new();
    talk.say("ugh", &angry(about("refunds"), 0.7));
    let offered = talk.say("ugh!", &angry(about("opening_hours"), 0.65));
    assert_eq!(offered.trace["would_change"]["sufficient"], serde_json::json!(["frustration"]));
    assert_eq!(
        any(&offered),
        [
            "frustration.turn 0.6 -> 0.6501 (+0) stay",
            "frustration.hostility 0.15 -> 0.7001 (+0) stay",
            "frustration.consecutive 2.0 -> 3.0 (+0) stay"
        ]
    );
    let asked = Talk::new().say("can I talk to a human", &nothing());
    assert!(any(&asked).is_empty(), "no threshold keeps a person from somebody who asks");
}

#[test]
fn two_reasons_at_once_have_to_be_prevented_together() {
    let mut talk = Talk::new();
    talk.say("blue", &angry(nothing(), 0.7));
    let offered = talk.say("green", &angry(nothing(), 0.7));
    assert_eq!(offered.trace["would_change"]["sufficient"], serde_json::json!(["frustration", "bot_failure"]));
    assert!(any(&offered).is_empty());
    let all = offered.trace["would_change"]["all"].as_array().unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
}

#[test]
fn other_prompts_or_a_damaged_trace_are_said_so() {
    let decision = Talk::new().say("refund?", &about("refunds"));
    let mut trace = stored(&decision);
    assert_eq!(recompute(&trace, "refund?", &prompts()).unwrap().action, decision.action);
    trace["prompts"] = "0123456789ab".into();
    assert!(matches!(recompute(&trace, "refund?", &BOT), Err(RecomputeError::OtherPrompts { .. })));
    trace["prompts"] = BOT.version().into();
    trace["thresholds"]["frustration"].as_object_mut().unwrap().remove("turn");
    assert!(matches!(recompute(&trace, "refund?", &BOT), Err(RecomputeError::Incomplete(_))));
}

#[test]
fn another_text_gives_another_decision() {
    let decision = Talk::new().say("refund?", &analysis(&[("refunds", 0.9, 0.8)], 0.1));
    let other = recompute(&stored(&decision), "can I talk to a human", &BOT).unwrap();
    assert_ne!(other.action, decision.action, "the text is part of what decides");
}
