//! Checks of how phrases fare when they are held out.

use super::finding::{Finding, Level, Overlap};
use super::subject::{Fate, Held, Subject};
use crate::domain::Source;

/// Phrases of two intents nearer than this cosine are the same question in other words.
const SAME: f32 = 0.92;
/// So many phrases of one intent that are read as another are no accident,
const OVERLAP: usize = 2;
/// if they are this share of its phrases.
const OVERLAP_SHARE: f32 = 0.10;
/// Phrases that an intent should have.
const ENOUGH: usize = 15;

/// Says so where no model reads.
pub(super) fn model(subject: &Subject) -> Vec<Finding> {
    let missing = subject.status.source == Source::Rules;
    let reason = subject.status.reason.clone().unwrap_or_default();
    let said = || Finding::at(Level::Warning, ("intents", None), format!("no phrase was read: {reason}"));
    missing.then(said).into_iter().collect()
}

/// Intents that none of their own phrases reaches.
pub(super) fn unreachable(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, intent) in subject.prompts.intents().iter().enumerate() {
        let mut own = subject.of(index).peekable();
        if own.peek().is_some() && own.all(|held| held.fate != Fate::Reached) {
            let message = format!("none of the phrases of `{}` reaches it", intent.name);
            let mut finding = Finding::at(Level::Error, subject.place(&intent.name), message);
            finding.details = subject.of(index).map(|held| format!("\"{}\" {}", held.text, fate(held))).collect();
            findings.push(finding);
        }
    }
    findings
}

/// Phrases that a rule leads to a person before their intent is asked.
pub(super) fn taken_by_rules(subject: &Subject) -> Vec<Finding> {
    warn(subject, |held| matches!(held.fate, Fate::Rule(..)))
}

/// Phrases for which another intent is ranked first, or acted on.
pub(super) fn wrong(subject: &Subject) -> Vec<Finding> {
    warn(subject, |held| match held.fate {
        Fate::Other(_) => true,
        Fate::AskedBack | Fate::Nothing => read_as(subject, held).is_some(),
        Fate::Reached | Fate::Rule(..) => false,
    })
}

/// Phrases that are taken for another language than the model reads.
pub(super) fn foreign(subject: &Subject) -> Vec<Finding> {
    let one = |held: &Held| {
        let language = held.foreign.as_ref()?;
        let message = format!("\"{}\" is taken for another language ({language})", held.text);
        Some(Finding::at(Level::Warning, subject.place_of(held), message))
    };
    subject.held.iter().filter_map(one).collect()
}

/// Pairs of intents of which one loses phrases to the other.
pub(super) fn overlapping(subject: &Subject) -> Vec<Finding> {
    let one = |overlap: Overlap| {
        let Overlap { intent, read_as, percent, closest, mean, phrases } = overlap;
        let message = format!(
            "{percent:.0} % of the phrases of `{intent}` are read as `{read_as}` (nearest two {closest:.2}, mean {mean:.2})"
        );
        let mut finding = Finding::at(Level::Warning, subject.place(&intent), message);
        finding.details = phrases.into_iter().map(|phrase| format!("\"{phrase}\"")).collect();
        finding
    };
    overlaps(subject).into_iter().map(one).collect()
}

/// The same as figures, the largest share first.
pub(super) fn overlaps(subject: &Subject) -> Vec<Overlap> {
    let intents = subject.prompts.intents();
    let mut found = Vec::new();
    for (index, intent) in intents.iter().enumerate() {
        let all = subject.of(index).count();
        for (other, read) in intents.iter().enumerate().filter(|(other, _)| *other != index) {
            let lost: Vec<&Held> =
                subject.of(index).filter(|held| read_as(subject, held) == Some(read.name.as_str())).collect();
            let share = lost.len() as f32 / all.max(1) as f32;
            if lost.len() < OVERLAP || share < OVERLAP_SHARE {
                continue;
            }
            let nearest = |held: &Held| subject.of(other).map(|other| cosine(held, other)).fold(-1.0, f32::max);
            let near: Vec<f32> = subject.of(index).map(nearest).collect();
            found.push(Overlap {
                intent: intent.name.clone(),
                read_as: read.name.clone(),
                percent: 100.0 * share,
                closest: near.iter().copied().fold(-1.0, f32::max),
                mean: near.iter().sum::<f32>() / near.len() as f32,
                phrases: lost.iter().map(|held| held.text.clone()).collect(),
            });
        }
    }
    found.sort_by(|left, right| right.percent.total_cmp(&left.percent));
    found
}

/// Phrases of two intents that say the same.
pub(super) fn duplicates(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, held) in subject.held.iter().enumerate() {
        for other in subject.held[at + 1..].iter().filter(|other| other.intent != held.intent) {
            let cosine = cosine(held, other);
            if cosine >= SAME {
                let message = format!(
                    "\"{}\" of `{}` says what \"{}\" of `{}` says ({cosine:.2})",
                    held.text,
                    subject.intent(held).name,
                    other.text,
                    subject.intent(other).name
                );
                findings.push(Finding::at(Level::Warning, subject.place_of(held), message));
            }
        }
    }
    findings
}

/// Intents with few phrases.
pub(super) fn few(subject: &Subject) -> Vec<Finding> {
    let few = subject.prompts.intents().iter().filter(|intent| intent.examples.len() < ENOUGH);
    few.map(|intent| {
        let message = format!("`{}` has {} phrases; {ENOUGH} or more work better", intent.name, intent.examples.len());
        Finding::at(Level::Warning, subject.place(&intent.name), message)
    })
    .collect()
}

/// A warning for each phrase that fares so.
fn warn(subject: &Subject, fares: impl Fn(&Held) -> bool) -> Vec<Finding> {
    let one = |held: &Held| {
        let message = format!("\"{}\" of `{}` {}", held.text, subject.intent(held).name, fate(held));
        Finding::at(Level::Warning, subject.place_of(held), message)
    };
    subject.held.iter().filter(|held| fares(held)).map(one).collect()
}

/// The other intent that is ranked first.
fn read_as<'a>(subject: &Subject, held: &'a Held) -> Option<&'a str> {
    held.best.as_ref().map(|best| best.name.as_str()).filter(|best| *best != subject.intent(held).name)
}

fn fate(held: &Held) -> String {
    let best = held.best.as_ref();
    let score = best.map(|best| format!("{:.2}, nearest {:.2}", best.probability, best.similarity)).unwrap_or_default();
    let name = best.map_or("", |best| best.name.as_str());
    match &held.fate {
        Fate::Reached => "is reached".to_owned(),
        Fate::Rule(reason, words) => format!("is led to a person by a rule for `{reason}`, which saw \"{words}\""),
        Fate::Other(intent) if intent == name => format!("is read as `{intent}` ({score})"),
        Fate::Other(intent) => format!("leads to `{intent}`"),
        Fate::AskedBack => format!("is asked back about, best `{name}` ({score})"),
        Fate::Nothing => format!("is not understood, best `{name}` ({score})"),
    }
}

/// Likeness of two meanings, which have length 1.
fn cosine(left: &Held, right: &Held) -> f32 {
    left.meaning.iter().zip(&right.meaning).map(|(left, right)| left * right).sum()
}
