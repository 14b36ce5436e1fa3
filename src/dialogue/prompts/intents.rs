//! `intents/*.toml`: what customers want, how they say it, and what the bot answers.

use super::source::{Faults, Source};
use super::template::{Constants, fixed, label};
use super::tone::{check_calm, clause};
use crate::dialogue::render::ReplyOption;
use crate::dialogue::rules::{RuleAction, compile, normalise};
use crate::domain::OTHER;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// Fewer examples than this teach a classifier too little.
const LEAST_EXAMPLES: usize = 10;

/// Buttons under one answer at most; more are a menu.
const MOST_BUTTONS: usize = 4;

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
    /// Money taken that the customer did not agree to, or an account that somebody else used.
    PaymentDispute,
    /// Leaving, or making it public: no question, but the offer of a person.
    Leaving,
    /// An insult: no question, but evidence.
    Insult,
    /// Yes.
    Affirm,
    /// No.
    Deny,
    /// The last answer did not help.
    Unhelpful,
    /// Something that the bot does not answer: a polite no, and the offer of a person.
    Excluded,
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
            Self::PaymentDispute => Some("payment_dispute"),
            Self::Answer
            | Self::Affirm
            | Self::Deny
            | Self::Unhelpful
            | Self::Excluded
            | Self::Leaving
            | Self::Insult => None,
        }
    }

    /// The reason and the action of a kind that is no question but says something beside one.
    pub(in crate::dialogue) fn sign(self) -> Option<(&'static str, RuleAction)> {
        match self {
            Self::Leaving => Some(("churn", RuleAction::Offer)),
            Self::Insult => Some(("abuse", RuleAction::Evidence)),
            _ => None,
        }
    }

    /// The reason that a person is brought in for, if one is.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        self.hard_reason().or(self.sign().map(|(reason, _)| reason))
    }

    /// True for what is not wanting a person, but needing one at once.
    #[must_use]
    pub fn is_grave(self) -> bool {
        matches!(self, Self::Safety | Self::Legal | Self::PaymentDispute)
    }

    /// True for a kind with which a customer asks for something.
    #[must_use]
    pub fn asks(self) -> bool {
        matches!(self, Self::Answer | Self::Excluded)
    }
}

/// What a short message after an answer is about.
#[derive(Clone, Debug)]
pub struct FollowUp {
    pub(in crate::dialogue) patterns: Vec<Regex>,
    pub(in crate::dialogue) to: String,
}

/// One intent, checked.
#[derive(Clone, Debug)]
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
    /// The lookup that answers instead; with an answer beside it, only where its values are known.
    pub lookup: Option<String>,
    /// The task that it starts.
    pub task: Option<String>,
    /// The file it stands in: intents of one topic follow up on one another.
    pub topic: String,
    /// Intents of other topics that follow up on it.
    pub related: Vec<String>,
    /// What is known about messages that follow it.
    pub follow_ups: Vec<FollowUp>,
    /// A turn with this intent counts as a failure of the bot.
    pub failure: bool,
    /// Pleasantries: the same answer twice is no failure, and they never answer a question.
    pub small_talk: bool,
    /// The answer in other tones.
    pub variants: Variants,
    /// What is understood when somebody says this, for an acknowledgement: `that your parcel has not come`.
    pub understood: Option<String>,
    /// Buttons under the answer.
    pub buttons: Vec<ReplyOption>,
}

/// An answer in other tones; where one is missing, `answer` is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variants {
    /// For somebody who is upset.
    pub upset: Option<String>,
    /// For locales that are addressed formally.
    pub formal: Option<String>,
    /// For locales that are addressed informally.
    pub informal: Option<String>,
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
    task: Option<Spanned<String>>,
    #[serde(default)]
    related: Vec<Spanned<String>>,
    #[serde(default)]
    follow_ups: Vec<RawFollowUp>,
    #[serde(default)]
    failure: bool,
    #[serde(default)]
    small_talk: bool,
    #[serde(default)]
    variants: RawVariants,
    understood: Option<Spanned<String>>,
    #[serde(default)]
    buttons: Vec<RawButton>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVariants {
    upset: Option<Spanned<String>>,
    formal: Option<Spanned<String>>,
    informal: Option<Spanned<String>>,
}

impl RawVariants {
    fn all(&self) -> impl Iterator<Item = &Spanned<String>> {
        [&self.upset, &self.formal, &self.informal].into_iter().flatten()
    }

    fn check(&self, source: Source<'_>, constants: &Constants, faults: &mut Faults) -> Variants {
        let mut text = |raw: &Option<Spanned<String>>| raw.as_ref().map(|raw| fixed(source, raw, constants, faults));
        let variants =
            Variants { upset: text(&self.upset), formal: text(&self.formal), informal: text(&self.informal) };
        if let Some(upset) = &self.upset {
            check_calm(source, upset, faults);
        }
        variants
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawButton {
    label: Spanned<String>,
    say: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFollowUp {
    patterns: Spanned<Vec<Spanned<String>>>,
    to: Spanned<String>,
}

/// The names that intents may refer to.
pub(super) struct Known<'a> {
    /// In `lookups.toml`.
    pub(super) lookups: &'a [&'a str],
    /// In `tasks.toml`.
    pub(super) tasks: &'a [&'a str],
}

/// Checks over all intent files together.
pub(super) fn check(
    files: &[(Source<'_>, RawIntents)],
    constants: &Constants,
    known: &Known<'_>,
    faults: &mut Faults,
) -> Vec<Intent> {
    let mut intents = Vec::new();
    let mut seen = Seen::default();
    let names: BTreeSet<&str> =
        files.iter().flat_map(|(_, raw)| &raw.intent).map(|raw| raw.name.get_ref().as_str()).collect();
    for (source, raw) in files {
        for raw in &raw.intent {
            check_words(*source, raw, &mut seen, faults);
            check_content(*source, raw, known, faults);
            check_neighbours(*source, raw, &names, faults);
            check_tone(*source, raw, faults);
            let answer = raw.answer.as_ref().map(|answer| fixed(*source, answer, constants, faults));
            intents.push(Intent {
                name: raw.name.get_ref().clone(),
                title: label(*source, &raw.title, faults),
                kind: raw.kind,
                examples: raw.examples.get_ref().iter().map(|example| example.get_ref().clone()).collect(),
                answer,
                lookup: raw.lookup.as_ref().map(|lookup| lookup.get_ref().clone()),
                task: raw.task.as_ref().map(|task| task.get_ref().clone()),
                topic: source.file.to_owned(),
                related: raw.related.iter().map(|name| name.get_ref().clone()).collect(),
                follow_ups: raw.follow_ups.iter().map(|raw| follow_up(*source, raw, faults)).collect(),
                failure: raw.failure,
                small_talk: raw.small_talk,
                variants: raw.variants.check(*source, constants, faults),
                understood: raw.understood.as_ref().map(|text| clause(*source, text, faults)),
                buttons: raw.buttons.iter().map(|button| self::button(*source, button, faults)).collect(),
            });
        }
    }
    for (source, raw) in files {
        raw.intent.iter().flat_map(|raw| &raw.buttons).for_each(|button| check_button(*source, button, &seen, faults));
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
    if name == OTHER {
        faults.add(source, &raw.name.span(), format!("`{OTHER}` stands for what means none of the intents"));
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
fn check_content(source: Source<'_>, raw: &RawIntent, known: &Known<'_>, faults: &mut Faults) {
    let name = raw.name.get_ref();
    let (answer, lookup, task) = (raw.answer.is_some(), raw.lookup.is_some(), raw.task.is_some());
    let wrong = match raw.kind {
        IntentKind::Answer => (!(answer || lookup || task) || (task && (answer || lookup)))
            .then_some("needs an answer or a lookup, or a task"),
        IntentKind::RequestHuman
        | IntentKind::Safety
        | IntentKind::Legal
        | IntentKind::PaymentDispute
        | IntentKind::Leaving
        | IntentKind::Insult => (answer || lookup || task || raw.failure || raw.small_talk)
            .then_some("leads to a person: its texts are in handoff.toml, so no answer, lookup or flag"),
        IntentKind::Excluded => (!answer || lookup || task || raw.failure || raw.small_talk)
            .then_some("is excluded: it needs an answer that says so, and no lookup or flag"),
        IntentKind::Affirm | IntentKind::Deny | IntentKind::Unhelpful => {
            (!answer || lookup || task).then_some("needs an answer, said when nothing is open, and no lookup")
        }
    };
    if let Some(wrong) = wrong {
        faults.add(source, &raw.name.span(), format!("`{name}` {wrong}"));
    }
    let files =
        [(&raw.lookup, known.lookups, "lookup", "lookups.toml"), (&raw.task, known.tasks, "task", "tasks.toml")];
    for (named, names, what, file) in files {
        if let Some(named) = named.as_ref().filter(|named| !names.contains(&named.get_ref().as_str())) {
            faults.add(source, &named.span(), format!("there is no {what} `{}` in {file}", named.get_ref()));
        }
    }
}

/// The intents that are named by another one have to be there.
fn check_neighbours(source: Source<'_>, raw: &RawIntent, names: &BTreeSet<&str>, faults: &mut Faults) {
    let named = raw.related.iter().chain(raw.follow_ups.iter().map(|follow_up| &follow_up.to));
    for name in named.filter(|name| !names.contains(name.get_ref().as_str())) {
        faults.add(source, &name.span(), format!("there is no intent `{}`", name.get_ref()));
    }
}

fn follow_up(source: Source<'_>, raw: &RawFollowUp, faults: &mut Faults) -> FollowUp {
    if raw.patterns.get_ref().is_empty() {
        faults.add(source, &raw.patterns.span(), "at least one pattern is needed");
    }
    let mut patterns = Vec::new();
    for text in raw.patterns.get_ref() {
        match compile(text.get_ref()) {
            Ok(regex) => patterns.push(regex),
            Err(reason) => faults.add(source, &text.span(), reason),
        }
    }
    FollowUp { patterns, to: raw.to.get_ref().clone() }
}

/// What belongs to an answer alone.
fn check_tone(source: Source<'_>, raw: &RawIntent, faults: &mut Faults) {
    if raw.answer.is_none()
        && let Some(variant) = raw.variants.all().next()
    {
        faults.add(source, &variant.span(), "a variant is another wording of an `answer`, and there is none");
    }
    if let Some(understood) = &raw.understood
        && (raw.kind != IntentKind::Answer || raw.small_talk)
    {
        faults.add(source, &understood.span(), "only a question of the kind `answer` has something to understand");
    }
    if raw.buttons.len() > MOST_BUTTONS || (raw.answer.is_none() && raw.lookup.is_none() && !raw.buttons.is_empty()) {
        let reason = format!("buttons stand under an answer, at most {MOST_BUTTONS}");
        faults.add(source, &raw.name.span(), reason);
    }
}

fn button(source: Source<'_>, raw: &RawButton, faults: &mut Faults) -> ReplyOption {
    ReplyOption { label: label(source, &raw.label, faults), say: raw.say.get_ref().clone() }
}

/// A button that the bot itself would not understand helps nobody.
fn check_button(source: Source<'_>, raw: &RawButton, seen: &Seen, faults: &mut Faults) {
    let said = normalise(raw.say.get_ref());
    if !seen.titles.contains_key(&said) && !seen.examples.contains_key(&said) {
        let reason = format!("no intent has \"{}\" as its title or as an example", raw.say.get_ref());
        faults.add(source, &raw.say.span(), reason);
    }
}

/// True for the names that intents, reasons, slots and lookups may have.
pub(super) fn is_code(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
