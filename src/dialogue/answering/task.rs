//! Tasks of several turns: values are asked for one by one and may be corrected at any time, a side
//! question is answered with the open question behind it, and nothing is done before a yes.

use super::{Candidate, Step, TaskStep};
use crate::dialogue::prompts::{Intent, IntentKind, Task};
use crate::dialogue::reading::{How, Meaning};
use crate::dialogue::rules::{Cue, normalise};
use crate::dialogue::slots::{Found, Kind, Slot, pick};
use crate::dialogue::state::TaskState;
use crate::dialogue::{LookupCall, Reply};
use crate::domain::ActionKind;
use std::collections::BTreeMap;

/// Probability from which a statement in the middle of a task is read as a question of its own.
const SURE_STATEMENT: f32 = 0.75;
/// Longest answer, in words, that names an item where no list is known to hold it against.
const MOST_WORDS: usize = 8;

/// What one message did to the values of a task.
struct Given {
    values: BTreeMap<String, String>,
    /// Something was given or taken back.
    changed: bool,
    /// A value that cannot be stands where one was asked for.
    impossible: bool,
}

impl Step<'_> {
    /// Begins a task with the values that are known already.
    pub(super) fn begin(&self, task: &Task, intent: &Intent) -> Candidate {
        if let Some(open) = self.turn.before.task.as_ref().filter(|open| open.task == task.name) {
            // Asked for again: it is under way.
            let given = self.given(task, open);
            let state = TaskState { values: given.values, ..open.clone() };
            return self.proceed(task, state);
        }
        let values = task.slots.iter().filter_map(|name| {
            let slot = self.prompts.slot(name)?;
            let before = || {
                let known = self.turn.before.slots.get(name).filter(|_| slot.is_telling());
                known.filter(|_| !slot.means_other(self.turn.text)).cloned()
            };
            Some((name.clone(), slot.find_expected(self.turn.text).or_else(before)?))
        });
        let state = TaskState {
            task: task.name.clone(),
            intent: intent.name.clone(),
            values: values.collect(),
            open: None,
            options: None,
            tries: 0,
        };
        self.proceed(task, state)
    }

    /// A turn in the middle of a task; none if the turn is about something before it: an offer.
    pub(super) fn in_task(&self) -> Option<Candidate> {
        let open = self.turn.before.task.as_ref()?;
        let task = self.prompts.task(&open.task)?;
        let intent = self.prompts.intent(&open.intent)?;
        match &self.reading.meaning {
            Meaning::Accept => return None,
            Meaning::Decline(None) => return Some(self.proceed(task, open.clone())),
            _ => {}
        }
        let given = self.given(task, open);
        if given.changed {
            let next = self.proceed(task, self.state_with(open, given));
            return Some(self.beside(intent, next));
        }
        if open.open.is_none() {
            if self.says(IntentKind::Affirm, Cue::Affirm, &task.yes) {
                return Some(self.done(task, open));
            }
            if self.says(IntentKind::Deny, Cue::Deny, &task.no) {
                return Some(self.with_question(self.left(open)));
            }
        }
        if self.is_own_question(intent) {
            return Some(self.back_to_task(self.meant()));
        }
        if let Some(talk) = self.small_talk() {
            let state = TaskState { tries: open.tries + 1, ..open.clone() };
            let gave_up = open.open.is_some() && self.gives_up(open.tries);
            return Some(Candidate { task: TaskStep::Set(state), gave_up, ..self.intent(talk) });
        }
        if self.known().is_some_and(|known| known.name == intent.name) {
            return Some(self.proceed(task, open.clone()));
        }
        Some(self.asked_again(task, open, given.impossible))
    }

    /// Adds the task's open question to an answer, if there is a task and the answer is one.
    pub(super) fn back_to_task(&self, answer: Candidate) -> Candidate {
        let Some(open) = self.turn.before.task.as_ref() else { return answer };
        let Some(task) = self.prompts.task(&open.task) else { return answer };
        if answer.task != TaskStep::Keep || answer.reply.told().is_none() {
            return answer;
        }
        let mut then = self.proceed(task, open.clone());
        if answer.reply.lookup().is_some()
            && let Reply::Ask { lookup, .. } = &mut then.reply
        {
            // One lookup a turn: the list is asked for with the next one.
            *lookup = None;
        }
        let reply = Reply::Aside { answer: Box::new(answer.reply.clone()), then: Box::new(then.reply) };
        Candidate { reply, task: then.task, ..answer }
    }

    /// A question that stands beside a value is answered before the task goes on.
    fn beside(&self, intent: &Intent, next: Candidate) -> Candidate {
        let asks = self.has(Cue::Question) && self.is_side_question(intent);
        let question = self.known().filter(|known| asks && known.answer.is_some() && known.task.is_none());
        let Some(answer) = question.filter(|known| known.lookup.is_none()).map(|known| self.intent(known)) else {
            return next;
        };
        Candidate {
            reply: Reply::Aside { answer: Box::new(answer.reply), then: Box::new(next.reply.clone()) },
            answer: answer.answer,
            intent: answer.intent,
            ..next
        }
    }

    /// A question of the customer's own. In the middle of a task a statement is more likely a value
    /// in words that the bot does not know.
    fn is_own_question(&self, intent: &Intent) -> bool {
        let plain = match self.reading.how {
            How::Gates | How::Sentence => self.has(Cue::Question) || self.reading.probability >= SURE_STATEMENT,
            How::Label | How::Cue | How::Choice | How::FollowUp | How::Rating => true,
        };
        plain && self.is_side_question(intent)
    }

    fn says(&self, kind: IntentKind, cue: Cue, label: &str) -> bool {
        let side = self.known().is_some_and(|known| known.kind.asks() && !known.small_talk);
        self.has(cue)
            || normalise(self.turn.text) == normalise(label)
            || (!side && self.known().is_some_and(|known| known.kind == kind))
    }

    /// What the message says about the task's values.
    fn given(&self, task: &Task, open: &TaskState) -> Given {
        let mut given = Given { values: open.values.clone(), changed: false, impossible: false };
        let correcting = self.has(Cue::Correct) || self.has(Cue::Deny);
        let slots = || task.slots.iter().filter_map(|name| self.prompts.slot(name));
        for slot in slots() {
            let asked = open.open.as_ref() == Some(&slot.name);
            let value = match self.find(slot, open, asked, correcting) {
                Found::Value(value) => Some(value),
                Found::Impossible => {
                    given.impossible |= asked;
                    None
                }
                Found::Nothing => None,
            };
            match value {
                Some(value) if given.values.get(&slot.name) != Some(&value) => {
                    given.values.insert(slot.name.clone(), value);
                    given.changed = true;
                    self.drop_lists(task, &slot.name, &mut given.values);
                }
                None if slot.means_other(self.turn.text) && given.values.remove(&slot.name).is_some() => {
                    given.changed = true;
                    self.drop_lists(task, &slot.name, &mut given.values);
                }
                _ => {}
            }
        }
        given
    }

    /// A slot's value in this message: as the open question has it, or in words that nothing else has.
    fn find(&self, slot: &Slot, open: &TaskState, asked: bool, correcting: bool) -> Found {
        let text = self.turn.text;
        match &slot.kind {
            Kind::Listed(_) => {
                let known = open.values.contains_key(&slot.name);
                let options = open.options.as_deref();
                let picked = options.and_then(|options| pick(&normalise(text), options));
                match (picked, options) {
                    (Some(option), _) if asked || (known && correcting) => Found::Value(option.to_owned()),
                    // A conversation that was never looked up, as in a replay, has no list to hold it against.
                    (None, None) if asked && self.is_short_statement() => Found::Value(text.trim().to_owned()),
                    _ => Found::Nothing,
                }
            }
            Kind::Choice(_) if asked || correcting || !open.values.contains_key(&slot.name) => slot.read_expected(text),
            Kind::Choice(_) => Found::Nothing,
            Kind::Pattern { .. } if asked || correcting => slot.read_expected(text),
            Kind::Date if !asked && !correcting => Found::Nothing,
            Kind::Pattern { .. } | Kind::Email | Kind::Date => slot
                .find(text)
                .map_or_else(|| if asked { slot.read_expected(text) } else { Found::Nothing }, Found::Value),
        }
    }

    /// True for a few words that may well name an item: no question, and no talk without a value in it.
    fn is_short_statement(&self) -> bool {
        let words = self.turn.text.split_whitespace().count();
        let valued = || {
            self.prompts.slots().any(|slot| matches!(slot.kind, Kind::Choice(_)) && slot.find(self.turn.text).is_some())
        };
        let talk = self.known().is_some_and(|known| known.small_talk || !known.kind.asks()) && !valued();
        words <= MOST_WORDS && !talk && !self.has(Cue::Question)
    }

    /// What was chosen from a list falls with the value that the list was asked for with.
    fn drop_lists(&self, task: &Task, changed: &str, values: &mut BTreeMap<String, String>) {
        for slot in task.slots.iter().filter_map(|name| self.prompts.slot(name)) {
            if let Kind::Listed(by) = &slot.kind
                && self.prompts.lookup(&by.lookup).is_some_and(|lookup| lookup.slots.iter().any(|need| need == changed))
            {
                values.remove(&slot.name);
            }
        }
    }

    /// The task's state after a message that gave something.
    fn state_with(&self, open: &TaskState, given: Given) -> TaskState {
        let same = |name: &&String| open.values.get(*name) == given.values.get(*name);
        let keys: Vec<&String> =
            open.values.keys().chain(given.values.keys()).filter(|name| self.is_list_key(name)).collect();
        let options = open.options.clone().filter(|_| keys.iter().all(same));
        TaskState { values: given.values, options, tries: 0, ..open.clone() }
    }

    /// True for a value that some list is asked for with.
    fn is_list_key(&self, name: &str) -> bool {
        self.prompts.slots().any(|slot| match &slot.kind {
            Kind::Listed(by) => {
                self.prompts.lookup(&by.lookup).is_some_and(|lookup| lookup.slots.iter().any(|need| need == name))
            }
            _ => false,
        })
    }

    /// The next question of the task, or what will happen, to be confirmed.
    fn proceed(&self, task: &Task, state: TaskState) -> Candidate {
        let missing = task.slots.iter().find(|slot| !state.values.contains_key(*slot)).cloned();
        let same = state.open == missing && state.tries > 0;
        let tries = if same { state.tries } else { 1 };
        let state = TaskState { open: missing, tries, ..state };
        let reply = self.question(task, &state, false, false);
        let found = state.values.iter().filter(|(name, _)| self.prompts.slot(name).is_some_and(Slot::is_telling));
        Candidate {
            intent: Some(state.intent.clone()),
            found: found.map(|(name, value)| (name.clone(), value.clone())).collect(),
            forgotten: state.open.iter().cloned().collect(),
            task: TaskStep::Set(state),
            ..Candidate::new(reply, ActionKind::Reply)
        }
    }

    fn question(&self, task: &Task, state: &TaskState, again: bool, invalid: bool) -> Reply {
        let Some(open) = &state.open else {
            return Reply::Confirm { task: task.name.clone(), slots: state.values.clone(), again };
        };
        let by = match self.prompts.slot(open).map(|slot| &slot.kind) {
            Some(Kind::Listed(by)) => Some(by),
            _ => None,
        };
        let options = by.and(state.options.clone()).unwrap_or_default();
        let lookup = by.filter(|_| options.is_empty()).and_then(|by| self.prompts.lookup(&by.lookup)).map(|lookup| {
            let needed = lookup.slots.iter().filter_map(|name| Some((name.clone(), state.values.get(name)?.clone())));
            LookupCall { lookup: lookup.name.clone(), slots: needed.collect() }
        });
        Reply::Ask { intent: state.intent.clone(), slot: open.clone(), again, invalid, options, lookup }
    }

    fn asked_again(&self, task: &Task, open: &TaskState, invalid: bool) -> Candidate {
        let gave_up = self.gives_up(open.tries);
        let state = TaskState { tries: if gave_up { 1 } else { open.tries + 1 }, ..open.clone() };
        Candidate {
            intent: Some(open.intent.clone()),
            failed: true,
            gave_up,
            reply: self.question(task, &state, true, invalid),
            task: TaskStep::Set(state),
            ..Candidate::new(Reply::None, ActionKind::Reply)
        }
    }

    /// The yes: now it is done.
    fn done(&self, task: &Task, open: &TaskState) -> Candidate {
        let lookup = self.prompts.lookup(&task.lookup).map_or(&[][..], |lookup| &lookup.slots);
        let slots: BTreeMap<String, String> =
            lookup.iter().filter_map(|name| Some((name.clone(), open.values.get(name)?.clone()))).collect();
        let values: Vec<&str> = slots.values().map(String::as_str).collect();
        Candidate {
            intent: Some(open.intent.clone()),
            answer: Some(format!("{} {}", open.intent, values.join(" "))),
            task: TaskStep::End,
            ..Candidate::new(
                Reply::Lookup { intent: open.intent.clone(), lookup: task.lookup.clone(), slots },
                ActionKind::Reply,
            )
        }
    }

    /// The no, or a way out before it.
    pub(super) fn left(&self, open: &TaskState) -> Candidate {
        Candidate {
            intent: Some(open.intent.clone()),
            task: TaskStep::End,
            ..Candidate::new(Reply::Cancelled { task: open.task.clone() }, ActionKind::Reply)
        }
    }
}
