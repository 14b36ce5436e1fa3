//! The written conversations of `tests/conversations/`, run through the committed model, the
//! committed prompts and the path of `candor replay`.
//!
//! Those of the group "seen" say how the bot has to behave: none of them may go badly wrong. Those of "tuning" were
//! written by somebody who did not build the bot and looked at while thresholds and prompts were tuned. Those of
//! "unseen" were written likewise and run when it was done. Every figure is printed for all three.

use candor::cli::replay::{Dialog, DialogTurn, Speaker, TurnOutcome, replay_conversation, start_reader};
use candor::domain::ActionKind;
use candor::measure::timing::golden_transfer;
use candor::prompt_files;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Share of turns on which the right thing has to be done, by group. What is wanted of the unseen ones is the same as
/// of the seen ones; this is what must not get worse.
const LEAST_RIGHT: [f64; 3] = [0.95, 0.91, 0.92];
/// Least mean GT-T with a tolerance of one turn, by group: whether a person is brought in when one is needed.
const LEAST_TIMELY: [f64; 3] = [0.95, 0.92, 0.92];
/// So many conversations are needed for the shares to mean something.
const LEAST_CONVERSATIONS: usize = 250;
/// So large a share of them has to be unseen.
const LEAST_UNSEEN: f64 = 0.33;
/// Reasons that leave no room: the hand-over comes on that very turn, every time.
const AT_ONCE: [&str; 5] = ["request_human", "button", "safety", "legal", "payment_dispute"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Group {
    Seen,
    Tuning,
    Unseen,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    group: Group,
    calm: bool,
    turns: Vec<WrittenTurn>,
    /// Customer turns, from 0, at which it is right to bring in a person for the first time; empty if none is needed.
    #[serde(default)]
    person: Option<Vec<usize>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTurn {
    from: Speaker,
    text: String,
    #[serde(default)]
    button: bool,
    expect: Option<Expect>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    action: OneOrMore<ActionKind>,
    /// Left out: not checked. `null`: no intent may be accepted.
    #[serde(default, deserialize_with = "present")]
    intent: Option<Option<OneOrMore<String>>>,
    #[serde(default)]
    reasons: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl Expect {
    /// A hand-over that has to come on this turn.
    fn is_at_once(&self) -> bool {
        let only = matches!(self.action, OneOrMore::One(ActionKind::Handoff));
        only && self.reasons.iter().any(|code| AT_ONCE.contains(&code.as_str()))
    }
}

impl<T: PartialEq> OneOrMore<T> {
    fn allows(&self, value: &T) -> bool {
        match self {
            Self::One(one) => one == value,
            Self::More(more) => more.contains(value),
        }
    }
}

/// Tells `null` from a missing key.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<OneOrMore<String>>>, D::Error> {
    Option::deserialize(value).map(Some)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read_conversations(folder: &Path) -> Vec<Written> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let mut conversations: Vec<Written> = Vec::new();
    let mut ids = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", path.display(), number + 1);
            let conversation: Written = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(ids.insert(conversation.id.clone()), "{place}: the id {} is taken", conversation.id);
            for turn in &conversation.turns {
                assert_eq!(
                    turn.expect.is_some(),
                    turn.from == Speaker::Customer,
                    "{place}: every customer turn expects something, and only those"
                );
            }
            conversations.push(conversation);
        }
    }
    conversations
}

/// What is wrong with one turn; none if it came out as expected.
fn miss(expect: &Expect, got: &TurnOutcome) -> Option<String> {
    let mut wrong = Vec::new();
    if !expect.action.allows(&got.action) {
        wrong.push(format!("action {:?}, expected {:?}", got.action, expect.action));
    }
    match (&expect.intent, &got.intent) {
        (None, _) | (Some(None), None) => {}
        (Some(Some(names)), Some(got)) if names.allows(got) => {}
        (Some(names), got) => wrong.push(format!("intent {got:?}, expected {names:?}")),
    }
    let missing: Vec<&String> = expect.reasons.iter().filter(|code| !got.reasons.contains(code)).collect();
    if !missing.is_empty() {
        wrong.push(format!("reasons {:?}, expected {:?}", got.reasons, expect.reasons));
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

#[derive(Default)]
struct Tally {
    conversations: usize,
    turns: usize,
    /// Turns with the right action.
    acted: usize,
    /// Turns with the right action, intent and reasons.
    right: usize,
    /// GT-T of each conversation that says when a person is needed.
    timely: Vec<f64>,
    /// Calm conversations, and those of them in which a person was brought in.
    calm: [usize; 2],
    /// Turns that need a person at once, and those of them that did not get one.
    at_once: [usize; 2],
}

impl Tally {
    fn shares(&self) -> (f64, f64, f64) {
        let of = |part: usize| part as f64 / self.turns as f64;
        (of(self.acted), of(self.right), self.timely.iter().sum::<f64>() / self.timely.len() as f64)
    }
}

#[test]
fn written_conversations_come_out_as_expected() {
    let conversations = read_conversations(&root().join("tests/conversations"));
    assert!(conversations.len() >= LEAST_CONVERSATIONS, "only {} conversations", conversations.len());
    let prompts = prompt_files::load(Some(&root().join("prompts"))).unwrap_or_else(|error| panic!("{error}"));
    let nlu = start_reader(&prompts, Some(root().join("models/support-minilm")), 0).unwrap();
    assert_eq!(nlu.status().reason, None, "the committed model has to read, not the rules");

    let (mut report, mut calm_escalated, mut too_late) = (Vec::new(), Vec::new(), Vec::new());
    let mut tallies = [Tally::default(), Tally::default(), Tally::default()];
    for written in &conversations {
        let outcomes = replay_conversation(&nlu, &prompts, &dialog(written)).unwrap();
        let customer = written.turns.iter().filter(|turn| turn.from == Speaker::Customer);
        let tally = &mut tallies[written.group as usize];
        tally.conversations += 1;
        for (turn, got) in customer.zip(&outcomes) {
            let expect = turn.expect.as_ref().unwrap();
            let wrong = miss(expect, got);
            tally.turns += 1;
            tally.acted += usize::from(expect.action.allows(&got.action));
            tally.right += usize::from(wrong.is_none());
            let place = format!("{} ({:?}) turn {}: \"{}\"", written.id, written.group, got.turn, turn.text);
            let seen = written.group == Group::Seen;
            let late = expect.is_at_once() && got.action != ActionKind::Handoff;
            tally.at_once[0] += usize::from(expect.is_at_once());
            tally.at_once[1] += usize::from(late);
            if seen && late {
                too_late.push(place.clone());
            }
            if seen && written.calm && brings_person(got) {
                calm_escalated.push(format!("{place} {:?}", got.reasons));
            }
            if let Some(wrong) = wrong {
                report.push(format!("{place} (frustration {:.2}, {:?}): {wrong}", got.frustration, got.intent));
            }
        }
        if written.calm {
            tally.calm[0] += 1;
            tally.calm[1] += usize::from(outcomes.iter().any(brings_person));
        }
        if let Some(right) = &written.person {
            let first: Vec<usize> = outcomes.iter().position(brings_person).into_iter().collect();
            tally.timely.push(golden_transfer(&first, right, 1.0, 0.0));
        }
    }
    nlu.stop();

    println!("{}", report.join("\n"));
    let mut summary = String::new();
    for (name, tally) in ["seen", "tuning", "unseen"].iter().zip(&tallies) {
        let (acted, right, timely) = tally.shares();
        summary += &format!(
            "{name}: {} conversations, {} turns, action right {acted:.3}, all right {right:.3}, GT-T 1 {timely:.3} of {}, \
             calm brought to a person {} of {}, at once but late {} of {}\n",
            tally.conversations,
            tally.turns,
            tally.timely.len(),
            tally.calm[1],
            tally.calm[0],
            tally.at_once[1],
            tally.at_once[0],
        );
    }
    println!("{summary}");
    assert!(calm_escalated.is_empty(), "calm conversations must stay with the bot:\n{}", calm_escalated.join("\n"));
    assert!(too_late.is_empty(), "what leaves no room is handed over at once:\n{}", too_late.join("\n"));
    let unseen = tallies[2].conversations as f64 / conversations.len() as f64;
    assert!(unseen >= LEAST_UNSEEN, "only {unseen:.2} of the conversations are unseen");
    for ((tally, least_right), least_timely) in tallies.iter().zip(LEAST_RIGHT).zip(LEAST_TIMELY) {
        let (acted, _, timely) = tally.shares();
        assert!(acted >= least_right, "too few turns are right: {summary}");
        assert!(timely >= least_timely, "a person comes too early or too late: {summary}");
    }
}

fn brings_person(got: &TurnOutcome) -> bool {
    matches!(got.action, ActionKind::Offer | ActionKind::Handoff)
}

fn dialog(written: &Written) -> Dialog {
    let turn = |turn: &WrittenTurn| DialogTurn { from: turn.from, text: turn.text.clone(), button: turn.button };
    Dialog { id: written.id.clone().into(), turns: written.turns.iter().map(turn).collect() }
}
