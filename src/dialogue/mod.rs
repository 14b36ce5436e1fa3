//! Pure decisions: what the bot does about one customer turn, and why.
//!
//! No I/O, no clock, no randomness, nothing async: the same turn, analysis and prompts always
//! give the same decision, so a stored one can be computed again and replayed with other
//! thresholds. Reads values of `domain` only; it must not know where texts come from, how they
//! were analysed, or who is at a desk.
//!
//! One turn passes through the files in this order: `rules` (patterns over the words, behind `prefilter`),
//! `language` (wishes in any language, and texts in one that the bot does not speak),
//! `understanding` (scores to an intent), `reading` (what it means after an offer or a question),
//! `answering` (what the bot would say), `escalation` (whether a person is needed), and after the
//! decision `tone` (how it is said), `state` (what is remembered) and `render` (the words).

mod answering;
mod churn;
mod escalation;
mod forgetting;
mod language;
mod pattern;
pub mod policy;
mod prefilter;
pub mod prompts;
mod reading;
mod recompute;
pub mod render;
mod reply;
mod rules;
mod signs;
pub mod slots;
mod state;
pub mod summary;
pub mod tone;
mod trace;
mod understanding;

#[cfg(test)]
mod tests;

pub use churn::{ChurnTurn, churn_risk};
pub use language::Languages;
pub use policy::Policy;
pub use prompts::{PromptError, PromptErrors, Prompts};
pub use recompute::{Inputs, RecomputeError, inputs, recompute};
pub use render::{LookupOutcome, Rendered, ReplyOption, answer_name, render};
pub use reply::{LookupCall, Reply};
pub use rules::normalise;
pub use state::{DialogueState, TaskState};
pub use summary::{Summary, summarise};
pub use tone::{Register, Tone, Voice};
pub use understanding::{Understanding, understand};

use crate::domain::{ActionKind, Analysis, Customer, Gist, Mood, Reason, Sentiment, State};
use answering::{Candidate, TaskStep};
use escalation::{Judgement, Loudness, Seen, Verdict};
use reading::Meaning;
use serde::{Deserialize, Serialize};

/// One customer turn. Made by [`DialogueState::turn`].
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// What the customer wrote.
    pub text: &'a str,
    /// The customer pressed "talk to a person" instead.
    pub button: bool,
    /// Who owns the conversation.
    pub state: State,
    /// Who writes.
    pub customer: &'a Customer,
    /// What the bot remembers.
    pub before: &'a DialogueState,
    /// The customer gave the bot's last answer a thumbs down instead of writing.
    pub rated_low: bool,
}

impl Turn<'_> {
    /// The same turn as a thumbs down on an answer: there is no text then.
    #[must_use]
    pub fn rated_low(self) -> Self {
        Self { text: "", button: false, rated_low: true, ..self }
    }
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
    /// What shouting and insults added to the frustration, 0 to 1.
    #[serde(default)]
    pub added: f32,
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
    /// A question of the customer's own was answered since, with this one behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aside: bool,
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
    /// How it is said; nothing else of a decision depends on it.
    pub tone: Tone,
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
    // A thumbs down while a person is offered asks for nothing more.
    if !turn.state.is_bot() || (turn.rated_low && turn.before.offered.is_some()) {
        return silent(turn, analysis, prompts, mood);
    }
    let text = normalise(turn.text);
    let (mut hits, cues) = prompts.rules().search(&text);
    let heard = language::hear(turn, analysis, prompts, &mut hits);
    let unguessed = language::unguessed(analysis, &heard);
    let analysis = unguessed.as_ref().unwrap_or(analysis);
    let mood = self::mood(analysis, prompts.policy());
    let read = analysis;
    let without_signs = signs::take(read, &text, prompts, &mut hits);
    let analysis = without_signs.as_ref().unwrap_or(read);
    let mut reading = reading::read(turn, &text, cues, analysis, prompts);
    heard.settle(&mut reading, prompts);
    let own = heard.candidate(turn, &reading, prompts);
    let candidate = own.unwrap_or_else(|| answering::answer(turn, &reading, prompts));
    let seen = Seen {
        turn,
        before: turn.before,
        analysis,
        prompts,
        policy: prompts.policy(),
        hits: &hits,
        heard: &heard,
        reading: &reading,
        candidate: &candidate,
        frustration: analysis.frustration,
        hostility: escalation::hostility(analysis),
        loudness: Loudness::of(turn.text),
    };
    let Judgement { figures, by, verdict } = escalation::judge(&seen);
    let changes = escalation::Changes::find(&seen, &verdict);
    let mut outcome = compose(&seen, &figures, candidate.clone(), verdict);
    let tone = tone::choose(turn, analysis, mood, &outcome.candidate.reply, prompts);
    outcome.after.acknowledged.extend(tone.opening.iter().map(|opening| opening.template.clone()));
    let record = trace::Record {
        turn,
        analysis: read,
        prompts,
        hits: &hits,
        heard: &heard,
        reading: &reading,
        figures: &figures,
        by,
        changes: &changes,
        tone: &tone,
    };
    let trace = record.trace(&outcome);
    Decision {
        action: outcome.candidate.action,
        reply: outcome.candidate.reply,
        intent: outcome.candidate.intent,
        reasons: outcome.reasons,
        failed: outcome.candidate.failed,
        mood,
        tone,
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
        tone: Tone::default(),
        after: turn.before.clone(),
        trace: trace::silent(turn, analysis, prompts),
    }
}

/// The verdict laid over the candidate, and what is remembered.
struct Outcome {
    candidate: Candidate,
    reasons: Vec<Reason>,
    after: DialogueState,
}

fn compose(seen: &Seen<'_>, figures: &escalation::Figures, mut candidate: Candidate, verdict: Verdict) -> Outcome {
    let Seen { turn, analysis, prompts, heard, reading, .. } = *seen;
    let code = |reasons: &[Reason]| reasons.first().map(|reason| reason.code.clone()).unwrap_or_default();
    let mut offered = None;
    let reasons = match verdict {
        Verdict::Stay => Vec::new(),
        Verdict::Offer(reasons) => {
            let helpful = candidate.is_helpful(prompts);
            let answer = candidate.reply.told().filter(|_| helpful).map(|told| Box::new(told.clone()));
            candidate.reply = heard
                .offer(&code(&reasons), prompts)
                .unwrap_or_else(|| Reply::Offer { reason: code(&reasons), answer });
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
        hostility: figures.hostility,
        intent: candidate.intent.clone(),
        failed: candidate.failed,
        answer: candidate.answer.clone(),
        alone: analysis.evidence.as_ref().map_or(analysis.frustration, |seen| seen.alone),
        gist: analysis.evidence.as_ref().map(|seen| Gist::new(&seen.meaning)),
        added: figures.added.sum(),
    });
    after.abusive_turns = figures.abusive_turns;
    after.awaiting = candidate.awaiting.clone().filter(|_| went_on);
    after.clarified = candidate.clarified.clone().filter(|_| went_on);
    after.offered = offered;
    if let Reply::OtherLanguage { language, .. } = &candidate.reply {
        after.offered_in.retain(|code| code != language);
        after.offered_in.push(language.clone());
    }
    if matches!(reading.meaning, Meaning::Decline(_)) && went_on {
        after.since_decline = Some(0);
    }
    for slot in &candidate.forgotten {
        after.slots.remove(slot);
    }
    after.slots.extend(candidate.found.clone());
    match candidate.task.clone() {
        _ if candidate.action == ActionKind::Handoff => after.task = None,
        TaskStep::Set(task) => after.task = Some(task),
        TaskStep::End => after.task = None,
        TaskStep::Keep => {}
    }
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
