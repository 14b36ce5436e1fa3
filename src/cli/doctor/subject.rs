//! A set of prompts as the checks see it: its files with lines, and every phrase read without knowing it.
//!
//! The phrases of each intent are dealt into parts by their position. For each part the intents are fitted on the
//! others (and on all that was heard), and the part is read and decided as a first message would be. So every phrase is held out once; fitting
//! anew for each of a thousand would take an hour and say the same.

use crate::dialogue::prompts::Intent;
use crate::dialogue::{DialogueState, Prompts, decide};
use crate::domain::customer::STRANGER;
use crate::domain::{ActionKind, Analysis, IntentScore, Source, State};
use crate::nlu::{Error, IntentExamples, Nlu, Status};
use crate::prompt_files::Files;
use crate::serve::intent_examples;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use toml::Spanned;

/// Parts that phrases are dealt into: ten, or two where messages were heard, since each fit on those takes a minute.
pub(super) fn folds(prompts: &Prompts) -> usize {
    let heard = prompts.intents().iter().any(|intent| !prompts.heard(&intent.name).is_empty());
    if heard { 2 } else { 10 }
}

/// All that checks may ask.
pub(super) struct Subject {
    pub(super) files: Files,
    pub(super) prompts: Prompts,
    /// Who read the phrases.
    pub(super) status: Status,
    /// File and line of each intent and its phrases, by the intent's name.
    places: BTreeMap<String, Place>,
    /// Every phrase, held out; none if there is no model.
    pub(super) held: Vec<Held>,
}

/// Where an intent stands.
struct Place {
    file: String,
    line: usize,
    phrases: Vec<usize>,
}

/// A phrase that was read by a fit that did not know it, and what became of it.
pub(super) struct Held {
    /// Index of its intent.
    pub(super) intent: usize,
    /// Its position among the intent's phrases.
    pub(super) phrase: usize,
    /// The text.
    pub(super) text: String,
    /// The intent that is ranked first.
    pub(super) best: Option<IntentScore>,
    /// Its meaning, of length 1; empty if it was not read.
    pub(super) meaning: Vec<f32>,
    /// The language, where it is not one that is read.
    pub(super) foreign: Option<String>,
    /// What the bot would do about it.
    pub(super) fate: Fate,
}

/// What becomes of a phrase.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It gets what its intent is there for.
    Reached,
    /// A rule leads to a person: its reason, and the words that it saw.
    Rule(String, String),
    /// Another intent is acted on.
    Other(String),
    /// The bot asks back.
    AskedBack,
    /// It is not understood.
    Nothing,
}

/// How the phrases of an intent fare. Shares are percent of them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Tally {
    intent: String,
    phrases: usize,
    best: f32,
    reached: f32,
    asked_back: f32,
    other: f32,
    none: f32,
}

impl Tally {
    /// A row of the table.
    pub(super) fn row(&self) -> Vec<String> {
        let shares = [self.best, self.reached, self.asked_back, self.other, self.none];
        let cells = shares.iter().map(|share| if *share == 0.0 { "-".to_owned() } else { format!("{share:.0}") });
        [self.intent.clone(), self.phrases.to_string()].into_iter().chain(cells).collect()
    }
}

/// As much of a file of intents as places need.
#[derive(Deserialize)]
struct Written {
    intent: Vec<WrittenIntent>,
}

#[derive(Deserialize)]
struct WrittenIntent {
    name: Spanned<String>,
    examples: Vec<Spanned<String>>,
}

impl Subject {
    /// Reads every phrase. Takes some seconds for each fold.
    pub(super) fn new(files: Files, prompts: Prompts, nlu: &Nlu) -> Result<Self, Error> {
        let status = nlu.status();
        let held = if status.source == Source::Model { hold_out(&prompts, nlu)? } else { Vec::new() };
        Ok(Self { places: places(&files), files, prompts, status, held })
    }

    /// Where an intent stands.
    pub(super) fn place(&self, intent: &str) -> (&str, Option<usize>) {
        self.places.get(intent).map_or(("intents", None), |place| (&place.file, Some(place.line)))
    }

    /// Where a held-out phrase stands.
    pub(super) fn place_of(&self, held: &Held) -> (&str, Option<usize>) {
        let place = self.places.get(&self.intent(held).name);
        place.map_or(("intents", None), |place| (&place.file, place.phrases.get(held.phrase).copied()))
    }

    /// The intent of a held-out phrase.
    pub(super) fn intent(&self, held: &Held) -> &Intent {
        &self.prompts.intents()[held.intent]
    }

    /// The held-out phrases of an intent.
    pub(super) fn of(&self, intent: usize) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.intent == intent)
    }

    /// How the phrases of each intent fare, the worst first.
    pub(super) fn tallies(&self) -> Vec<Tally> {
        let tally = |(index, intent): (usize, &Intent)| {
            let all = self.of(index).count().max(1);
            let share = |holds: &dyn Fn(&Held) -> bool| {
                100.0 * self.of(index).filter(|held| holds(held)).count() as f32 / all as f32
            };
            Tally {
                intent: intent.name.clone(),
                phrases: intent.examples.len(),
                best: share(&|held| held.best.as_ref().is_some_and(|best| best.name == intent.name)),
                reached: share(&|held| held.fate == Fate::Reached),
                asked_back: share(&|held| held.fate == Fate::AskedBack),
                other: share(&|held| matches!(held.fate, Fate::Other(_) | Fate::Rule(..))),
                none: share(&|held| held.fate == Fate::Nothing),
            }
        };
        let mut tallies: Vec<Tally> = if self.held.is_empty() {
            Vec::new()
        } else {
            self.prompts.intents().iter().enumerate().map(tally).collect()
        };
        tallies.sort_by(|left, right| left.reached.total_cmp(&right.reached));
        tallies
    }
}

fn places(files: &Files) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    for (file, text) in files.iter().filter(|(file, _)| file.starts_with("intents/")) {
        let line = |position: usize| 1 + text.bytes().take(position).filter(|byte| *byte == b'\n').count();
        let Ok(written) = toml::from_str::<Written>(text) else { continue };
        for intent in written.intent {
            let phrases = intent.examples.iter().map(|phrase| line(phrase.span().start)).collect();
            let place = Place { file: file.clone(), line: line(intent.name.span().start), phrases };
            places.insert(intent.name.into_inner(), place);
        }
    }
    places
}

/// Reads every phrase with a fit on the other parts.
fn hold_out(prompts: &Prompts, nlu: &Nlu) -> Result<Vec<Held>, Error> {
    let folds = folds(prompts);
    let progress = ProgressBar::new(folds as u64);
    let all = intent_examples(prompts);
    let mut held = Vec::new();
    for fold in 0..folds {
        let keep = |intent: &IntentExamples| IntentExamples {
            name: intent.name.clone(),
            phrases: part(&intent.phrases, |position| position % folds != fold)
                .map(|(_, phrase)| phrase.clone())
                .collect(),
            heard: intent.heard.clone(),
        };
        let kept: Vec<IntentExamples> = all.iter().map(keep).collect();
        let fitted = nlu.fit(&kept)?;
        let asked: Vec<(usize, usize, String)> = (all.iter().enumerate())
            .flat_map(|(index, intent)| {
                let own = part(&intent.phrases, |position| position % folds == fold);
                own.map(move |(position, phrase)| (index, position, phrase.clone()))
            })
            .collect();
        let texts: Vec<String> = asked.iter().map(|(_, _, text)| text.clone()).collect();
        let read = nlu.analyze_batch_blocking(&fitted, &texts)?;
        held.extend(asked.into_iter().zip(read).map(|(asked, analysis)| judge(prompts, asked, analysis)));
        progress.inc(1);
    }
    progress.finish_and_clear();
    held.sort_by_key(|held| (held.intent, held.phrase));
    Ok(held)
}

/// Phrases whose position is chosen.
fn part(phrases: &[String], chosen: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, &String)> {
    phrases.iter().enumerate().filter(move |(position, _)| chosen(*position))
}

fn judge(prompts: &Prompts, (intent, phrase, text): (usize, usize, String), analysis: Analysis) -> Held {
    let fresh = DialogueState::default();
    let decision = decide(&fresh.turn(&text, false, State::Bot, &STRANGER), &analysis, prompts);
    let own = &prompts.intents()[intent];
    let reason = own.kind.reason();
    let hits = decision.trace["rules"]["hits"].as_array().map_or(&[][..], Vec::as_slice);
    let led = |code: &str| {
        decision.reasons.iter().any(|reason| reason.code == code) || hits.iter().any(|hit| hit["reason"] == code)
    };
    let hit = hits.first();
    let field = |hit: &Value, name: &str| hit[name].as_str().unwrap_or_default().to_owned();
    let fate = match (hit, decision.action, &decision.intent) {
        _ if reason.is_some_and(led) => Fate::Reached,
        (Some(hit), ActionKind::Handoff | ActionKind::Offer, _) => {
            Fate::Rule(field(hit, "reason"), field(hit, "words"))
        }
        (_, ActionKind::Clarify, _) => Fate::AskedBack,
        (_, _, Some(found)) if *found == own.name => Fate::Reached,
        (_, _, Some(found)) => Fate::Other(found.clone()),
        (_, _, None) => Fate::Nothing,
    };
    Held {
        intent,
        phrase,
        text,
        best: analysis.intents.first().cloned(),
        foreign: analysis.language.filter(|_| !analysis.supported),
        meaning: analysis.evidence.map(|seen| seen.meaning).unwrap_or_default(),
        fate,
    }
}
