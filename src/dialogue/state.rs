//! What the bot remembers between two turns of one conversation.
//!
//! A small value that travels: the server stores it with the conversation and loads it for the
//! next turn; `candor replay` keeps it in a variable. Nothing here decides.

use super::{Awaiting, Decision, PastTurn, Turn};
use crate::domain::{Context, EarlierTurn, State};
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
    /// The two intents that the bot has just asked about.
    pub clarified: Option<(String, String)>,
    /// Customer turns since a person gave the conversation back; none if that never happened.
    pub since_return: Option<u32>,
    /// Customer turns since the customer declined an offer; none if that never happened.
    pub since_decline: Option<u32>,
    /// Values that the customer gave, by slot.
    pub slots: BTreeMap<String, String>,
}

impl DialogueState {
    /// The next customer turn. `state` is the conversation's owner now; `button` is true when the
    /// customer pressed "talk to a person" (the text is then ignored).
    #[must_use]
    pub fn turn<'a>(&'a self, text: &'a str, button: bool, state: State) -> Turn<'a> {
        Turn { text, button, state, before: self }
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

    /// A person gave the conversation back. What made the bot fail before is settled, so only
    /// the customer's values stay.
    pub fn returned_by_agent(&mut self) {
        *self = Self { slots: std::mem::take(&mut self.slots), since_return: Some(0), ..Self::default() };
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
            });
        }
        assert_eq!(state.history.len(), HISTORY);
        assert_eq!(state.history[0].frustration, 20.0 / 30.0);
    }
}
