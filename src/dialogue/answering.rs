//! What the bot would say if it went on by itself. Whether it may is decided in `escalation`.
//!
//! What is open comes first: a value that was asked for (`lookup`), then a task (`task`). A message
//! that does neither good is answered for what it says.

mod lookup;
mod task;

use super::prompts::{Intent, IntentKind, Prompts};
use super::reading::{How, Meaning, Reading};
use super::rules::Cue;
use super::state::TaskState;
use super::{Awaiting, Reply, Turn};
use crate::domain::{ActionKind, Reason};
use std::collections::BTreeMap;

/// What becomes of the task that is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum TaskStep {
    /// It stays as it is.
    #[default]
    Keep,
    /// It goes on, or another one begins.
    Set(TaskState),
    /// It is over.
    End,
}

/// The bot's own next step.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) reply: Reply,
    pub(super) action: ActionKind,
    pub(super) intent: Option<String>,
    /// The bot is failing the customer with this turn.
    pub(super) failed: bool,
    /// What is answered, to notice that it was answered before: the intent, with its values.
    pub(super) answer: Option<String>,
    pub(super) awaiting: Option<Awaiting>,
    pub(super) clarified: Option<(String, String)>,
    /// Values found in this turn.
    pub(super) found: BTreeMap<String, String>,
    /// Slots whose value from before is not meant any more.
    pub(super) forgotten: Vec<String>,
    pub(super) task: TaskStep,
    /// A value was asked for as often as the policy allows.
    pub(super) gave_up: bool,
    /// Reasons for a person that the dialogue itself found: offered at once, and handed over if an
    /// offer is open and it happens again.
    pub(super) suggests: Vec<Reason>,
}

impl Candidate {
    pub(super) fn new(reply: Reply, action: ActionKind) -> Self {
        Self {
            reply,
            action,
            intent: None,
            failed: false,
            answer: None,
            awaiting: None,
            clarified: None,
            found: BTreeMap::new(),
            forgotten: Vec::new(),
            task: TaskStep::Keep,
            gave_up: false,
            suggests: Vec::new(),
        }
    }

    /// True when it tells the customer something they asked for.
    pub(super) fn is_helpful(&self, prompts: &Prompts) -> bool {
        let small_talk =
            self.intent.as_deref().and_then(|name| prompts.intent(name)).is_some_and(|intent| intent.small_talk);
        !self.failed && !small_talk && self.reply.told().is_some()
    }
}

/// The bot's own next step for a turn.
pub(super) fn answer(turn: &Turn<'_>, reading: &Reading, prompts: &Prompts) -> Candidate {
    let step = Step { turn, reading, prompts };
    let mut candidate = step.next();
    step.suggest(&mut candidate);
    // What is given up is not taken up again from the same words.
    let found = prompts.slots().filter(|slot| slot.is_telling() && !candidate.forgotten.contains(&slot.name));
    let found: Vec<_> = found.filter_map(|slot| Some((slot.name.clone(), slot.find(turn.text)?))).collect();
    for (slot, value) in found {
        candidate.found.entry(slot).or_insert(value);
    }
    candidate
}

struct Step<'a> {
    turn: &'a Turn<'a>,
    reading: &'a Reading,
    prompts: &'a Prompts,
}

impl<'a> Step<'a> {
    fn next(&self) -> Candidate {
        self.cancelled()
            .or_else(|| self.awaited())
            .or_else(|| self.in_task())
            .or_else(|| self.revised())
            .unwrap_or_else(|| self.meant())
    }

    fn has(&self, cue: Cue) -> bool {
        self.reading.cues.contains(&cue)
    }

    /// The one intent that the turn was read as.
    fn known(&self) -> Option<&'a Intent> {
        match &self.reading.meaning {
            Meaning::Intent(name) | Meaning::Decline(Some(name)) => self.prompts.intent(name),
            _ => None,
        }
    }

    /// The customer leaves what is open.
    fn cancelled(&self) -> Option<Candidate> {
        let about_offer = matches!(self.reading.meaning, Meaning::Accept | Meaning::Decline(_));
        let open = self.turn.before.task.is_some() || self.turn.before.awaiting.is_some();
        if !self.has(Cue::Cancel) || about_offer || !open {
            return None;
        }
        let left = match &self.turn.before.task {
            Some(open) => self.left(open),
            None => self.intent(self.prompts.intent_of_kind(IntentKind::Deny)?),
        };
        Some(self.with_question(left))
    }

    /// Adds the answer to a question that stands beside something else.
    fn with_question(&self, first: Candidate) -> Candidate {
        let question =
            self.known().filter(|intent| self.has(Cue::Question) && intent.kind.asks() && !intent.small_talk);
        let Some(answer) = question.map(|intent| self.intent(intent)).filter(|answer| answer.reply.told().is_some())
        else {
            return first;
        };
        let reply = Reply::Both { first: Box::new(first.reply.clone()), second: Box::new(answer.reply.clone()) };
        Candidate { reply, task: first.task, forgotten: first.forgotten, ..answer }
    }

    /// True when the customer asks something else instead of giving the value. "I lost it" is an answer that only
    /// sounds like a complaint: beside an open question, what is no question itself has to be beyond doubt.
    fn is_side_question(&self, awaited: &Intent) -> bool {
        let other = |name: &String| {
            self.prompts.intent(name).is_some_and(|other| {
                other.name != awaited.name
                    && (other.kind.asks() || other.kind == IntentKind::Unhelpful)
                    && !other.small_talk
            })
        };
        match &self.reading.meaning {
            Meaning::Intent(name) => {
                let sure = self.reading.probability >= self.prompts.policy().follow_up.both;
                // "It" is what was asked for.
                other(name) && (self.has(Cue::Question) || (sure && !self.has(Cue::Refers)))
            }
            Meaning::Either(first, second) | Meaning::Both(first, second) => other(first) && other(second),
            _ => false,
        }
    }

    /// A pleasantry, or words about the talk itself, which neither answer nor ask.
    fn small_talk(&self) -> Option<&'a Intent> {
        self.known().filter(|intent| intent.small_talk)
    }

    fn meant(&self) -> Candidate {
        if let Some(intent) = self.lone_value() {
            return self.look_up(intent, 0);
        }
        match &self.reading.meaning {
            Meaning::Intent(name) | Meaning::Decline(Some(name)) => match self.prompts.intent(name) {
                Some(intent) => self.intent(intent),
                None => self.fallback(),
            },
            Meaning::Both(first, second) => self.both(first, second),
            Meaning::Either(first, second) => self.clarify(first, second),
            Meaning::Decline(None) => Candidate::new(Reply::DeclinedOffer, ActionKind::Reply),
            Meaning::Accept | Meaning::Neither | Meaning::Unknown => self.fallback(),
        }
    }

    fn intent(&self, intent: &Intent) -> Candidate {
        if let Some(task) = intent.task.as_deref().and_then(|name| self.prompts.task(name)) {
            return self.begin(task, intent);
        }
        if intent.lookup.is_some() && (intent.answer.is_none() || self.knows_values(intent)) {
            return self.look_up(intent, 0);
        }
        let repeated = !intent.small_talk
            && intent.kind == IntentKind::Answer
            && !self.leans_on_answer()
            && self.was_said(&intent.name);
        Candidate {
            intent: Some(intent.name.clone()),
            failed: intent.failure || repeated,
            answer: Some(intent.name.clone()),
            ..Candidate::new(Reply::Answer { intent: intent.name.clone() }, ActionKind::Reply)
        }
    }

    /// The same answer holds for another case of the same thing: "and to Canada?" is no repetition.
    fn leans_on_answer(&self) -> bool {
        self.reading.how == How::FollowUp || self.has(Cue::FollowUp)
    }

    /// Two questions of one message. A value that one of them needs is asked for at the end.
    fn both(&self, first: &str, second: &str) -> Candidate {
        let (Some(one), Some(two)) = (self.prompts.intent(first), self.prompts.intent(second)) else {
            return self.clarify(first, second);
        };
        let (one, two) = (self.intent(one), self.intent(two));
        let lookups = [&one, &two].iter().filter(|candidate| candidate.reply.lookup().is_some()).count();
        let suggests = [one.suggests.clone(), two.suggests.clone()].concat();
        match (one.reply.told().is_some(), two.reply.told().is_some()) {
            (true, true) if lookups < 2 => Candidate {
                reply: Reply::Both { first: Box::new(one.reply), second: Box::new(two.reply) },
                failed: one.failed && two.failed,
                answer: Some(format!("{first} + {second}")),
                found: one.found.into_iter().chain(two.found).collect(),
                intent: one.intent,
                suggests,
                ..Candidate::new(Reply::None, ActionKind::Reply)
            },
            (true, false) if lookups < 2 => Candidate {
                reply: Reply::Aside { answer: Box::new(one.reply), then: Box::new(two.reply) },
                intent: one.intent,
                answer: one.answer,
                suggests,
                ..two
            },
            (false, true) if lookups < 2 => Candidate {
                reply: Reply::Aside { answer: Box::new(two.reply), then: Box::new(one.reply) },
                suggests,
                ..one
            },
            _ => self.clarify(first, second),
        }
    }

    fn clarify(&self, first: &str, second: &str) -> Candidate {
        let reply = Reply::Clarify { first: first.to_owned(), second: second.to_owned() };
        Candidate {
            failed: self.turn.before.clarified.is_some(),
            clarified: Some((first.to_owned(), second.to_owned())),
            ..Candidate::new(reply, ActionKind::Clarify)
        }
    }

    fn fallback(&self) -> Candidate {
        let again = self.turn.before.history.last().is_some_and(|last| last.failed);
        Candidate { failed: true, ..Candidate::new(Reply::Fallback { again }, ActionKind::Fallback) }
    }

    /// True when the turn before was answered with just this.
    fn was_said(&self, answer: &str) -> bool {
        self.turn.before.history.last().is_some_and(|last| last.answer.as_deref() == Some(answer))
    }

    /// Why a person should be offered beside the candidate.
    fn suggest(&self, candidate: &mut Candidate) {
        let excluded =
            |name: &&String| self.prompts.intent(name).is_some_and(|intent| intent.kind == IntentKind::Excluded);
        let meant = match &self.reading.meaning {
            Meaning::Intent(name) | Meaning::Decline(Some(name)) => vec![name],
            Meaning::Both(first, second) => vec![first, second],
            _ => Vec::new(),
        };
        let title = |name: &String| self.prompts.intent(name).map_or_else(String::new, |intent| intent.title.clone());
        if let Some(name) = meant.into_iter().find(excluded) {
            candidate.suggests.push(reason("excluded_topic", format!("asked about \"{}\"", title(name))));
        }
        let unhelpful = self.known().is_some_and(|intent| intent.kind == IntentKind::Unhelpful);
        if self.turn.rated_low {
            candidate.suggests.push(reason("low_rating", "thumbs down on an answer".to_owned()));
        } else if unhelpful && !self.turn.before.history.is_empty() {
            candidate.suggests.push(reason("low_rating", "said that the answer did not help".to_owned()));
        }
        if let Some(times) = self.times_said(candidate) {
            candidate.failed = true;
            candidate.suggests.push(reason("loop", format!("the same answer {times} times")));
        }
    }

    /// How often the same was answered within the last turns, if that makes a loop. A pleasantry in
    /// between says that it was settled.
    fn times_said(&self, candidate: &Candidate) -> Option<usize> {
        let answer = candidate.answer.as_deref()?;
        let small_talk = |name: Option<&String>| {
            name.and_then(|name| self.prompts.intent(name)).is_some_and(|intent| intent.small_talk)
        };
        if self.leans_on_answer() || small_talk(candidate.intent.as_ref()) {
            return None;
        }
        let limits = &self.prompts.policy().failures;
        let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        let history = self.turn.before.history.iter().rev().take(size(limits.loop_turns).saturating_sub(1));
        let unsettled = history.take_while(|past| !small_talk(past.intent.as_ref()));
        let times = 1 + unsettled.filter(|past| past.answer.as_deref() == Some(answer)).count();
        (times >= size(limits.loop_times)).then_some(times)
    }
}

fn reason(code: &str, evidence: String) -> Reason {
    Reason { code: code.to_owned(), evidence, value: None, threshold: None }
}
