//! `churn.toml`: signs that a customer may leave, and how heavy each is.

use super::intents::{Intent, is_code};
use super::lookups::Lookup;
use super::source::{Faults, Source};
use super::template::label;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use toml::Spanned;

/// How signs of leaving are weighed.
#[derive(Clone, Debug, PartialEq)]
pub struct Churn {
    /// What every conversation starts with, in log-odds.
    pub bias: f64,
    /// Score from which the risk is called medium, 0 to 1.
    pub medium: f64,
    /// Score from which it is called high, 0 to 1.
    pub high: f64,
    /// Added to the queue's priority of a hand-over at high risk, 0 to 20.
    pub priority_bonus: u32,
    /// The signals, in file order.
    pub signals: Vec<Signal>,
}

/// One sign.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Unique name.
    pub name: String,
    /// Words for the desk.
    pub label: String,
    /// What it is.
    pub kind: SignalKind,
    /// What each occurrence adds, in log-odds, -5 to 5.
    pub weight: f64,
    /// So many occurrences count at most.
    pub most: u32,
}

/// What counts as an occurrence.
#[derive(Clone, Debug, PartialEq)]
pub enum SignalKind {
    /// A turn whose words match a rule of this reason.
    Rule(String),
    /// A turn that is shown as frustrated.
    Frustrated,
    /// A turn in which the bot failed.
    Failed,
    /// A turn with one of these intents.
    Intent(Vec<String>),
    /// A lookup that led to one of these answers.
    Lookup(String, Vec<String>),
    /// An earlier conversation of the last 24 hours.
    Contacts,
    /// The latest earlier rating, if it is at most this.
    LowRating(i64),
    /// An answer of the bot that the customer marked as not helpful.
    ThumbsDown,
    /// A turn that is shown as positive.
    Positive,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawChurn {
    bias: Spanned<f64>,
    medium: Spanned<f64>,
    high: Spanned<f64>,
    priority_bonus: Spanned<i64>,
    signal: Vec<RawSignal>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignal {
    name: Spanned<String>,
    label: Spanned<String>,
    kind: Spanned<Kind>,
    weight: Spanned<f64>,
    most: Option<Spanned<i64>>,
    reason: Option<Spanned<String>>,
    intents: Option<Spanned<Vec<Spanned<String>>>>,
    lookup: Option<Spanned<String>>,
    answers: Option<Spanned<Vec<Spanned<String>>>>,
    at_most: Option<Spanned<i64>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Rule,
    Frustrated,
    Failed,
    Intent,
    Lookup,
    Contacts,
    LowRating,
    ThumbsDown,
    Positive,
}

/// What signals may name: codes of reasons, intents, lookups.
type Known<'a> = (&'a [&'a str], &'a [Intent], &'a BTreeMap<String, Lookup>);

impl RawChurn {
    /// Checks every number and name.
    pub(super) fn check(&self, source: Source<'_>, known: Known<'_>, faults: &mut Faults) -> Churn {
        let signals: Vec<Signal> = self.signal.iter().map(|signal| signal.check(source, known, faults)).collect();
        for (index, signal) in self.signal.iter().enumerate() {
            if signals.iter().take(index).any(|other| other.name == *signal.name.get_ref()) {
                faults.add(
                    source,
                    &signal.name.span(),
                    format!("the signal `{}` is there twice", signal.name.get_ref()),
                );
            }
        }
        let (medium, high) =
            (real(source, &self.medium, 0.0..=1.0, faults), real(source, &self.high, 0.0..=1.0, faults));
        if high < medium {
            faults.add(source, &self.high.span(), "`high` must not be below `medium`");
        }
        Churn {
            bias: real(source, &self.bias, -10.0..=10.0, faults),
            medium,
            high,
            priority_bonus: whole(source, &self.priority_bonus, 0..=20, faults),
            signals,
        }
    }
}

impl RawSignal {
    fn check(&self, source: Source<'_>, known: Known<'_>, faults: &mut Faults) -> Signal {
        if !is_code(self.name.get_ref()) {
            let reason = format!("`{}` is not a name: a-z, 0-9 and _ only, a letter first", self.name.get_ref());
            faults.add(source, &self.name.span(), reason);
        }
        let kind = *self.kind.get_ref();
        let given = [
            ("reason", self.reason.is_some(), kind == Kind::Rule),
            ("intents", self.intents.is_some(), kind == Kind::Intent),
            ("lookup", self.lookup.is_some(), kind == Kind::Lookup),
            ("answers", self.answers.is_some(), kind == Kind::Lookup),
            ("at_most", self.at_most.is_some(), kind == Kind::LowRating),
        ];
        for (key, there, wanted) in given {
            if there != wanted {
                let verb = if wanted { "needs" } else { "has no use for" };
                faults.add(source, &self.kind.span(), format!("a signal of this kind {verb} `{key}`"));
            }
        }
        Signal {
            name: self.name.get_ref().clone(),
            label: label(source, &self.label, faults),
            kind: self.kind_of(kind, source, known, faults),
            weight: real(source, &self.weight, -5.0..=5.0, faults),
            most: self.most.as_ref().map_or(1, |most| whole(source, most, 1..=10, faults)),
        }
    }

    fn kind_of(&self, kind: Kind, source: Source<'_>, known: Known<'_>, faults: &mut Faults) -> SignalKind {
        let (reasons, intents, lookups) = known;
        let mut named = |value: &Spanned<String>, what: &str, exists: &dyn Fn(&str) -> bool| {
            if !exists(value.get_ref()) {
                faults.add(source, &value.span(), format!("there is no {what} `{}`", value.get_ref()));
            }
            value.get_ref().clone()
        };
        match kind {
            Kind::Rule => {
                let exists = |code: &str| reasons.contains(&code);
                SignalKind::Rule(self.reason.iter().map(|code| named(code, "reason", &exists)).collect())
            }
            Kind::Intent => {
                let exists = |name: &str| intents.iter().any(|intent| intent.name == name);
                let list = self.intents.iter().flat_map(Spanned::get_ref);
                SignalKind::Intent(list.map(|name| named(name, "intent", &exists)).collect())
            }
            Kind::Lookup => {
                let lookup: String =
                    self.lookup.iter().map(|name| named(name, "lookup", &|name| lookups.contains_key(name))).collect();
                let answers = lookups.get(&lookup).map(Lookup::answer_names).unwrap_or_default();
                let list = self.answers.iter().flat_map(Spanned::get_ref);
                let exists = |name: &str| answers.contains(&name);
                let chosen = list.map(|name| named(name, "answer of this lookup", &exists)).collect();
                SignalKind::Lookup(lookup, chosen)
            }
            Kind::LowRating => {
                let limit = self.at_most.as_ref().map_or(1, |limit| whole(source, limit, 1..=5, faults));
                SignalKind::LowRating(i64::from(limit))
            }
            Kind::Frustrated => SignalKind::Frustrated,
            Kind::Failed => SignalKind::Failed,
            Kind::Contacts => SignalKind::Contacts,
            Kind::ThumbsDown => SignalKind::ThumbsDown,
            Kind::Positive => SignalKind::Positive,
        }
    }
}

/// A number of this range; its low end where it is none.
pub(super) fn real(source: Source<'_>, value: &Spanned<f64>, range: RangeInclusive<f64>, faults: &mut Faults) -> f64 {
    let number = *value.get_ref();
    if range.contains(&number) {
        return number;
    }
    faults.add(source, &value.span(), format!("{number} is not between {} and {}", range.start(), range.end()));
    *range.start()
}

/// A whole number of this range; its low end where it is none.
pub(super) fn whole(source: Source<'_>, value: &Spanned<i64>, range: RangeInclusive<u32>, faults: &mut Faults) -> u32 {
    let number = u32::try_from(*value.get_ref()).ok().filter(|number| range.contains(number));
    number.unwrap_or_else(|| {
        let reason = format!("{} is not between {} and {}", value.get_ref(), range.start(), range.end());
        faults.add(source, &value.span(), reason);
        *range.start()
    })
}
