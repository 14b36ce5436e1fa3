//! `tasks.toml`: what the bot does for a customer over several turns: it asks for values one by one,
//! says what will happen, and does it after a yes.

use super::lookups::Lookup;
use super::slots::check_name;
use super::source::{Faults, Source};
use super::template::{Constants, Template, fixed, label, open};
use crate::dialogue::slots::{Kind, Slot};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// One task.
#[derive(Clone, Debug)]
pub struct Task {
    /// Unique name.
    pub name: String,
    /// The values it needs, by slot name, in the order in which they are asked for.
    pub slots: Vec<String>,
    /// The lookup that does it.
    pub lookup: String,
    pub(in crate::dialogue) confirm: Template,
    pub(in crate::dialogue) confirm_again: String,
    pub(in crate::dialogue) yes: String,
    pub(in crate::dialogue) no: String,
    pub(in crate::dialogue) cancelled: String,
}

pub(super) type RawTasks = BTreeMap<Spanned<String>, RawTask>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTask {
    slots: Spanned<Vec<Spanned<String>>>,
    lookup: Spanned<String>,
    confirm: Spanned<String>,
    confirm_again: Spanned<String>,
    yes: Spanned<String>,
    no: Spanned<String>,
    cancelled: Spanned<String>,
}

impl RawTask {
    /// The slots it needs.
    pub(super) fn slots(&self) -> impl Iterator<Item = &str> {
        self.slots.get_ref().iter().map(|slot| slot.get_ref().as_str())
    }

    /// The lookup that does it.
    pub(super) fn lookup(&self) -> &str {
        self.lookup.get_ref()
    }
}

/// Checks the tasks. `used` says whether an intent starts a task.
pub(super) fn check_tasks(
    source: Source<'_>,
    raw: &RawTasks,
    constants: &Constants,
    (slots, lookups): (&BTreeMap<String, Slot>, &BTreeMap<String, Lookup>),
    used: impl Fn(&str) -> bool,
    faults: &mut Faults,
) -> BTreeMap<String, Task> {
    let mut tasks = BTreeMap::new();
    for (name, raw) in raw {
        check_name(source, name, faults);
        if !used(name.get_ref()) {
            faults.add(source, &name.span(), format!("no intent uses the task `{}`", name.get_ref()));
        }
        check_needs(source, raw, slots, lookups, faults);
        let needs: Vec<&str> = raw.slots().collect();
        let task = Task {
            name: name.get_ref().clone(),
            slots: needs.iter().map(|slot| (*slot).to_owned()).collect(),
            lookup: raw.lookup().to_owned(),
            confirm: open(source, &raw.confirm, constants, &needs, faults),
            confirm_again: fixed(source, &raw.confirm_again, constants, faults),
            yes: label(source, &raw.yes, faults),
            no: label(source, &raw.no, faults),
            cancelled: fixed(source, &raw.cancelled, constants, faults),
        };
        tasks.insert(task.name.clone(), task);
    }
    tasks
}

fn check_needs(
    source: Source<'_>,
    raw: &RawTask,
    slots: &BTreeMap<String, Slot>,
    lookups: &BTreeMap<String, Lookup>,
    faults: &mut Faults,
) {
    if raw.slots.get_ref().is_empty() {
        faults.add(source, &raw.slots.span(), "a task needs at least one slot");
    }
    let mut before: Vec<&str> = Vec::new();
    for slot in raw.slots.get_ref() {
        let name = slot.get_ref().as_str();
        match slots.get(name).map(|slot| &slot.kind) {
            None => faults.add(source, &slot.span(), format!("there is no slot `{name}` in slots.toml")),
            Some(Kind::Listed(by)) => {
                let needs = lookups.get(&by.lookup).map_or(&[][..], |lookup| &lookup.slots);
                if let Some(missing) = needs.iter().find(|need| !before.contains(&need.as_str())) {
                    let reason = format!("`{name}` is listed by `{}`, which needs `{missing}` before it", by.lookup);
                    faults.add(source, &slot.span(), reason);
                }
            }
            Some(_) => {}
        }
        if before.contains(&name) {
            faults.add(source, &slot.span(), format!("the slot `{name}` is there twice"));
        }
        before.push(name);
    }
    match lookups.get(raw.lookup()) {
        None => {
            faults.add(source, &raw.lookup.span(), format!("there is no lookup `{}` in lookups.toml", raw.lookup()))
        }
        Some(lookup) => {
            for slot in lookup.slots.iter().filter(|slot| !before.contains(&slot.as_str())) {
                let reason = format!("`{}` needs `{slot}`, which the task does not ask for", raw.lookup());
                faults.add(source, &raw.lookup.span(), reason);
            }
        }
    }
}
