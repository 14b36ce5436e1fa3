//! What the bot would say if it went on by itself. Whether it may is decided in `escalation`.

use super::prompts::{Intent, IntentKind, Lookup, Prompts};
use super::reading::{Meaning, Reading};
use super::{Awaiting, Reply, Turn};
use crate::domain::ActionKind;
use std::collections::BTreeMap;

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
    /// A value was asked for as often as the policy allows.
    pub(super) gave_up: bool,
}

impl Candidate {
    fn new(reply: Reply, action: ActionKind) -> Self {
        Self {
            reply,
            action,
            intent: None,
            failed: false,
            answer: None,
            awaiting: None,
            clarified: None,
            found: BTreeMap::new(),
            gave_up: false,
        }
    }

    /// True when it tells the customer something they asked for.
    pub(super) fn is_helpful(&self, prompts: &Prompts) -> bool {
        let small_talk =
            self.intent.as_deref().and_then(|name| prompts.intent(name)).is_some_and(|intent| intent.small_talk);
        !self.failed && !small_talk && matches!(self.reply, Reply::Answer { .. } | Reply::Lookup { .. })
    }
}

/// The bot's own next step for a turn.
pub(super) fn answer(turn: &Turn<'_>, reading: &Reading, prompts: &Prompts) -> Candidate {
    let step = Step { turn, prompts };
    let mut candidate = step.awaited(reading).unwrap_or_else(|| step.meant(reading));
    let found = prompts.slots().filter_map(|slot| Some((slot.name.clone(), slot.find(turn.text)?)));
    for (slot, value) in found {
        candidate.found.entry(slot).or_insert(value);
    }
    candidate
}

struct Step<'a> {
    turn: &'a Turn<'a>,
    prompts: &'a Prompts,
}

impl Step<'_> {
    /// The customer answers a question of ours: the value, or a question of their own, or neither.
    fn awaited(&self, reading: &Reading) -> Option<Candidate> {
        let awaiting = self.turn.before.awaiting.as_ref()?;
        let intent = self.prompts.intent(&awaiting.intent)?;
        let slot = self.prompts.slot(&awaiting.slot)?;
        if self.is_side_question(reading, intent) && slot.find(self.turn.text).is_none() {
            return None;
        }
        Some(self.look_up(intent, awaiting.tries))
    }

    /// True when the customer asks something else instead of giving the value.
    fn is_side_question(&self, reading: &Reading, awaited: &Intent) -> bool {
        let other = |name: &String| {
            self.prompts.intent(name).is_some_and(|other| {
                other.name != awaited.name
                    && matches!(other.kind, IntentKind::Answer | IntentKind::Unhelpful)
                    && !other.small_talk
            })
        };
        match &reading.meaning {
            Meaning::Intent(name) => other(name),
            Meaning::Either(first, second) => other(first) && other(second),
            _ => false,
        }
    }

    fn meant(&self, reading: &Reading) -> Candidate {
        let lone = self.lone_value(reading);
        if let Some(intent) = lone {
            return self.look_up(intent, 0);
        }
        match &reading.meaning {
            Meaning::Intent(name) | Meaning::Decline(Some(name)) => match self.prompts.intent(name) {
                Some(intent) => self.intent(intent),
                None => self.fallback(),
            },
            Meaning::Either(first, second) => self.clarify(first, second),
            Meaning::Decline(None) => Candidate::new(Reply::DeclinedOffer, ActionKind::Reply),
            Meaning::Accept | Meaning::Neither | Meaning::Unknown => self.fallback(),
        }
    }

    /// The intent of a message that is hardly more than a value, or that is unclear but holds one.
    fn lone_value(&self, reading: &Reading) -> Option<&Intent> {
        let (slot, intent) = self.prompts.slots().find_map(|slot| {
            slot.find(self.turn.text)?;
            Some((slot, self.prompts.intent(slot.intent.as_deref()?)?))
        })?;
        let fits = match &reading.meaning {
            Meaning::Unknown | Meaning::Neither => true,
            Meaning::Either(first, second) => [first, second].contains(&&intent.name),
            Meaning::Intent(name) => {
                let small_talk =
                    self.prompts.intent(name).is_some_and(|known| known.small_talk || known.kind == IntentKind::Affirm);
                small_talk || slot.is_alone(self.turn.text)
            }
            Meaning::Decline(None) => true,
            Meaning::Decline(Some(_)) | Meaning::Accept => false,
        };
        fits.then_some(intent)
    }

    fn intent(&self, intent: &Intent) -> Candidate {
        if intent.lookup.is_some() {
            return self.look_up(intent, 0);
        }
        let repeated = !intent.small_talk && intent.kind == IntentKind::Answer && self.was_said(&intent.name);
        Candidate {
            intent: Some(intent.name.clone()),
            failed: intent.failure || repeated,
            answer: Some(intent.name.clone()),
            ..Candidate::new(Reply::Answer { intent: intent.name.clone() }, ActionKind::Reply)
        }
    }

    /// Looks up if every value is known, or asks for the first that is not. `tries` counts how
    /// often it was asked for already.
    fn look_up(&self, intent: &Intent, tries: u32) -> Candidate {
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
            Err(missing) => {
                let again = tries > 0;
                let reply = Reply::Ask { intent: intent.name.clone(), slot: missing.clone(), again };
                Candidate {
                    intent: Some(intent.name.clone()),
                    failed: again,
                    gave_up: tries >= self.prompts.policy().failures.ask_tries,
                    awaiting: Some(Awaiting { intent: intent.name.clone(), slot: missing, tries: tries + 1 }),
                    ..Candidate::new(reply, ActionKind::Reply)
                }
            }
        }
    }

    /// Every value of a lookup, from this message or from before; or the name of one that is missing.
    fn values(&self, lookup: &Lookup) -> Result<BTreeMap<String, String>, String> {
        let mut values = BTreeMap::new();
        for name in &lookup.slots {
            let value = self.prompts.slot(name).and_then(|slot| {
                let before = || self.turn.before.slots.get(name).filter(|_| !slot.means_other(self.turn.text)).cloned();
                slot.find_expected(self.turn.text).or_else(before)
            });
            values.insert(name.clone(), value.ok_or_else(|| name.clone())?);
        }
        Ok(values)
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
}
