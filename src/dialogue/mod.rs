//! Pure decisions: what the bot does about one customer turn, and why.
//!
//! No I/O, no clock, no randomness, nothing async: the same turn, analysis and prompts always
//! give the same decision, so a stored one can be computed again and replayed with other
//! thresholds. Reads values of `domain` only; it must not know where texts come from, how they
//! were analysed, or who is at a desk.
//!
//! One turn passes through the files in this order: `rules` (patterns over the words, behind `prefilter`),
//! `understanding` (scores to an intent), `reading` (what it means after an offer or a question),
//! `answering` (what the bot would say), `escalation` (whether a person is needed), and after the
//! decision `state` (what is remembered) and `render` (the words).

mod answering;
mod escalation;
pub mod policy;
mod prefilter;
pub mod prompts;
mod reading;
pub mod render;
mod rules;
pub mod slots;
mod state;
mod trace;
mod understanding;

#[cfg(test)]
mod tests;

pub use policy::Policy;
pub use prompts::{PromptError, PromptErrors, Prompts};
pub use render::{LookupOutcome, Rendered, ReplyOption, render};
pub use rules::normalise;
pub use state::DialogueState;
pub use understanding::{Understanding, understand};

use crate::domain::{ActionKind, Analysis, Gist, Mood, Reason, Sentiment, State};
use answering::Candidate;
use escalation::Verdict;
use reading::Meaning;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One customer turn. Made by [`DialogueState::turn`].
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// What the customer wrote.
    pub text: &'a str,
    /// The customer pressed "talk to a person" instead.
    pub button: bool,
    /// Who owns the conversation.
    pub state: State,
    /// What the bot remembers.
    pub before: &'a DialogueState,
}

/// An earlier customer turn, as far as later decisions need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PastTurn {
    /// What was done.
    pub action: ActionKind,
    /// Probability of frustration, 0 to 1.
    pub frustration: f32,
    /// Hostile emotions together, 0 to 1.
    pub hostility: f32,
    /// The accepted intent.
    pub intent: Option<String>,
    /// The bot failed the customer with this turn.
    pub failed: bool,
    /// What was answered: the intent, with its values.
    pub answer: Option<String>,
    /// Probability of frustration from that text alone, 0 to 1.
    #[serde(default)]
    pub alone: f32,
    /// What the turn meant; none if rules read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gist: Option<Gist>,
}

/// A value that the bot has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaiting {
    /// The intent that needs it.
    pub intent: String,
    /// The slot.
    pub slot: String,
    /// How often it was asked for, from 1.
    pub tries: u32,
}

/// What the bot says, before it is put into words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// The canned answer of an intent.
    Answer {
        /// The intent.
        intent: String,
    },
    /// An answer that the business's system has to give.
    Lookup {
        /// The intent.
        intent: String,
        /// The lookup.
        lookup: String,
        /// Its values, by slot.
        slots: BTreeMap<String, String>,
    },
    /// A question for a value.
    Ask {
        /// The intent that needs it.
        intent: String,
        /// The slot.
        slot: String,
        /// It was asked for before.
        again: bool,
    },
    /// "Did you mean this or that?"
    Clarify {
        /// The better intent.
        first: String,
        /// The other one.
        second: String,
    },
    /// "I did not get that."
    Fallback {
        /// The turn before was a failure too.
        again: bool,
    },
    /// The offer of a person.
    Offer {
        /// Why, as a code.
        reason: String,
        /// The answer to the customer's question, said as well: an offer is no excuse for ignoring it.
        answer: Option<Box<Reply>>,
    },
    /// The hand-over to a person.
    Handoff {
        /// Why, as a code.
        reason: String,
    },
    /// The customer wants to go on with the bot.
    DeclinedOffer,
    /// Nothing: a person owns the conversation.
    None,
}

impl Reply {
    /// The lookup that has to be made before this can be said: its name and values.
    #[must_use]
    pub fn lookup(&self) -> Option<(&str, &BTreeMap<String, String>)> {
        match self {
            Self::Lookup { lookup, slots, .. } => Some((lookup, slots)),
            Self::Offer { answer: Some(answer), .. } => answer.lookup(),
            _ => None,
        }
    }
}

/// What is done about a turn, and everything that led to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// In one word.
    pub action: ActionKind,
    /// What to say.
    pub reply: Reply,
    /// The accepted intent, if one was.
    pub intent: Option<String>,
    /// Why a person is offered or takes over, most important first; empty otherwise.
    pub reasons: Vec<Reason>,
    /// The bot failed the customer with this turn.
    pub failed: bool,
    /// The turn's mood in one word.
    pub mood: Mood,
    /// What the bot remembers from now on.
    pub after: DialogueState,
    /// All that the decision saw; enough, with the text, to make it again. See `trace.rs`.
    pub trace: serde_json::Value,
}

impl Decision {
    /// Who owns the conversation after this decision.
    #[must_use]
    pub fn next_state(&self, state: State) -> State {
        match self.action {
            ActionKind::Silent => state,
            ActionKind::Handoff => State::Queued,
            ActionKind::Offer => State::Offered,
            ActionKind::Reply | ActionKind::Clarify | ActionKind::Fallback => State::Bot,
        }
    }
}

/// Decides one customer turn.
#[must_use]
pub fn decide(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts) -> Decision {
    let analysis = &trace::rounded(analysis);
    let mood = mood(analysis, prompts.policy());
    if !turn.state.is_bot() {
        return silent(turn, analysis, prompts, mood);
    }
    let text = normalise(turn.text);
    let (hits, cues) = prompts.rules().search(&text);
    let reading = reading::read(turn, &text, cues, analysis, prompts);
    let candidate = answering::answer(turn, &reading, prompts);
    let figures = escalation::figures(turn, analysis, &candidate, prompts.policy());
    let (by, verdict) = verdict(turn, analysis, prompts, &hits, &reading, &figures);
    let outcome = compose(turn, analysis, prompts, &reading, candidate, verdict);
    let record = trace::Record { turn, analysis, prompts, hits: &hits, reading: &reading, figures: &figures, by };
    let trace = record.trace(&outcome);
    Decision {
        action: outcome.candidate.action,
        reply: outcome.candidate.reply,
        intent: outcome.candidate.intent,
        reasons: outcome.reasons,
        failed: outcome.candidate.failed,
        mood,
        after: outcome.after,
        trace,
    }
}

/// A person owns the conversation: the turn is read for the desk, and nothing is said.
fn silent(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts, mood: Mood) -> Decision {
    let understood = understand(analysis, prompts.policy());
    Decision {
        action: ActionKind::Silent,
        reply: Reply::None,
        intent: understood.known().map(str::to_owned),
        reasons: Vec::new(),
        failed: false,
        mood,
        after: turn.before.clone(),
        trace: trace::silent(turn, analysis, prompts),
    }
}

/// Asks every family in order of urgency and names the one that decided.
fn verdict(
    turn: &Turn<'_>,
    analysis: &Analysis,
    prompts: &Prompts,
    hits: &[rules::Hit],
    reading: &reading::Reading,
    figures: &escalation::Figures,
) -> (&'static str, Verdict) {
    let hard = escalation::hard(turn, hits, prompts);
    if !hard.is_empty() {
        return (if turn.button { "button" } else { "hard_rule" }, Verdict::Handoff(hard));
    }
    if let Some(reasons) = escalation::accepted(turn, reading) {
        return ("offer_accepted", Verdict::Handoff(reasons));
    }
    match escalation::of_intent(reading, analysis, prompts) {
        // A second unsure sign after an offer is not unsure any more.
        Verdict::Offer(reasons) if turn.before.offered.is_some() => {
            return ("intent_after_offer", Verdict::Handoff(reasons));
        }
        Verdict::Stay => {}
        verdict => return ("intent", verdict),
    }
    match escalation::soft(turn, reading, hits, figures, prompts) {
        Verdict::Stay => ("answer", Verdict::Stay),
        verdict => ("soft_reasons", verdict),
    }
}

/// The verdict laid over the candidate, and what is remembered.
struct Outcome {
    candidate: Candidate,
    reasons: Vec<Reason>,
    after: DialogueState,
}

fn compose(
    turn: &Turn<'_>,
    analysis: &Analysis,
    prompts: &Prompts,
    reading: &reading::Reading,
    mut candidate: Candidate,
    verdict: Verdict,
) -> Outcome {
    let code = |reasons: &[Reason]| reasons.first().map(|reason| reason.code.clone()).unwrap_or_default();
    let mut offered = None;
    let reasons = match verdict {
        Verdict::Stay => Vec::new(),
        Verdict::Offer(reasons) => {
            let helpful = candidate.is_helpful(prompts);
            let answer = helpful.then(|| Box::new(candidate.reply.clone()));
            candidate.reply = Reply::Offer { reason: code(&reasons), answer };
            candidate.action = ActionKind::Offer;
            candidate.answer = candidate.answer.filter(|_| helpful);
            offered = Some(code(&reasons));
            reasons
        }
        Verdict::Handoff(reasons) => {
            candidate.reply = Reply::Handoff { reason: code(&reasons) };
            candidate.action = ActionKind::Handoff;
            candidate.failed = false;
            candidate.answer = None;
            reasons
        }
    };
    if let Meaning::Intent(name) = &reading.meaning
        && candidate.intent.is_none()
        && !turn.button
    {
        candidate.intent = Some(name.clone());
    }
    let went_on = reasons.is_empty();
    let mut after = turn.before.clone();
    after.remember(PastTurn {
        action: candidate.action,
        frustration: analysis.frustration,
        hostility: escalation::hostility(analysis),
        intent: candidate.intent.clone(),
        failed: candidate.failed,
        answer: candidate.answer.clone(),
        alone: analysis.evidence.as_ref().map_or(analysis.frustration, |seen| seen.alone),
        gist: analysis.evidence.as_ref().map(|seen| Gist::new(&seen.meaning)),
    });
    after.awaiting = candidate.awaiting.clone().filter(|_| went_on);
    after.clarified = candidate.clarified.clone().filter(|_| went_on);
    after.offered = offered;
    if matches!(reading.meaning, Meaning::Decline(_)) && went_on {
        after.since_decline = Some(0);
    }
    after.slots.extend(candidate.found.clone());
    Outcome { candidate, reasons, after }
}

/// The mood in one word: frustration with the service first, then the polarity that is clear enough.
fn mood(analysis: &Analysis, policy: &Policy) -> Mood {
    let Sentiment { negative, positive, .. } = analysis.sentiment;
    let limits = &policy.frustration;
    let hostile = escalation::hostility(analysis) >= limits.hostility;
    if analysis.frustration >= limits.turn && hostile {
        Mood::Frustrated
    } else if negative >= policy.mood.negative && negative >= positive {
        Mood::Negative
    } else if positive >= policy.mood.positive {
        Mood::Positive
    } else {
        Mood::Neutral
    }
}
