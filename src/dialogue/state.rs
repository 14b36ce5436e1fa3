//! What the bot remembers between two turns of one conversation.
//!
//! A small value that travels: the server stores it with the conversation and loads it for the
//! next turn; `candor replay` keeps it in a variable. Nothing here decides.

use super::prompts::Prompts;
use super::render::LookupOutcome;
use super::slots::{Offered, offered};
use super::{Awaiting, Decision, PastTurn, Reply, Turn};
use crate::domain::{Context, Customer, EarlierTurn, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Turns that soft reasons can look back on. The longest look is three turns and a run of ten.
const HISTORY: usize = 10;

/// The bot's memory of a conversation. `Default` is a new conversation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DialogueState {
    /// The latest customer turns that the bot handled, oldest first, at most ten.
    pub history: Vec<PastTurn>,
    /// The value that the bot has just asked for.
    pub awaiting: Option<Awaiting>,
    /// Reason code of the offer that the bot has just made.
    pub offered: Option<String>,
    /// Languages that the bot does not speak, in which it offered a person; the latest last.
    pub offered_in: Vec<String>,
    /// The two intents that the bot has just asked about.
    pub clarified: Option<(String, String)>,
    /// Customer turns since a person gave the conversation back; none if that never happened.
    pub since_return: Option<u32>,
    /// Customer turns since the customer declined an offer; none if that never happened.
    pub since_decline: Option<u32>,
    /// Values that the customer gave, by slot.
    pub slots: BTreeMap<String, String>,
    /// The task that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskState>,
    /// The lookup that failed with the last turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_lookup: Option<String>,
    /// Acknowledgements that were said, by their templates: none is said twice.
    pub acknowledged: Vec<String>,
    /// Customer turns that insulted the bot or the business.
    pub abusive_turns: u32,
}

/// A task of several turns, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// The task's name in `tasks.toml`.
    pub task: String,
    /// The intent that began it.
    pub intent: String,
    /// The values so far, by slot.
    pub values: BTreeMap<String, String>,
    /// The slot that is asked for; none when the customer is asked to confirm.
    pub open: Option<String>,
    /// What a lookup listed to choose from; none if nothing was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// How often the open question was asked, from 1.
    pub tries: u32,
}

impl DialogueState {
    /// The next customer turn. `state` is the conversation's owner now; `button` is true when the
    /// customer pressed "talk to a person" (the text is then ignored).
    #[must_use]
    pub fn turn<'a>(&'a self, text: &'a str, button: bool, state: State, customer: &'a Customer) -> Turn<'a> {
        Turn { text, button, state, customer, before: self, rated_low: false }
    }

    /// What the next turn is read in.
    #[must_use]
    pub fn context(&self) -> Context {
        let earlier =
            |turn: &PastTurn| EarlierTurn { frustration: turn.alone, meaning: turn.gist.clone().unwrap_or_default() };
        let mut answers = self.history.iter().rev().map(|turn| turn.answer.as_ref());
        let (last, before) = (answers.next().flatten(), answers.next().flatten());
        Context {
            earlier: self.history.iter().map(earlier).collect(),
            bot_missed: self.history.last().is_some_and(|turn| turn.failed) || (last.is_some() && last == before),
            turns: self.history.len(),
        }
    }

    /// Takes over what a decision left behind.
    pub fn advance(&mut self, decision: &Decision) {
        self.clone_from(&decision.after);
    }

    /// Takes over what the lookup of a reply brought, before the next turn is decided: the options to
    /// choose from, a value that the business does not know, and a lookup that did not work. The
    /// same lookup failing twice in a row is a failure of the bot.
    pub fn looked_up(&mut self, prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>) {
        let Some((name, slots)) = reply.lookup() else {
            self.failed_lookup = None;
            return;
        };
        let listing = self.task.as_mut().zip(prompts.lookup(name)).filter(|_| reply.lists());
        if let Some((task, lookup)) = listing {
            match offered(lookup, outcome) {
                Offered::Options(options) => task.options = Some(options),
                Offered::Failed => task.options = Some(Vec::new()),
                Offered::Nothing | Offered::Refused => {
                    for slot in slots.keys() {
                        task.values.remove(slot);
                        self.slots.remove(slot);
                    }
                    task.options = None;
                    task.open = lookup.slots.first().cloned();
                    task.tries = 1;
                }
            }
        }
        self.note_failure(prompts, reply, outcome);
    }

    fn note_failure(&mut self, prompts: &Prompts, reply: &Reply, outcome: Option<&LookupOutcome>) {
        let Some((name, slots)) = reply.lookup() else { return };
        // Everything else is an answer of the business's system.
        let failed = matches!(outcome, Some(LookupOutcome::Failed | LookupOutcome::TimedOut) | None);
        if failed {
            let again = self.failed_lookup.as_deref() == Some(name);
            if let Some(last) = self.history.last_mut() {
                last.failed |= again;
                // Asking once more is what the customer was told to do.
                last.answer = None;
            }
        }
        let intent = match reply {
            Reply::Lookup { intent, .. } => Some(intent),
            _ => None,
        };
        if let (Some(intent), Some(LookupOutcome::NotFound), [slot]) =
            (intent, outcome, prompts.lookup(name).map_or(&[][..], |lookup| &lookup.slots))
            && self.task.is_none()
        {
            // The value was wrong: the next message may hold the right one.
            self.slots.remove(slot);
            self.awaiting = Some(Awaiting { intent: intent.clone(), slot: slot.clone(), tries: 1, aside: false });
        }
        // What was not answered in time may be done: it is not offered once more.
        if let Some(intent) = intent.filter(|_| failed && outcome != Some(&LookupOutcome::TimedOut)) {
            self.reopen(prompts, intent, name, slots);
        }
        self.failed_lookup = failed.then(|| name.to_owned());
    }

    /// A task that was confirmed and could not be done waits for another yes.
    fn reopen(&mut self, prompts: &Prompts, intent: &str, lookup: &str, slots: &BTreeMap<String, String>) {
        let task = prompts.intent(intent).and_then(|intent| prompts.task(intent.task.as_deref()?));
        if let Some(task) = task.filter(|task| task.lookup == lookup && self.task.is_none()) {
            self.task = Some(TaskState {
                task: task.name.clone(),
                intent: intent.to_owned(),
                values: slots.clone(),
                open: None,
                options: None,
                tries: 1,
            });
        }
    }

    /// A person gave the conversation back. What made the bot fail before is settled, so only
    /// the customer's values stay, and what was said to them once.
    pub fn returned_by_agent(&mut self) {
        let before = std::mem::take(self);
        *self =
            Self { slots: before.slots, acknowledged: before.acknowledged, since_return: Some(0), ..Self::default() };
    }

    pub(super) fn remember(&mut self, turn: PastTurn) {
        self.history.push(turn);
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self.since_return = self.since_return.map(|turns| turns.saturating_add(1));
        self.since_decline = self.since_decline.map(|turns| turns.saturating_add(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActionKind;

    #[test]
    fn a_return_keeps_the_values_and_forgets_the_quarrel() {
        let mut state = DialogueState { offered: Some("frustration".into()), ..DialogueState::default() };
        state.slots.insert("order_number".into(), "JT-1042".into());
        state.remember(PastTurn {
            action: ActionKind::Fallback,
            frustration: 0.9,
            hostility: 0.9,
            intent: None,
            failed: true,
            answer: None,
            alone: 0.9,
            gist: None,
            added: 0.0,
        });
        state.returned_by_agent();
        assert_eq!(state.since_return, Some(0));
        assert!(state.history.is_empty() && state.offered.is_none());
        assert_eq!(state.slots.len(), 1);
    }

    #[test]
    fn history_is_bounded_and_the_oldest_goes_first() {
        let mut state = DialogueState::default();
        for number in 0_u8..30 {
            let frustration = f32::from(number) / 30.0;
            state.remember(PastTurn {
                action: ActionKind::Reply,
                frustration,
                hostility: 0.0,
                intent: None,
                failed: false,
                answer: None,
                alone: frustration,
                gist: None,
                added: 0.0,
            });
        }
        assert_eq!(state.history.len(), HISTORY);
        assert_eq!(state.history[0].frustration, 20.0 / 30.0);
    }
}
