//! Answers of the business's own system: the values they need, asked for, given and corrected.

use super::{Candidate, Step};
use crate::dialogue::prompts::{Intent, IntentKind, Lookup};
use crate::dialogue::reading::Meaning;
use crate::dialogue::rules::Cue;
use crate::dialogue::slots::{Found, Slot};
use crate::dialogue::{Awaiting, Reply};
use crate::domain::ActionKind;
use std::collections::BTreeMap;

impl Step<'_> {
    /// The customer answers a question of ours: the value, or a question of their own, or neither.
    pub(super) fn awaited(&self) -> Option<Candidate> {
        let awaiting = self.turn.before.awaiting.as_ref()?;
        let intent = self.prompts.intent(&awaiting.intent)?;
        let slot = self.prompts.slot(&awaiting.slot)?;
        if matches!(self.reading.meaning, Meaning::Accept | Meaning::Decline(_)) {
            return None;
        }
        let given = slot.find(self.turn.text).is_some();
        if !given && self.is_side_question(intent) {
            return self.aside(awaiting);
        }
        if let Some(talk) = self.small_talk().filter(|_| slot.read_expected(self.turn.text) == Found::Nothing) {
            let awaiting = Some(Awaiting { tries: awaiting.tries + 1, ..awaiting.clone() });
            return Some(Candidate { awaiting, gave_up: self.gives_up(self.tries()), ..self.intent(talk) });
        }
        let found = self.look_up(intent, awaiting.tries);
        Some(if found.awaiting.is_some() { found } else { self.back_to_task(found) })
    }

    /// The answer to a side question, and once the open question behind it.
    fn aside(&self, awaiting: &Awaiting) -> Option<Candidate> {
        let answer = self.meant();
        if awaiting.aside || answer.awaiting.is_some() || !answer.is_helpful(self.prompts) {
            return None;
        }
        let then = Reply::Ask {
            intent: awaiting.intent.clone(),
            slot: awaiting.slot.clone(),
            again: false,
            invalid: false,
            options: Vec::new(),
            lookup: None,
        };
        Some(Candidate {
            reply: Reply::Aside { answer: Box::new(answer.reply), then: Box::new(then) },
            awaiting: Some(Awaiting { aside: true, ..awaiting.clone() }),
            ..answer
        })
    }

    fn tries(&self) -> u32 {
        self.turn.before.awaiting.as_ref().map_or(0, |awaiting| awaiting.tries)
    }

    pub(super) fn gives_up(&self, tries: u32) -> bool {
        tries >= self.prompts.policy().failures.ask_tries
    }

    /// The intent of a message that is hardly more than a value, or that is unclear but holds one.
    pub(super) fn lone_value(&self) -> Option<&Intent> {
        let (slot, intent) = self.prompts.slots().find_map(|slot| {
            slot.find(self.turn.text)?;
            Some((slot, self.prompts.intent(slot.intent.as_deref()?)?))
        })?;
        let fits = match &self.reading.meaning {
            Meaning::Unknown | Meaning::Neither => true,
            Meaning::Either(first, second) => [first, second].contains(&&intent.name),
            Meaning::Intent(name) => {
                let small_talk =
                    self.prompts.intent(name).is_some_and(|known| known.small_talk || known.kind == IntentKind::Affirm);
                let own = self.prompts.intent(name).is_some_and(|known| known.task.is_some() || known.lookup.is_some());
                small_talk || (slot.is_alone(self.turn.text) && !own)
            }
            Meaning::Decline(None) => true,
            Meaning::Decline(Some(_)) | Meaning::Accept | Meaning::Both(..) => false,
        };
        fits.then_some(intent)
    }

    /// The customer gives another value for what was looked up last: "sorry, I meant JT-1043", "not
    /// 1042, 1043", "and in a large?", "no, the other order".
    pub(super) fn revised(&self) -> Option<Candidate> {
        let last = self.turn.before.history.last()?.intent.as_deref()?;
        let intent = self.prompts.intent(last)?;
        let lookup = intent.lookup.as_deref().and_then(|name| self.prompts.lookup(name))?;
        let other = self.known().is_some_and(|known| {
            known.name != intent.name && known.kind.asks() && !known.small_talk && !self.has(Cue::Correct)
        });
        let about_person = self.known().is_some_and(|known| known.kind.hard_reason().is_some());
        if other || about_person || self.reading.meaning == Meaning::Accept {
            return None;
        }
        let slots = || lookup.slots.iter().filter_map(|name| self.prompts.slot(name));
        let text = self.turn.text;
        let leans = self.has(Cue::Correct) || self.has(Cue::FollowUp);
        let another = |slot: &Slot| {
            let value = slot.find_expected(text);
            value.is_some() && value.as_ref() != self.turn.before.slots.get(&slot.name)
        };
        let named = leans && slots().any(another);
        let meant = slots().any(|slot| slot.means_other(text)) && (leans || self.has(Cue::Deny));
        (named || meant).then(|| self.look_up(intent, 0))
    }

    /// True when every value of an intent's lookup is in this message or was given before.
    pub(super) fn knows_values(&self, intent: &Intent) -> bool {
        let lookup = intent.lookup.as_deref().and_then(|name| self.prompts.lookup(name));
        lookup.is_some_and(|lookup| self.values(lookup).is_ok())
    }

    /// Looks up if every value is known, or asks for the first that is not. `tries` counts how
    /// often it was asked for already.
    pub(super) fn look_up(&self, intent: &Intent, tries: u32) -> Candidate {
        let Some(lookup) = intent.lookup.as_deref().and_then(|name| self.prompts.lookup(name)) else {
            return self.fallback();
        };
        match self.values(lookup) {
            Ok(slots) => {
                let values: Vec<&str> = slots.values().map(String::as_str).collect();
                let answer = format!("{} {}", intent.name, values.join(" "));
                let reply =
                    Reply::Lookup { intent: intent.name.clone(), lookup: lookup.name.clone(), slots: slots.clone() };
                Candidate {
                    intent: Some(intent.name.clone()),
                    failed: self.was_said(&answer),
                    answer: Some(answer),
                    found: slots,
                    ..Candidate::new(reply, ActionKind::Reply)
                }
            }
            Err((missing, found)) => self.ask(intent, missing, found, tries),
        }
    }

    fn ask(&self, intent: &Intent, missing: String, found: BTreeMap<String, String>, tries: u32) -> Candidate {
        // Another value than before has to be given: it is asked for afresh.
        let awaited = self.turn.before.awaiting.as_ref().is_some_and(|awaiting| awaiting.slot == missing);
        let tries = if awaited { tries } else { 0 };
        let again = tries > 0;
        let invalid = again
            && self.prompts.slot(&missing).is_some_and(|slot| slot.read_expected(self.turn.text) == Found::Impossible);
        let reply = Reply::Ask {
            intent: intent.name.clone(),
            slot: missing.clone(),
            again,
            invalid,
            options: Vec::new(),
            lookup: None,
        };
        Candidate {
            intent: Some(intent.name.clone()),
            failed: again,
            gave_up: self.gives_up(tries),
            forgotten: vec![missing.clone()],
            found,
            awaiting: Some(Awaiting { intent: intent.name.clone(), slot: missing, tries: tries + 1, aside: false }),
            ..Candidate::new(reply, ActionKind::Reply)
        }
    }

    /// Every value of a lookup, from this message or from before; or the name of one that is missing,
    /// with those that were found.
    fn values(&self, lookup: &Lookup) -> Result<BTreeMap<String, String>, (String, BTreeMap<String, String>)> {
        let mut values = BTreeMap::new();
        let mut missing = None;
        for name in &lookup.slots {
            let value = self.prompts.slot(name).and_then(|slot| {
                let before = || self.turn.before.slots.get(name).filter(|_| !slot.means_other(self.turn.text)).cloned();
                slot.find_expected(self.turn.text).or_else(before)
            });
            match value {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => missing = missing.or_else(|| Some(name.clone())),
            }
        }
        match missing {
            None => Ok(values),
            Some(missing) => Err((missing, values)),
        }
    }
}
