//! Stored conversations, decided again: with other prompts, or under another policy.
//!
//! The readings are taken from the stored traces, so no model runs. A pure step from values to values: must not know
//! databases, sockets or how a report is shown.
//!
//! What it cannot know: once the outcomes part ways, the customer's next words were still said to the bot of the
//! record, and what customers said to a person is never put before the bot.

pub mod compare;
pub mod report;

pub use compare::{Comparison, compare};

use crate::dialogue::{self, DialogueState, Inputs, Prompts, decide};
use crate::domain::{ActionKind, ConversationId, EventKind, Reason, State};
use crate::store::ArchivedTurn;

/// A stored conversation.
#[derive(Clone, Debug)]
pub struct PastConversation {
    /// Which.
    pub id: ConversationId,
    /// Its customer turns, in order.
    pub turns: Vec<PastTurn>,
}

/// A stored customer turn.
#[derive(Clone, Debug)]
pub struct PastTurn {
    /// Sequence number of the customer's event.
    pub seq: i64,
    /// What they wrote; empty for the button.
    pub text: String,
    /// What was decided about it then.
    pub recorded: Outcome,
    /// What the decision was made from.
    pub inputs: Inputs,
}

/// What is done about one customer turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In one word; [`ActionKind::Silent`] once a person has the conversation.
    pub action: ActionKind,
    /// Why a person is offered or comes.
    pub reasons: Vec<Reason>,
}

impl PastConversation {
    /// A conversation from its rows, which are in order; the number of turns whose trace is too old or damaged to be
    /// decided again comes with it, and those are left out.
    #[must_use]
    pub fn new(id: ConversationId, rows: Vec<ArchivedTurn>) -> (Self, usize) {
        let all = rows.len();
        let turn = |row: ArchivedTurn| {
            let inputs = dialogue::inputs(&row.trace).ok()?;
            let text = if row.kind == EventKind::HumanRequest { String::new() } else { row.text.unwrap_or_default() };
            let recorded = Outcome { action: row.action, reasons: row.reasons };
            Some(PastTurn { seq: row.seq, text, recorded, inputs })
        };
        let turns: Vec<PastTurn> = rows.into_iter().filter_map(turn).collect();
        let left_out = all - turns.len();
        (Self { id, turns }, left_out)
    }

    /// What was done then, turn by turn.
    #[must_use]
    pub fn recorded(&self) -> Vec<Outcome> {
        self.turns.iter().map(|turn| turn.recorded.clone()).collect()
    }

    /// What this bot would have done, turn by turn.
    ///
    /// As long as it does what was done then, each turn starts from the memory that was stored for it, which also
    /// holds what happened between turns. From the first difference on it starts from its own. Where a person had the
    /// conversation nothing is decided, and when the bot got it back both are together again.
    #[must_use]
    pub fn decide(&self, prompts: &Prompts) -> Vec<Outcome> {
        let mut own: Option<(DialogueState, State)> = None;
        let step = |turn: &PastTurn| {
            let (inputs, recorded) = (&turn.inputs, &turn.recorded);
            if recorded.action == ActionKind::Silent {
                own = None;
                return recorded.clone();
            }
            let (memory, state) =
                own.as_ref().map_or((&inputs.before, inputs.state), |(memory, state)| (memory, *state));
            if !state.is_bot() {
                return Outcome { action: ActionKind::Silent, reasons: Vec::new() };
            }
            let now = memory.turn(&turn.text, inputs.button, state, &inputs.customer);
            let decision = decide(&now, &inputs.analysis, prompts);
            let next = decision.next_state(state);
            let outcome = Outcome { action: decision.action, reasons: decision.reasons };
            let same = own.is_none() && outcome.is_like(recorded);
            own = (!same).then_some((decision.after, next));
            outcome
        };
        self.turns.iter().map(step).collect()
    }
}

impl Outcome {
    /// The same action for the same reasons, whatever the figures behind them.
    fn is_like(&self, other: &Self) -> bool {
        let codes = |outcome: &Self| outcome.reasons.iter().map(|reason| reason.code.clone()).collect::<Vec<_>>();
        self.action == other.action && codes(self) == codes(other)
    }
}
