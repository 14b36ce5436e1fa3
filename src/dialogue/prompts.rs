//! The whole bot, read from the files of `prompts/` and checked before the first customer comes.
//!
//! Works on texts by file name, so it neither knows nor cares where the files lie. A prompts set
//! with one fault is refused as a whole, with every fault's file, line and reason.

mod churn;
mod headers;
mod heard;
mod hours;
mod intents;
mod languages;
mod lookups;
mod patterns;
pub(super) mod personal;
mod pre_chat;
mod replies;
mod slots;
mod source;
mod surveys;
mod tasks;
mod template;
mod tone;

pub use headers::Header;
pub use hours::{Hours, Opening};
pub use intents::{FollowUp, Intent, IntentKind, Variants};
pub(super) use lookups::{Answers, field};
pub use lookups::{Lookup, Method};
pub use pre_chat::{AnswerKind, PreChat, Question};
pub use replies::{Business, Disclosure, HandoffTexts, ReasonTexts, Replies};
pub use source::{PromptError, PromptErrors};
pub use surveys::{EffortSurvey, HandledBy, PromoterSurvey, Surveys};
pub use tasks::Task;
pub use template::Template;
pub use tone::{Directness, Formality, Profile, ToneTexts};
mod triggers;

pub use churn::{Churn, Signal, SignalKind};
pub use triggers::{Cap, Check, Trigger, Triggers, When};

use super::language::Languages;
use super::policy::{Policy, RawPolicy};
use super::rules::{Rules, normalise};
use super::slots::Slot;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use source::{Faults, Source};
use std::collections::BTreeMap;

/// The whole bot. Only [`Prompts::load`] makes one, so whoever holds one holds a checked one.
#[derive(Clone, Debug)]
pub struct Prompts {
    version: String,
    business: Business,
    intents: Vec<Intent>,
    heard: heard::Heard,
    by_name: BTreeMap<String, usize>,
    by_title: BTreeMap<String, usize>,
    slots: BTreeMap<String, Slot>,
    lookups: BTreeMap<String, Lookup>,
    tasks: BTreeMap<String, Task>,
    reasons: BTreeMap<String, ReasonTexts>,
    handoff: HandoffTexts,
    replies: Replies,
    tone: ToneTexts,
    rules: Rules,
    languages: Languages,
    policy: Policy,
    churn: Option<Churn>,
    triggers: Triggers,
}

const SINGLE_FILES: [&str; 8] = [
    "business.toml",
    "handoff.toml",
    "languages.toml",
    "lookups.toml",
    "policy.toml",
    "replies.toml",
    "rules.toml",
    "slots.toml",
];
/// What a bot may go without.
const OPTIONAL_FILES: [&str; 4] = ["churn.toml", "tasks.toml", "tone.toml", "triggers.toml"];

impl Prompts {
    /// Reads and checks a set of files: path inside the prompts folder (with `/`) -> content.
    ///
    /// # Errors
    /// Every fault found, sorted by file and line.
    pub fn load(files: &BTreeMap<String, String>) -> Result<Self, PromptErrors> {
        let mut faults = Faults::default();
        let loaded = read(files, &mut faults);
        match loaded {
            Some(prompts) if faults.0.is_empty() => Ok(prompts),
            _ => {
                faults.0.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
                Err(PromptErrors(faults.0))
            }
        }
    }

    /// The first twelve hexadecimal digits of the SHA-256 over all files: stored with each decision.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Who the bot speaks for.
    #[must_use]
    pub fn business(&self) -> &Business {
        &self.business
    }

    /// All intents, in file order.
    #[must_use]
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }

    /// One intent.
    #[must_use]
    pub fn intent(&self, name: &str) -> Option<&Intent> {
        self.by_name.get(name).and_then(|index| self.intents.get(*index))
    }

    /// The intent whose title a button said: a normalised text, so that neither case nor keyboards matter.
    #[must_use]
    pub fn intent_by_title(&self, text: &str) -> Option<&Intent> {
        self.by_title.get(text).and_then(|index| self.intents.get(*index))
    }

    /// The first intent of a kind. Every kind has one; the check at load saw to that.
    #[must_use]
    pub fn intent_of_kind(&self, kind: IntentKind) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.kind == kind)
    }

    /// One lookup.
    #[must_use]
    pub fn lookup(&self, name: &str) -> Option<&Lookup> {
        self.lookups.get(name)
    }

    /// One task.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.get(name)
    }

    /// All lookups by name.
    pub fn lookups(&self) -> impl Iterator<Item = &Lookup> {
        self.lookups.values()
    }

    /// One slot.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slots.get(name)
    }

    /// All slots by name.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The texts of one reason for a person.
    #[must_use]
    pub fn reason(&self, code: &str) -> Option<&ReasonTexts> {
        self.reasons.get(code)
    }

    /// All reasons for a person, by code.
    #[must_use]
    pub fn reasons(&self) -> &BTreeMap<String, ReasonTexts> {
        &self.reasons
    }

    /// Texts of the way to a person and back.
    #[must_use]
    pub fn handoff(&self) -> &HandoffTexts {
        &self.handoff
    }

    /// Every threshold.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How signs of leaving are weighed; none if that is not wanted.
    #[must_use]
    pub fn churn(&self) -> Option<&Churn> {
        self.churn.as_ref()
    }

    /// When visitors are invited to a chat.
    #[must_use]
    pub fn triggers(&self) -> &Triggers {
        &self.triggers
    }

    /// The languages that the bot speaks, and what it can say in others.
    #[must_use]
    pub fn languages(&self) -> &Languages {
        &self.languages
    }

    /// The same bot with other thresholds, for asking what they would have changed.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same bot with the thresholds of another `policy.toml`, of which this is the text; `name` names it in errors.
    ///
    /// # Errors
    /// Every fault found, with its line.
    pub fn with_policy_file(self, name: &str, text: &str) -> Result<Self, PromptErrors> {
        let source = Source { file: name, text };
        let raw: RawPolicy = source.parse().map_err(|fault| PromptErrors(vec![fault]))?;
        let mut faults = Vec::new();
        let policy = raw.check(&mut faults);
        if faults.is_empty() {
            return Ok(self.with_policy(policy));
        }
        Err(PromptErrors(faults.into_iter().map(|(span, reason)| source.error(&span, reason)).collect()))
    }

    /// What customers were heard to write that means the intent of this name, or none of them under [`crate::domain::OTHER`].
    #[must_use]
    pub fn heard(&self, intent: &str) -> &[String] {
        self.heard.get(intent).map_or(&[], Vec::as_slice)
    }

    /// How the bot speaks to whom.
    #[must_use]
    pub fn tone(&self) -> &ToneTexts {
        &self.tone
    }

    pub(super) fn replies(&self) -> &Replies {
        &self.replies
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }
}

struct Parsed<'a, T> {
    source: Source<'a>,
    raw: T,
}

fn parse<'a, T: DeserializeOwned>(
    files: &'a BTreeMap<String, String>,
    name: &'a str,
    faults: &mut Faults,
) -> Option<Parsed<'a, T>> {
    let Some(text) = files.get(name) else {
        faults.add_file(name, "the file is missing");
        return None;
    };
    let source = Source { file: name, text };
    faults.take(source.parse()).map(|raw| Parsed { source, raw })
}

/// A file that need not be there.
fn parse_optional<'a, T: DeserializeOwned>(
    files: &'a BTreeMap<String, String>,
    name: &'a str,
    faults: &mut Faults,
) -> Option<Parsed<'a, T>> {
    files.contains_key(name).then(|| parse(files, name, faults)).flatten()
}

/// First every file by itself, then all of them together: cross checks over half a set would
/// report faults that are none.
fn read(files: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Prompts> {
    check_names(files, faults);
    let business: Option<Parsed<replies::RawBusiness>> = parse(files, "business.toml", faults);
    let handoff: Option<Parsed<replies::RawHandoff>> = parse(files, "handoff.toml", faults);
    let said: Option<Parsed<replies::RawReplies>> = parse(files, "replies.toml", faults);
    let lookups: Option<Parsed<lookups::RawLookups>> = parse(files, "lookups.toml", faults);
    let slots: Option<Parsed<slots::RawSlots>> = parse(files, "slots.toml", faults);
    let rules: Option<Parsed<patterns::RawRules>> = parse(files, "rules.toml", faults);
    let languages: Option<Parsed<languages::RawLanguages>> = parse(files, "languages.toml", faults);
    let policy: Option<Parsed<RawPolicy>> = parse(files, "policy.toml", faults);
    let of_tasks: Option<Parsed<tasks::RawTasks>> = parse_optional(files, "tasks.toml", faults);
    let tone: Option<Parsed<tone::RawTone>> = parse_optional(files, "tone.toml", faults);
    let churn: Option<Parsed<churn::RawChurn>> = parse_optional(files, "churn.toml", faults);
    let triggers: Option<Parsed<triggers::RawTriggers>> = parse_optional(files, "triggers.toml", faults);
    let mut of_intents: Vec<(Source<'_>, intents::RawIntents)> = Vec::new();
    for name in files.keys().filter(|name| is_intent_file(name)) {
        of_intents.extend(parse(files, name, faults).map(|parsed| (parsed.source, parsed.raw)));
    }
    if !faults.0.is_empty() {
        return None;
    }
    let (business, handoff, said, lookups, slots, rules, languages, policy) =
        (business?, handoff?, said?, lookups?, slots?, rules?, languages?, policy?);

    let mut out_of_range = Vec::new();
    let thresholds = policy.raw.check(&mut out_of_range);
    for (span, reason) in out_of_range {
        faults.add(policy.source, &span, reason);
    }
    let keep_days = thresholds.privacy.keep_days;
    let constants = replies::constants(business.source, &business.raw, keep_days, faults);
    let slot_names: Vec<&str> = slots.raw.keys().map(|name| name.get_ref().as_str()).collect();
    let checked_lookups = lookups::check_lookups(lookups.source, &lookups.raw, &constants, &slot_names, faults);
    let lookup_names: Vec<&str> = lookups.raw.keys().map(|name| name.get_ref().as_str()).collect();
    let raw_tasks: Vec<&tasks::RawTask> = of_tasks.iter().flat_map(|parsed| parsed.raw.values()).collect();
    let task_names: Vec<&str> =
        of_tasks.iter().flat_map(|parsed| parsed.raw.keys()).map(|name| name.get_ref().as_str()).collect();
    let known = intents::Known { lookups: &lookup_names, tasks: &task_names };
    let intents = intents::check(&of_intents, &constants, &known, faults);
    let heard = heard::check(files, &intents, faults);
    for name in lookups.raw.keys() {
        let of_intent = intents.iter().any(|intent| intent.lookup.as_ref() == Some(name.get_ref()));
        let of_slot = slots.raw.values().any(|slot| slot.listed_by() == Some(name.get_ref()));
        if !of_intent && !of_slot && !raw_tasks.iter().any(|task| task.lookup() == name.get_ref()) {
            faults.add(
                lookups.source,
                &name.span(),
                format!("no intent, task or slot uses the lookup `{}`", name.get_ref()),
            );
        }
    }
    let lookup_of =
        |name: &str| intents.iter().find(|intent| intent.name == name).and_then(|intent| intent.lookup.clone());
    let task_slots: Vec<&str> = raw_tasks.iter().flat_map(|task| task.slots()).collect();
    let users = slots::Users { lookups: &checked_lookups, of_tasks: &task_slots };
    let slots = slots::check_slots(slots.source, &slots.raw, &constants, lookup_of, &users, faults);
    let used = |name: &str| intents.iter().any(|intent| intent.task.as_deref() == Some(name));
    let tasks = match &of_tasks {
        Some(of_tasks) => {
            tasks::check_tasks(of_tasks.source, &of_tasks.raw, &constants, (&slots, &checked_lookups), used, faults)
        }
        None => BTreeMap::new(),
    };
    let hours = business.raw.hours.is_some();
    let mut given = rules.raw.reasons();
    given.extend(intents.iter().filter_map(|intent| intent.kind.reason()).map(|reason| (reason, true)));
    let (reasons, handoff) = replies::check_handoff(handoff.source, &handoff.raw, &given, hours, &constants, faults);
    let codes: Vec<&str> = reasons.keys().map(String::as_str).collect();
    for intent in &intents {
        if let Some(reason) = intent.kind.reason().filter(|reason| !codes.contains(reason)) {
            faults.add_file(&intent.topic, format!("`{}` needs [reason.{reason}] in handoff.toml", intent.name));
        }
    }
    let churn = churn.map(|file| file.raw.check(file.source, (&codes, &intents, &checked_lookups), faults));
    let triggers = triggers.map(|file| file.raw.check(file.source, &checked_lookups, faults)).unwrap_or_default();
    let rules = rules.raw.check(rules.source, &codes, faults)?;
    let answered: Vec<&str> =
        intents.iter().filter(|intent| intent.answer.is_some()).map(|intent| intent.name.as_str()).collect();
    let languages = languages.raw.check(languages.source, &answered, &constants, faults)?;
    let index =
        |key: fn(&Intent) -> String| intents.iter().enumerate().map(|(index, intent)| (key(intent), index)).collect();
    Some(Prompts {
        version: version_of(files),
        business: replies::check_business(business.source, &business.raw, &constants, faults),
        by_name: index(|intent| intent.name.clone()),
        by_title: index(|intent| normalise(&intent.title)),
        intents,
        heard,
        slots,
        lookups: checked_lookups,
        tasks,
        reasons,
        handoff,
        replies: replies::check_replies(said.source, &said.raw, &constants, faults),
        tone: tone.map(|tone| tone::check(tone.source, &tone.raw, &constants, faults)).unwrap_or_default(),
        rules,
        languages,
        policy: thresholds,
        churn,
        triggers,
    })
}

fn is_intent_file(name: &str) -> bool {
    name.strip_prefix("intents/").is_some_and(|rest| rest.ends_with(".toml") && !rest.contains('/'))
}

fn check_names(files: &BTreeMap<String, String>, faults: &mut Faults) {
    let known = |name: &str| {
        [&SINGLE_FILES[..], &OPTIONAL_FILES].concat().contains(&name)
            || is_intent_file(name)
            || heard::intent_of(name).is_some()
            || name == "README.md"
    };
    for name in files.keys().filter(|name| !known(name)) {
        faults.add_file(
            name,
            format!(
                "unknown file; known are {}, {}, intents/*.toml, heard/*.txt and README.md",
                SINGLE_FILES.join(", "),
                OPTIONAL_FILES.join(", ")
            ),
        );
    }
    if !files.keys().any(|name| is_intent_file(name)) {
        faults.add_file("intents", "there is no file intents/*.toml");
    }
}

/// The version that these files have, loaded or not: see [`Prompts::version`].
#[must_use]
pub fn version_of(files: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files.iter().filter(|(name, _)| *name != "README.md") {
        for part in [name, text] {
            // Lengths first, so that no text can pass for another file's beginning.
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
