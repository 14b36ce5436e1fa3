//! What a conversation may still remember when its bot was replaced since the last turn.
//!
//! A memory names intents, slots and reasons of the prompts that wrote it. Under others such a name may mean nothing:
//! it is dropped before the turn is read, so that no later file has to ask.

use super::{Awaiting, DialogueState, PastTurn, Prompts, TaskState};
use std::borrow::Cow;

/// Stands in for the reason of an open offer that there is no more: who then says yes still wants a person.
const OFFERED: &str = "request_human";

impl DialogueState {
    /// The same memory without names that these prompts do not have.
    #[must_use]
    pub fn known_to(&self, prompts: &Prompts) -> Cow<'_, Self> {
        let intent = |name: &str| prompts.intent(name).is_some();
        let awaited = |awaiting: &Awaiting| intent(&awaiting.intent) && prompts.slot(&awaiting.slot).is_some();
        let clarified = |(first, second): &(String, String)| intent(first) && intent(second);
        let offered = |code: &String| prompts.reason(code).is_some();
        let lookup = |name: &String| prompts.lookup(name).is_some();
        let task = |open: &TaskState| {
            let slots = prompts.task(&open.task).filter(|_| intent(&open.intent)).map_or(&[][..], |task| &task.slots);
            !slots.is_empty() && open.values.keys().chain(&open.open).all(|name| slots.contains(name))
        };
        let past = |turn: &PastTurn| turn.intent.as_deref().is_none_or(intent);
        let known = self.awaiting.as_ref().is_none_or(awaited)
            && self.clarified.as_ref().is_none_or(clarified)
            && self.offered.as_ref().is_none_or(offered)
            && self.slots.keys().all(|name| prompts.slot(name).is_some())
            && self.task.as_ref().is_none_or(task)
            && self.failed_lookup.as_ref().is_none_or(lookup)
            && self.history.iter().all(past);
        if known {
            return Cow::Borrowed(self);
        }
        let mut kept = self.clone();
        kept.awaiting = kept.awaiting.filter(awaited);
        kept.clarified = kept.clarified.filter(clarified);
        kept.offered = kept.offered.map(|code| if offered(&code) { code } else { OFFERED.to_owned() });
        kept.task = kept.task.filter(task);
        kept.failed_lookup = kept.failed_lookup.filter(lookup);
        kept.slots.retain(|name, _| prompts.slot(name).is_some());
        for turn in kept.history.iter_mut().filter(|turn| !past(turn)) {
            (turn.intent, turn.answer) = (None, None);
        }
        Cow::Owned(kept)
    }
}
