//! What is open, in words: a value that is asked for, a task to be confirmed, a task that was left.

use super::{LookupOutcome, Rendered, button, looked_up, said};
use crate::dialogue::prompts::Prompts;
use crate::dialogue::prompts::personal::plain;
use crate::dialogue::slots::{Kind, ListedBy, Offered, Slot, offered};
use crate::dialogue::{LookupCall, Reply};
use serde_json::json;
use std::collections::BTreeMap;

pub(super) fn render(prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>) -> Rendered {
    match reply {
        Reply::Ask { intent, slot: name, again, invalid, options, lookup } => {
            let data = json!({"kind": "ask", "intent": intent, "slot": name});
            let Some(slot) = prompts.slot(name) else { return said(String::new(), data) };
            if let (Some(call), Some(by)) = (lookup, slot.listed_by()) {
                return Rendered { data, ..listed(prompts, slot, by, (call, *again), outcome) };
            }
            let labels: Vec<String> = match &slot.kind {
                Kind::Choice(choices) => choices.iter().map(|choice| choice.label.clone()).collect(),
                _ => options.clone(),
            };
            Rendered { data, ..asked(slot, *again, *invalid, labels) }
        }
        Reply::Confirm { task, slots, again } => confirm(prompts, task, slots, *again),
        Reply::Cancelled { task } => {
            let text = prompts.task(task).map(|task| task.cancelled.clone()).unwrap_or_default();
            said(text, json!({"kind": "cancelled", "task": task}))
        }
        _ => said(String::new(), json!(null)),
    }
}

fn asked(slot: &Slot, again: bool, invalid: bool, labels: Vec<String>) -> Rendered {
    let text = match (&slot.invalid, invalid, again) {
        (Some(text), true, _) => text,
        (_, _, true) => &slot.ask_again,
        _ => &slot.ask,
    };
    Rendered { text: text.clone(), options: labels.into_iter().map(button).collect(), data: json!(null) }
}

/// The question with the options that a lookup brought, or why there are none.
fn listed(
    prompts: &Prompts,
    slot: &Slot,
    by: &ListedBy,
    (call, again): (&LookupCall, bool),
    outcome: Option<&LookupOutcome>,
) -> Rendered {
    let Some(lookup) = prompts.lookup(&by.lookup) else { return asked(slot, again, false, Vec::new()) };
    match offered(lookup, outcome) {
        Offered::Options(options) => asked(slot, again, false, options),
        Offered::Nothing => {
            let (answer, _) = looked_up(lookup, &call.slots, outcome);
            said(format!("{}\n\n{}", answer.trim_end(), by.otherwise), json!(null))
        }
        Offered::Refused | Offered::Failed => said(looked_up(lookup, &call.slots, outcome).0, json!(null)),
    }
}

fn confirm(prompts: &Prompts, name: &str, slots: &BTreeMap<String, String>, again: bool) -> Rendered {
    let data = json!({"kind": "confirm", "task": name, "slots": slots});
    let Some(task) = prompts.task(name) else { return said(String::new(), data) };
    let shown = |field: &str| {
        let value = slots.get(field)?;
        Some(plain(prompts.slot(field).map_or(value, |slot| slot.label(value))))
    };
    let text = task.confirm.fill(shown).unwrap_or_default();
    let text = if again { format!("{}\n\n{text}", task.confirm_again.trim_end()) } else { text };
    Rendered { text, options: vec![button(task.yes.clone()), button(task.no.clone())], data }
}
