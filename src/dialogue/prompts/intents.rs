//! `intents/*.toml`: what customers want, how they say it, and what the bot answers.

use super::source::{Faults, Source};
use super::template::{Constants, fixed, label};
use crate::dialogue::rules::normalise;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// Fewer examples than this teach a classifier too little.
const LEAST_EXAMPLES: usize = 10;

/// What an intent leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentKind {
    /// An answer, canned or looked up.
    #[default]
    Answer,
    /// The customer wants a person.
    RequestHuman,
    /// Somebody may be in danger.
    Safety,
    /// A legal threat or demand.
    Legal,
    /// Yes.
    Affirm,
    /// No.
    Deny,
    /// The last answer did not help.
    Unhelpful,
}

impl IntentKind {
    const REQUIRED: [(Self, &'static str); 6] = [
        (Self::RequestHuman, "request_human"),
        (Self::Safety, "safety"),
        (Self::Legal, "legal"),
        (Self::Affirm, "affirm"),
        (Self::Deny, "deny"),
        (Self::Unhelpful, "unhelpful"),
    ];

    /// The hand-over reason of a kind that leads to a person at once.
    #[must_use]
    pub fn hard_reason(self) -> Option<&'static str> {
        match self {
            Self::RequestHuman => Some("request_human"),
            Self::Safety => Some("safety"),
            Self::Legal => Some("legal"),
            Self::Answer | Self::Affirm | Self::Deny | Self::Unhelpful => None,
        }
    }
}

/// One intent, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Unique name.
    pub name: String,
    /// Short title for buttons and the desk.
    pub title: String,
    /// What it leads to.
    pub kind: IntentKind,
    /// How customers say it.
    pub examples: Vec<String>,
    /// The canned answer, ready to be said (Markdown subset).
    pub answer: Option<String>,
    /// The lookup that answers instead.
    pub lookup: Option<String>,
    /// A turn with this intent counts as a failure of the bot.
    pub failure: bool,
    /// Pleasantries: the same answer twice is no failure, and they never answer a question.
    pub small_talk: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIntents {
    intent: Vec<RawIntent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIntent {
    name: Spanned<String>,
    title: Spanned<String>,
    #[serde(default)]
    kind: IntentKind,
    examples: Spanned<Vec<Spanned<String>>>,
    answer: Option<Spanned<String>>,
    lookup: Option<Spanned<String>>,
    #[serde(default)]
    failure: bool,
    #[serde(default)]
    small_talk: bool,
}

/// Checks over all intent files together.
pub(super) fn check(
    files: &[(Source<'_>, RawIntents)],
    constants: &Constants,
    lookups: &[&str],
    faults: &mut Faults,
) -> Vec<Intent> {
    let mut intents = Vec::new();
    let mut seen = Seen::default();
    for (source, raw) in files {
        for raw in &raw.intent {
            check_words(*source, raw, &mut seen, faults);
            check_content(*source, raw, lookups, faults);
            let answer = raw.answer.as_ref().map(|answer| fixed(*source, answer, constants, faults));
            intents.push(Intent {
                name: raw.name.get_ref().clone(),
                title: label(*source, &raw.title, faults),
                kind: raw.kind,
                examples: raw.examples.get_ref().iter().map(|example| example.get_ref().clone()).collect(),
                answer,
                lookup: raw.lookup.as_ref().map(|lookup| lookup.get_ref().clone()),
                failure: raw.failure,
                small_talk: raw.small_talk,
            });
        }
    }
    for (kind, name) in IntentKind::REQUIRED {
        if !intents.iter().any(|intent| intent.kind == kind) {
            faults.add_file("intents", format!("no intent has the kind `{name}`"));
        }
    }
    intents
}

/// What must be unique over all files, with the place where it came first.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, String>,
    titles: BTreeMap<String, String>,
    examples: BTreeMap<String, String>,
}

fn check_words(source: Source<'_>, raw: &RawIntent, seen: &mut Seen, faults: &mut Faults) {
    let name = raw.name.get_ref();
    if !is_code(name) {
        faults.add(source, &raw.name.span(), format!("`{name}` is not a name: a-z, 0-9 and _ only, a letter first"));
    }
    if let Some(first) = seen.names.insert(name.clone(), source.file.to_owned()) {
        faults.add(source, &raw.name.span(), format!("the intent `{name}` is already in {first}"));
    }
    if let Some(first) = seen.titles.insert(normalise(raw.title.get_ref()), name.clone()) {
        faults.add(source, &raw.title.span(), format!("the title is already that of `{first}`"));
    }
    let examples = raw.examples.get_ref();
    if examples.len() < LEAST_EXAMPLES {
        let reason = format!("`{name}` has {} examples; at least {LEAST_EXAMPLES} are needed", examples.len());
        faults.add(source, &raw.examples.span(), reason);
    }
    for example in examples {
        let text = normalise(example.get_ref());
        if !(2..=200).contains(&text.chars().count()) {
            faults.add(source, &example.span(), "an example has 2 to 200 characters");
        }
        if let Some(first) = seen.examples.insert(text, name.clone()) {
            faults.add(source, &example.span(), format!("the example is already in `{first}`"));
        }
    }
}

/// Each kind has its own place for what is said.
fn check_content(source: Source<'_>, raw: &RawIntent, lookups: &[&str], faults: &mut Faults) {
    let name = raw.name.get_ref();
    let (answer, lookup) = (raw.answer.is_some(), raw.lookup.is_some());
    let wrong = match raw.kind {
        IntentKind::Answer => (answer == lookup).then_some("needs either an answer or a lookup"),
        IntentKind::RequestHuman | IntentKind::Safety | IntentKind::Legal => {
            (answer || lookup || raw.failure || raw.small_talk)
                .then_some("leads to a person: its texts are in handoff.toml, so no answer, lookup or flag")
        }
        IntentKind::Affirm | IntentKind::Deny | IntentKind::Unhelpful => {
            (!answer || lookup).then_some("needs an answer, said when nothing is open, and no lookup")
        }
    };
    if let Some(wrong) = wrong {
        faults.add(source, &raw.name.span(), format!("`{name}` {wrong}"));
    }
    if let Some(lookup) = &raw.lookup
        && !lookups.contains(&lookup.get_ref().as_str())
    {
        faults.add(source, &lookup.span(), format!("there is no lookup `{}` in lookups.toml", lookup.get_ref()));
    }
}

/// True for the names that intents, reasons, slots and lookups may have.
pub(super) fn is_code(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
