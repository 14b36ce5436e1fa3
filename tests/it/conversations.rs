//! The written conversations of `tests/conversations/`, run through the committed model, the
//! committed prompts and the path of `candor replay`.
//!
//! Those of the group "seen" may be looked at while thresholds and prompts are tuned; those of
//! "unseen" were written after the prompts were frozen. Both are held to the same bar.

use candor::cli::replay::{Dialog, DialogTurn, Speaker, TurnOutcome, replay_conversation, start_reader};
use candor::domain::ActionKind;
use candor::prompt_files;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Share of conversations in which every turn has to come out as expected.
const LEAST_RIGHT: f64 = 0.95;
/// So many conversations are needed for the share to mean something.
const LEAST_CONVERSATIONS: usize = 60;
/// So many of them have to be written after the prompts were frozen.
const LEAST_UNSEEN: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Group {
    Seen,
    Unseen,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    group: Group,
    calm: bool,
    turns: Vec<WrittenTurn>,
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

struct Tally {
    right: usize,
    all: usize,
}

#[test]
fn written_conversations_come_out_as_expected() {
    let conversations = read_conversations(&root().join("tests/conversations"));
    assert!(conversations.len() >= LEAST_CONVERSATIONS, "only {} conversations", conversations.len());
    let prompts = prompt_files::load(Some(&root().join("prompts"))).unwrap_or_else(|error| panic!("{error}"));
    let nlu = start_reader(&prompts, Some(root().join("models/support-minilm")), 0).unwrap();
    assert_eq!(nlu.status().reason, None, "the committed model has to read, not the rules");

    let mut report = Vec::new();
    let mut calm_escalated = Vec::new();
    let mut tally = [Tally { right: 0, all: 0 }, Tally { right: 0, all: 0 }];
    for written in &conversations {
        let outcomes = replay_conversation(&nlu, &prompts, &dialog(written)).unwrap();
        let customer = written.turns.iter().filter(|turn| turn.from == Speaker::Customer);
        let mut right = true;
        for (turn, got) in customer.zip(&outcomes) {
            let expect = turn.expect.as_ref().unwrap();
            if let Some(wrong) = miss(expect, got) {
                right = false;
                report.push(format!(
                    "{} ({:?}) turn {}: \"{}\" (frustration {:.2}, {:?}): {wrong}",
                    written.id, written.group, got.turn, turn.text, got.frustration, got.intent
                ));
            }
            if written.calm && matches!(got.action, ActionKind::Offer | ActionKind::Handoff) {
                calm_escalated.push(format!("{} turn {}: \"{}\" {:?}", written.id, got.turn, turn.text, got.reasons));
            }
        }
        let tally = &mut tally[usize::from(written.group == Group::Unseen)];
        tally.all += 1;
        tally.right += usize::from(right);
    }
    nlu.stop();

    let [seen, unseen] = &tally;
    let summary = format!(
        "seen {}/{}, unseen {}/{}, calm but escalated {}\n{}",
        seen.right,
        seen.all,
        unseen.right,
        unseen.all,
        calm_escalated.len(),
        report.join("\n")
    );
    println!("{summary}");
    assert!(calm_escalated.is_empty(), "calm conversations must stay with the bot:\n{}", calm_escalated.join("\n"));
    assert!(unseen.all >= LEAST_UNSEEN, "only {} conversations were written after the prompts", unseen.all);
    let share = (seen.right + unseen.right) as f64 / conversations.len() as f64;
    assert!(share >= LEAST_RIGHT, "only {:.1} % of the conversations are right: {summary}", share * 100.0);
}

fn dialog(written: &Written) -> Dialog {
    let turn = |turn: &WrittenTurn| DialogTurn { from: turn.from, text: turn.text.clone(), button: turn.button };
    Dialog { id: written.id.clone().into(), turns: written.turns.iter().map(turn).collect() }
}
