//! Every threshold keeps the direction that its table promises.

use super::fixture::Talk;
use super::invariants::{BOT, customer, degree, memory, read, words};
use crate::dialogue::policy::{Direction, Policy, THRESHOLDS};
use crate::dialogue::{DialogueState, Prompts, decide};
use crate::domain::{Analysis, Customer, State};
use proptest::prelude::*;

/// The names of all numbers in a policy, as `section.key`.
fn paths(policy: &Policy) -> Vec<String> {
    let value = serde_json::to_value(policy).unwrap();
    let sections = value.as_object().unwrap();
    let keys = |(section, keys): (&String, &serde_json::Value)| {
        keys.as_object().unwrap().keys().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    sections.iter().flat_map(keys).collect()
}

#[test]
fn the_table_names_every_number_once_and_finds_it() {
    let mut named: Vec<String> = THRESHOLDS.iter().map(|threshold| threshold.path.to_owned()).collect();
    named.sort();
    let mut all = paths(BOT.policy());
    all.sort();
    assert_eq!(named, all);
    for threshold in THRESHOLDS {
        let mut policy = BOT.policy().clone();
        threshold.set(&mut policy, if threshold.is_share { 0.5 } else { 77.0 });
        let value = serde_json::to_value(&policy).unwrap();
        let (section, key) = threshold.path.split_once('.').unwrap();
        assert_eq!(value[section][key].as_f64().unwrap(), threshold.get(&policy), "{}", threshold.path);
    }
}

/// The bot with one threshold raised, and which way that leads.
fn raised(which: usize, by: f64) -> Option<(Prompts, Direction, &'static str)> {
    let threshold = THRESHOLDS[which];
    let mut policy = BOT.policy().clone();
    let now = threshold.get(&policy);
    let to = if threshold.is_share { ((now + by) * 10_000.0).round() / 10_000.0 } else { now + (by * 6.0).ceil() };
    threshold.set(&mut policy, if threshold.is_share { to.min(1.0) } else { to });
    let counts = matches!(threshold.raised, Direction::Later | Direction::Sooner);
    counts.then(|| (BOT.clone().with_policy(policy), threshold.raised, threshold.path))
}

/// The first turn on which a person is offered or brought in.
fn first_person(bot: &Prompts, customer: &Customer, turns: &[(String, Analysis)]) -> usize {
    let (mut memory, mut state) = (DialogueState::default(), State::Bot);
    for (index, (text, analysis)) in turns.iter().enumerate() {
        let decision = decide(&memory.turn(text, false, state, customer), analysis, bot);
        if degree(&decision) > 0 {
            return index;
        }
        memory.advance(&decision);
        state = decision.next_state(state);
    }
    turns.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6_000))]

    #[test]
    fn a_raised_threshold_moves_one_turn_only_in_its_direction(
        text in words(), read in read(), memory in memory(), customer in customer(),
        which in 0..THRESHOLDS.len(), by in 0.0_f64..0.5,
    ) {
        let Some((other, direction, path)) = raised(which, by) else { return Ok(()) };
        let turn = memory.turn(&text, false, State::Bot, &customer);
        let (before, after) = (degree(&decide(&turn, &read, &BOT)), degree(&decide(&turn, &read, &other)));
        match direction {
            Direction::Later => prop_assert!(after <= before, "{path} raised: {before} became {after}"),
            _ => prop_assert!(after >= before, "{path} raised: {before} became {after}"),
        }
    }

    #[test]
    fn a_raised_threshold_moves_the_first_offer_only_in_its_direction(
        turns in prop::collection::vec((words(), read()), 1..9), customer in customer(),
        which in 0..THRESHOLDS.len(), by in 0.0_f64..0.5,
    ) {
        let Some((other, direction, path)) = raised(which, by) else { return Ok(()) };
        let (before, after) = (first_person(&BOT, &customer, &turns), first_person(&other, &customer, &turns));
        match direction {
            Direction::Later => prop_assert!(after >= before, "{path} raised: turn {before} became {after}"),
            _ => prop_assert!(after <= before, "{path} raised: turn {before} became {after}"),
        }
    }
}

/// What is *not* promised: an offer that was left aside can put off a hand-over, so a bot that offers
/// later may hand over sooner.
#[test]
fn an_offer_left_aside_may_put_off_the_hand_over() {
    use super::fixture::{about, angry, nothing};
    let talk = |bot: Prompts| {
        let mut talk = Talk { prompts: bot, ..Talk::new() };
        let turns = [
            ("hm", angry(about("refunds"), 0.65)),
            ("hm", angry(about("opening_hours"), 0.65)),
            ("No, keep going", about("no")),
            ("blue", nothing()),
            ("green", nothing()),
            ("red", nothing()),
        ];
        turns.iter().map(|(text, read)| degree(&talk.say(text, read))).collect::<Vec<_>>()
    };
    let mut policy = BOT.policy().clone();
    policy.frustration.turn = 0.7;
    assert_eq!(talk(BOT.clone()), [0, 1, 0, 0, 0, 1], "declined, so the failures' offer comes late");
    assert_eq!(talk(BOT.clone().with_policy(policy)), [0, 0, 0, 0, 1, 2]);
}
