//! Recorded conversations in a file, one JSON object per line: the texts are read by the model and decided, and
//! every customer turn gives one line of output.
//!
//! Bot lines of a record are context for people only: the bot that is replayed is this one. Its
//! lookups are not made (an order question counts as answered). After a hand-over a person owns
//! the conversation, so every later customer turn is a `handoff` with the reason `owned_by_person`.

use crate::dialogue::{DialogueState, Prompts, decide};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis, State};
use crate::nlu::{self, Options, Reader};
use crate::serve::intent_examples;
use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Reason code of a turn that came after a hand-over.
pub const OWNED_BY_PERSON: &str = "owned_by_person";

/// A recorded conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct Dialog {
    /// Whatever names it: a text or a number, printed back as it was.
    pub id: serde_json::Value,
    /// What was said, oldest first.
    pub turns: Vec<DialogTurn>,
}

/// One line of a recorded conversation.
#[derive(Clone, Debug, Deserialize)]
pub struct DialogTurn {
    /// Who said it.
    pub from: Speaker,
    /// The words.
    #[serde(default)]
    pub text: String,
    /// The customer pressed "talk to a person" instead of writing.
    #[serde(default)]
    pub button: bool,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The person who came for help.
    Customer,
    /// The bot of the record.
    Bot,
}

/// What this bot would have done about one customer turn: one line of output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnOutcome {
    /// The conversation's id.
    pub id: serde_json::Value,
    /// Position of the turn in `turns`, from 0, bot lines counted.
    pub turn: usize,
    /// `reply`, `clarify`, `fallback`, `offer` or `handoff`.
    pub action: ActionKind,
    /// The accepted intent.
    pub intent: Option<String>,
    /// Probability that the customer is frustrated with the service, 0 to 1.
    pub frustration: f32,
    /// Reason codes of an offer or hand-over, most important first.
    pub reasons: Vec<String>,
}

/// Starts the model and fits it to the prompts' intents.
///
/// # Errors
/// If the model folder is damaged; a missing one means rules.
pub fn start_reader(prompts: &Prompts, models: Option<PathBuf>, threads: usize) -> Result<Reader, nlu::Error> {
    let options = Options { models, queue: 8, threads, engine: nlu::Engine::default() };
    Reader::start(options, &intent_examples(prompts))
}

/// Runs one conversation and gives an outcome per customer turn.
///
/// # Errors
/// If the model fails on its texts.
pub fn replay_conversation(nlu: &Reader, prompts: &Prompts, dialog: &Dialog) -> Result<Vec<TurnOutcome>, nlu::Error> {
    let customer = |(_, turn): &(usize, &DialogTurn)| turn.from == Speaker::Customer;
    let turns: Vec<(usize, &DialogTurn)> = dialog.turns.iter().enumerate().filter(customer).collect();
    if turns.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<String> = turns.iter().map(|(_, turn)| turn.text.clone()).collect();
    let analyses = nlu.analyze_batch_blocking(&texts)?;
    let mut memory = DialogueState::default();
    let mut owner = State::Bot;
    let step = |((position, turn), mut analysis): (&(usize, &DialogTurn), Analysis)| {
        nlu.read_in_context(&mut analysis, &memory.context());
        let decision = decide(&memory.turn(&turn.text, turn.button, owner, &STRANGER), &analysis, prompts);
        let owned = !owner.is_bot();
        memory.advance(&decision);
        owner = decision.next_state(owner);
        let codes = decision.reasons.into_iter().map(|reason| reason.code).collect();
        TurnOutcome {
            id: dialog.id.clone(),
            turn: *position,
            action: if owned { ActionKind::Handoff } else { decision.action },
            intent: decision.intent,
            frustration: analysis.frustration,
            reasons: if owned { vec![OWNED_BY_PERSON.to_owned()] } else { codes },
        }
    };
    Ok(turns.iter().zip(analyses).map(step).collect())
}

/// Replays the file and prints its outcomes.
///
/// # Errors
/// If the file cannot be opened, output cannot be written, or at least one line was bad (after all good ones were run).
pub(super) fn run(file: &Path, nlu: &Reader, prompts: &Prompts) -> anyhow::Result<()> {
    let mut input = open(file)?;
    let progress = progress(file, input.bytes);
    let bad = replay_lines(nlu, prompts, &mut input.lines, &mut BufWriter::new(io::stdout().lock()), &progress);
    progress.finish_and_clear();
    match bad? {
        0 => Ok(()),
        1 => bail!("1 line was not replayed"),
        bad => bail!("{bad} lines were not replayed"),
    }
}

/// Replays every line and gives the number of bad ones, each told on standard error.
fn replay_lines(
    nlu: &Reader,
    prompts: &Prompts,
    lines: &mut dyn BufRead,
    output: &mut impl Write,
    progress: &ProgressBar,
) -> anyhow::Result<usize> {
    let mut bad = 0;
    let mut raw = Vec::new();
    for number in 1.. {
        raw.clear();
        let read = lines.read_until(b'\n', &mut raw).with_context(|| format!("line {number} cannot be read"))?;
        if read == 0 {
            break;
        }
        progress.inc(u64::try_from(read).unwrap_or(u64::MAX));
        match replay_line(nlu, prompts, &raw) {
            Ok(outcomes) => write_outcomes(output, &outcomes)?,
            Err(reason) => {
                bad += 1;
                progress.suspend(|| eprintln!("candor replay: line {number}: {reason}"));
            }
        }
    }
    output.flush().context("cannot write the outcomes")?;
    Ok(bad)
}

fn replay_line(nlu: &Reader, prompts: &Prompts, raw: &[u8]) -> Result<Vec<TurnOutcome>, String> {
    let text = std::str::from_utf8(raw).map_err(|_| "not UTF-8".to_owned())?;
    // A byte order mark is what some editors put before the first line.
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let dialog: Dialog = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !(dialog.id.is_string() || dialog.id.is_number()) {
        return Err("`id` is neither a text nor a number".to_owned());
    }
    replay_conversation(nlu, prompts, &dialog).map_err(|error| error.to_string())
}

fn write_outcomes(output: &mut impl Write, outcomes: &[TurnOutcome]) -> anyhow::Result<()> {
    for outcome in outcomes {
        serde_json::to_writer(&mut *output, outcome)
            .map_err(io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .context("cannot write the outcomes")?;
    }
    Ok(())
}

struct Input {
    lines: Box<dyn BufRead>,
    /// Size of a regular file, for the progress bar.
    bytes: Option<u64>,
}

fn open(path: &Path) -> anyhow::Result<Input> {
    if path == Path::new("-") {
        return Ok(Input { lines: Box::new(io::stdin().lock()), bytes: None });
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let metadata = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.is_dir() {
        bail!("{} is a folder", path.display());
    }
    Ok(Input { lines: Box::new(BufReader::new(file)), bytes: metadata.is_file().then_some(metadata.len()) })
}

/// A bar on a terminal; nothing where standard error goes to a file.
fn progress(path: &Path, bytes: Option<u64>) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::no_length(),
    };
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(path.display().to_string());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt_files;

    fn replay(lines: &str) -> (String, usize) {
        let prompts = prompt_files::load(None).unwrap();
        let nlu = start_reader(&prompts, None, 1).unwrap();
        let mut output = Vec::new();
        let bad = replay_lines(&nlu, &prompts, &mut lines.as_bytes(), &mut output, &ProgressBar::hidden()).unwrap();
        nlu.stop();
        (String::from_utf8(output).unwrap(), bad)
    }

    #[test]
    fn one_line_per_customer_turn_and_a_person_keeps_what_was_handed_over() {
        let (output, bad) = replay(
            "{\"id\": 7, \"turns\": [{\"from\": \"bot\", \"text\": \"Hello\"}, {\"from\": \"customer\", \"text\": \"Can I speak to a human?\"}, {\"from\": \"customer\", \"text\": \"hello?\"}]}\n",
        );
        assert_eq!(bad, 0);
        let lines: Vec<serde_json::Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["id"], &lines[0]["turn"], &lines[0]["action"]),
            (&7.into(), &1.into(), &"handoff".into())
        );
        assert_eq!(lines[0]["reasons"], serde_json::json!(["request_human"]));
        assert_eq!(lines[1]["reasons"], serde_json::json!([OWNED_BY_PERSON]));
        let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["action", "frustration", "id", "intent", "reasons", "turn"]);
    }

    #[test]
    fn bad_lines_are_counted_and_the_others_still_run() {
        let lines = [
            "\u{feff}{\"id\": \"a\", \"turns\": [{\"from\": \"customer\", \"text\": \"I want a human agent\"}]}",
            "{\"id\": \"b\"}",
            "not json",
            "",
            "{\"id\": null, \"turns\": []}",
            "{\"id\": \"c\", \"turns\": [{\"from\": \"parrot\", \"text\": \"x\"}]}",
            "{\"id\": \"d\", \"turns\": []}",
            "{\"id\": \"e\", \"turns\": [{\"from\": \"customer\", \"text\": \"\"}]}",
        ];
        let (output, bad) = replay(&lines.join("\n"));
        assert_eq!(bad, 4);
        assert_eq!(output.lines().count(), 2, "{output}");
    }
}
