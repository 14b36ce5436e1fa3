//! `triggers.toml`: when a visitor is invited to a chat. The browser watches for what can be seen there
//! (page, time, events of the page); only a lookup is asked for here.

use super::churn::{real, whole};
use super::intents::is_code;
use super::lookups::{Lookup, Method};
use super::source::{Faults, Source};
use super::template::{label, line};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// Characters of an invitation.
const TEXT: usize = 120;
/// Characters of what the customer says by accepting.
const SAY: usize = 200;
/// What stands for the number that a page reported.
const NUMBER: &str = "{number}";
/// Largest number of seconds, and of an event's value.
const MOST: u32 = 1_000_000;

/// All invitations.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Triggers {
    /// Invitations that one visitor sees in a day at most, where that can be known.
    pub per_day: u32,
    /// The triggers, in file order.
    pub list: Vec<Trigger>,
}

/// One reason to invite, as the browser gets it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trigger {
    /// Unique name; what is counted is counted under it.
    pub name: String,
    /// The invitation.
    pub text: String,
    /// What the customer says by accepting; none opens the chat only. `{number}` is the one that was looked up.
    pub say: Option<String>,
    /// Higher first, where several are due at once; 0 to 100.
    pub priority: u32,
    /// Share of visits in which nothing is shown though it is due, to compare with; 0 to 0.9.
    pub hold_out: f64,
    /// How often one visitor sees it, where that can be known.
    pub cap: Cap,
    /// All that must hold.
    pub when: When,
}

/// How often one visitor sees an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cap {
    /// So many times
    pub times: u32,
    /// in so many days.
    pub days: u32,
}

/// Conditions; an absent one always holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct When {
    /// Patterns of the page's path, and of its fragment if there is a `#` in one; `*` stands for anything.
    pub page: Vec<String>,
    /// Seconds for which the page has been visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u32>,
    /// Seconds without a key, a click, a touch or a movement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u32>,
    /// An event that the page reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Least value of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The visitor rated the conversation of this tab at most so high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rated_at_most: Option<u32>,
    /// The server is asked whether a lookup says this. The browser learns only that it is asked.
    #[serde(rename = "check", serialize_with = "is_there", skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Check>,
}

/// A lookup of the number that the page reported with the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The lookup.
    pub lookup: String,
    /// Its one slot, which the number fills.
    pub slot: String,
    /// It must lead to one of these answers.
    pub answers: Vec<String>,
}

/// Serde hands a field over by reference.
fn is_there<S: serde::Serializer>(check: &Option<Check>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(check.is_some())
}

impl Triggers {
    /// One trigger.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Trigger> {
        self.list.iter().find(|trigger| trigger.name == name)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTriggers {
    per_day: Spanned<i64>,
    #[serde(default)]
    trigger: Vec<RawTrigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrigger {
    name: Spanned<String>,
    text: Spanned<String>,
    say: Option<Spanned<String>>,
    priority: Spanned<i64>,
    hold_out: Spanned<f64>,
    cap: RawCap,
    when: Spanned<RawWhen>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCap {
    times: Spanned<i64>,
    days: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWhen {
    #[serde(default)]
    page: Vec<Spanned<String>>,
    seconds: Option<Spanned<i64>>,
    idle_seconds: Option<Spanned<i64>>,
    event: Option<Spanned<String>>,
    at_least: Option<Spanned<f64>>,
    rated_at_most: Option<Spanned<i64>>,
    lookup: Option<Spanned<String>>,
    answers: Option<Spanned<Vec<Spanned<String>>>>,
}

impl RawTriggers {
    /// Checks every text, number and name.
    pub(super) fn check(
        &self,
        source: Source<'_>,
        lookups: &BTreeMap<String, Lookup>,
        faults: &mut Faults,
    ) -> Triggers {
        let mut list: Vec<Trigger> = Vec::new();
        for raw in &self.trigger {
            let trigger = raw.check(source, lookups, faults);
            if list.iter().any(|other| other.name == trigger.name) {
                faults.add(source, &raw.name.span(), format!("the trigger `{}` is there twice", trigger.name));
            }
            list.push(trigger);
        }
        Triggers { per_day: whole(source, &self.per_day, 1..=20, faults), list }
    }
}

impl RawTrigger {
    fn check(&self, source: Source<'_>, lookups: &BTreeMap<String, Lookup>, faults: &mut Faults) -> Trigger {
        let when = self.when.get_ref().check(source, lookups, faults);
        let bare = When { page: Vec::new(), at_least: None, ..when.clone() };
        if bare == When::default() {
            let reason = "a trigger needs `seconds`, `idle_seconds`, `event` or `rated_at_most`";
            faults.add(source, &self.when.span(), reason);
        }
        Trigger {
            name: code(source, &self.name, faults),
            text: line(source, &self.text, TEXT, faults),
            say: self.say.as_ref().map(|say| {
                // The one variable of these texts, and only where the page has brought it.
                let bare =
                    if when.lookup.is_some() { say.get_ref().replace(NUMBER, "") } else { say.get_ref().clone() };
                line(source, &Spanned::new(say.span(), bare), SAY, faults);
                say.get_ref().clone()
            }),
            priority: whole(source, &self.priority, 0..=100, faults),
            hold_out: real(source, &self.hold_out, 0.0..=0.9, faults),
            cap: Cap {
                times: whole(source, &self.cap.times, 1..=100, faults),
                days: whole(source, &self.cap.days, 1..=365, faults),
            },
            when,
        }
    }
}

impl RawWhen {
    fn check(&self, source: Source<'_>, lookups: &BTreeMap<String, Lookup>, faults: &mut Faults) -> When {
        for page in &self.page {
            let sound = page.get_ref().starts_with(['/', '*']) && !page.get_ref().contains(['?', ' ']);
            if !sound {
                let reason = "a page pattern is a path with * for anything, without a query: `/cart/*`";
                faults.add(source, &page.span(), reason);
            }
        }
        let mut number =
            |value: &Option<Spanned<i64>>, most| value.as_ref().map(|value| whole(source, value, 1..=most, faults));
        let (seconds, idle_seconds) = (number(&self.seconds, 86_400), number(&self.idle_seconds, 86_400));
        let rated_at_most = number(&self.rated_at_most, 4);
        if let (None, Some(at_least)) = (&self.event, &self.at_least) {
            faults.add(source, &at_least.span(), "`at_least` is the value of an `event`, which is missing");
        }
        When {
            page: self.page.iter().map(|page| page.get_ref().clone()).collect(),
            seconds,
            idle_seconds,
            event: self.event.as_ref().map(|event| code(source, event, faults)),
            at_least: self.at_least.as_ref().map(|least| real(source, least, 0.0..=f64::from(MOST), faults)),
            rated_at_most,
            lookup: self.check_lookup(source, lookups, faults),
        }
    }

    fn check_lookup(
        &self,
        source: Source<'_>,
        lookups: &BTreeMap<String, Lookup>,
        faults: &mut Faults,
    ) -> Option<Check> {
        let (name, answers) = match (&self.lookup, &self.answers) {
            (Some(name), Some(answers)) => (name, answers),
            (None, None) => return None,
            (Some(one), None) => {
                faults.add(source, &one.span(), "`lookup` and `answers` belong together");
                return None;
            }
            (None, Some(one)) => {
                faults.add(source, &one.span(), "`lookup` and `answers` belong together");
                return None;
            }
        };
        if self.event.is_none() {
            faults.add(source, &name.span(), "a lookup needs an `event` that brings its number");
        }
        let Some(lookup) = lookups.get(name.get_ref()) else {
            faults.add(source, &name.span(), format!("there is no lookup `{}`", name.get_ref()));
            return None;
        };
        let [slot] = lookup.slots.as_slice() else {
            faults.add(source, &name.span(), "only a lookup with a single slot can be asked for by a page");
            return None;
        };
        if lookup.method == Method::Post {
            faults.add(source, &name.span(), "a lookup that changes something is not made by a page");
            return None;
        }
        for answer in answers.get_ref() {
            if !lookup.answer_names().contains(&answer.get_ref().as_str()) {
                let reason = format!("the lookup `{}` has no answer `{}`", lookup.name, answer.get_ref());
                faults.add(source, &answer.span(), reason);
            }
        }
        let answers = answers.get_ref().iter().map(|answer| answer.get_ref().clone()).collect();
        Some(Check { lookup: lookup.name.clone(), slot: slot.clone(), answers })
    }
}

fn code(source: Source<'_>, name: &Spanned<String>, faults: &mut Faults) -> String {
    if !is_code(name.get_ref()) {
        let reason = format!("`{}` is not a name: a-z, 0-9 and _ only, a letter first", name.get_ref());
        faults.add(source, &name.span(), reason);
    }
    label(source, name, faults)
}
