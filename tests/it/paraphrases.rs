//! "A person, please" and "are you a bot?" in many words and eight languages, through the
//! committed model, the committed prompts and the path of `candor replay`.
//!
//! `tests/paraphrases/*.jsonl`: one `{"language", "text", "expect"}` a line. `person` has to be handed
//! over on its turn, `bot` has to be answered honestly, and `other` must not be handed over.

use candor::cli::replay::{Dialog, DialogTurn, Speaker, TurnOutcome, replay_conversation, start_reader};
use candor::domain::ActionKind;
use candor::prompt_files;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A file's name; the least share of wishes and questions that come out right; the largest share of other texts that
/// are handed over. The reader of wishes was trained with the first file, its limits were chosen on the second, and the
/// third was written by somebody else and run when both were done. What is wanted of it is the same as of the first; its
/// bounds say what must not get worse.
const BOUNDS: [(&str, f64, f64); 3] = [("dev", 0.99, 0.01), ("tuning", 0.98, 0.08), ("unseen", 0.92, 0.10)];
/// The intent that "are you a bot?" is, in every language.
const BOT_QUESTION: &str = "bot_question";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Person,
    Bot,
    Other,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paraphrase {
    language: String,
    text: String,
    expect: Expect,
}

fn is_right(expect: Expect, got: &TurnOutcome) -> bool {
    let asked = got.action == ActionKind::Handoff;
    match expect {
        Expect::Person => asked && got.reasons.iter().any(|code| code == "request_human"),
        Expect::Bot => got.action == ActionKind::Reply && got.intent.as_deref() == Some(BOT_QUESTION),
        Expect::Other => !asked,
    }
}

fn read() -> Vec<(String, Paraphrase)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/paraphrases");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", path.file_name().unwrap().display(), number + 1);
            let paraphrase = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
            all.push((place, paraphrase));
        }
    }
    all
}

#[test]
fn wishes_for_a_person_and_questions_about_the_bot_are_understood_in_eight_languages() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let prompts = prompt_files::load(Some(&root.join("prompts"))).unwrap_or_else(|error| panic!("{error}"));
    let nlu = start_reader(&prompts, Some(root.join("models/support-minilm")), 0).unwrap();
    assert_eq!(nlu.status().reason, None, "the committed model has to read, not the rules");

    let mut wrong = Vec::new();
    let mut tally: BTreeMap<(String, String, Expect), (usize, usize)> = BTreeMap::new();
    for (place, paraphrase) in read() {
        let turn = DialogTurn { from: Speaker::Customer, text: paraphrase.text.clone(), button: false };
        let dialog = Dialog { id: place.clone().into(), turns: vec![turn] };
        let outcomes = replay_conversation(&nlu, &prompts, &dialog).unwrap();
        let got = outcomes.first().unwrap();
        let right = is_right(paraphrase.expect, got);
        let file = place.split('.').next().unwrap_or_default().to_owned();
        let (all, good) = tally.entry((file, paraphrase.language.clone(), paraphrase.expect)).or_default();
        *all += 1;
        *good += usize::from(right);
        if !right {
            wrong.push(format!(
                "{place} {} {:?}: \"{}\" came out as {:?} {:?} {:?}",
                paraphrase.language, paraphrase.expect, paraphrase.text, got.action, got.intent, got.reasons
            ));
        }
    }
    nlu.stop();

    for ((file, language, expect), (all, good)) in &tally {
        println!("{file} {language} {expect:?}: {good}/{all}");
    }
    println!("{}", wrong.join("\n"));
    for (file, least_right, most_false) in BOUNDS {
        let sum = |wanted: bool| {
            let of = tally.iter().filter(|((own, _, expect), _)| own == file && (*expect != Expect::Other) == wanted);
            of.fold((0, 0), |(all, good), (_, (more, right))| (all + more, good + right))
        };
        let ((wishes, understood), (others, kept)) = (sum(true), sum(false));
        assert!(wishes > 0 && others > 0, "both kinds are needed");
        println!("{file}: {understood} of {wishes} wishes, {kept} of {others} others");
        let (share, false_share) = (understood as f64 / wishes as f64, (others - kept) as f64 / others as f64);
        assert!(share >= least_right, "only {understood} of {wishes} wishes came out right:\n{}", wrong.join("\n"));
        assert!(false_share <= most_false, "{} others were handed over:\n{}", others - kept, wrong.join("\n"));
    }
}
