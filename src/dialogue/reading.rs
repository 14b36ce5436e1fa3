//! What a turn means where it stands: after an offer, after a question of ours, or on its own.
//!
//! Says what the customer meant, not what follows from it.

use super::Turn;
use super::prompts::{Intent, IntentKind, Prompts};
use super::rules::{Cue, normalise};
use super::understanding::{Understanding, gates, understand};
use crate::domain::Analysis;
use serde::Serialize;

/// The meaning of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One intent, by name.
    Intent(String),
    /// One of two intents, by name.
    Either(String, String),
    /// Neither of the two that were asked about.
    Neither,
    /// Yes to the open offer of a person.
    Accept,
    /// No to it; perhaps with a question of its own.
    Decline(Option<String>),
    /// Not understood.
    Unknown,
}

/// What the meaning was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// The words of a button.
    Label,
    /// A cue of `rules.toml`.
    Cue,
    /// An answer to "did you mean".
    Choice,
    /// The analysis and the gates of `policy.toml`.
    Gates,
}

/// A turn, read.
pub(super) struct Reading {
    pub(super) meaning: Meaning,
    pub(super) how: How,
    pub(super) understanding: Understanding,
    pub(super) cues: Vec<Cue>,
    /// Probability of the accepted intent; 1 where words of a button or a cue settled it.
    pub(super) probability: f32,
}

/// Reads one turn.
pub(super) fn read(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts) -> Reading {
    let text = normalise(turn.text);
    let cues = prompts.rules().cues(&text);
    let understanding = understand(analysis, prompts.policy());
    let context = Context { turn, analysis, prompts, text: &text, cues: &cues, understanding: &understanding };
    let (meaning, how) = context.meaning();
    let of = |name: &String| analysis.intents.iter().find(|intent| intent.name == *name);
    let probability = match (how, &meaning) {
        (How::Gates, Meaning::Intent(name)) => of(name).map_or(0.0, |intent| intent.probability),
        _ => 1.0,
    };
    Reading { meaning, how, understanding, cues, probability }
}

struct Context<'a> {
    turn: &'a Turn<'a>,
    analysis: &'a Analysis,
    prompts: &'a Prompts,
    text: &'a str,
    cues: &'a [Cue],
    understanding: &'a Understanding,
}

impl Context<'_> {
    fn meaning(&self) -> (Meaning, How) {
        self.of_offer()
            .or_else(|| self.of_choice())
            .or_else(|| self.of_label())
            .or_else(|| self.of_cue())
            .unwrap_or_else(|| (self.of_gates(), How::Gates))
    }

    fn has(&self, cue: Cue) -> bool {
        self.cues.contains(&cue)
    }

    fn is_label(&self, label: &str) -> bool {
        self.text == normalise(label)
    }

    fn known(&self) -> Option<&Intent> {
        self.understanding.known().and_then(|name| self.prompts.intent(name))
    }

    /// A known intent that carries a question of its own, so that "no, when will it arrive?" is answered.
    fn question(&self) -> Option<String> {
        self.known()
            .filter(|intent| intent.kind == IntentKind::Answer && !intent.small_talk)
            .map(|intent| intent.name.clone())
    }

    fn of_offer(&self) -> Option<(Meaning, How)> {
        self.turn.before.offered.as_ref()?;
        let texts = self.prompts.handoff();
        let kind = self.known().map(|intent| intent.kind);
        if self.is_label(&texts.offer_yes) {
            Some((Meaning::Accept, How::Label))
        } else if self.is_label(&texts.offer_no) {
            Some((Meaning::Decline(None), How::Label))
        } else if self.has(Cue::Affirm) {
            Some((Meaning::Accept, How::Cue))
        } else if self.has(Cue::Deny) {
            Some((Meaning::Decline(self.question()), How::Cue))
        } else {
            match kind {
                Some(IntentKind::Affirm) => Some((Meaning::Accept, How::Gates)),
                Some(IntentKind::Deny) => Some((Meaning::Decline(None), How::Gates)),
                _ => None,
            }
        }
    }

    fn of_choice(&self) -> Option<(Meaning, How)> {
        let (first, second) = self.turn.before.clarified.as_ref()?;
        let chosen = |name: &String| Some((Meaning::Intent(name.clone()), How::Choice));
        if self.is_label(&self.prompts.replies().clarify_neither) {
            return Some((Meaning::Neither, How::Label));
        }
        let title = |name: &str| self.prompts.intent(name).map(|intent| normalise(&intent.title)).unwrap_or_default();
        let (of_first, of_second) = (title(first), title(second));
        if self.text == of_first || self.has(Cue::First) {
            return chosen(first);
        }
        if self.text == of_second || self.has(Cue::Second) {
            return chosen(second);
        }
        if self.understanding.known().is_some() {
            return None;
        }
        match (self.names(&of_first, &of_second), self.names(&of_second, &of_first)) {
            (true, false) => return chosen(first),
            (false, true) => return chosen(second),
            _ => {}
        }
        // The gates were not passed, but there are only two to choose from now.
        let best = self.analysis.intents.first()?;
        let near = best.similarity >= gates(self.analysis, self.prompts.policy()).accept_similarity;
        if near && [first, second].contains(&&best.name) {
            return chosen(&best.name);
        }
        self.has(Cue::Deny).then_some((Meaning::Neither, How::Cue))
    }

    /// True when the text holds a longer word of this title that the other title does not have.
    fn names(&self, title: &str, other: &str) -> bool {
        let words = |text: &str| -> Vec<String> {
            text.split(|sign: char| !sign.is_alphanumeric()).map(|word| word.trim_end_matches('s').to_owned()).collect()
        };
        let (said, others) = (words(self.text), words(other));
        words(title).iter().any(|word| word.chars().count() > 3 && said.contains(word) && !others.contains(word))
    }

    fn of_label(&self) -> Option<(Meaning, How)> {
        let intent = self.prompts.intent_by_title(self.text)?;
        Some((Meaning::Intent(intent.name.clone()), How::Label))
    }

    /// Whether the words were read as something to answer. Where nothing was asked, a yes is only a
    /// yes if they were not: "perfect, thank you" is thanks.
    fn means_something(&self) -> bool {
        self.known().is_some_and(|intent| intent.kind == IntentKind::Answer)
    }

    fn of_cue(&self) -> Option<(Meaning, How)> {
        let kind = if self.has(Cue::Unhelpful) {
            IntentKind::Unhelpful
        } else if self.has(Cue::Affirm) && !self.means_something() {
            IntentKind::Affirm
        } else if self.has(Cue::Deny) && self.question().is_none() {
            IntentKind::Deny
        } else {
            return None;
        };
        let intent = self.prompts.intent_of_kind(kind)?;
        Some((Meaning::Intent(intent.name.clone()), How::Cue))
    }

    fn of_gates(&self) -> Meaning {
        match self.understanding {
            Understanding::Known(score) => Meaning::Intent(score.name.clone()),
            Understanding::Ambiguous(first, second) => self.of_two(&first.name, &second.name),
            Understanding::Unknown => Meaning::Unknown,
        }
    }

    /// "Did you mean" only makes sense between two questions. Pleasantries and short answers step
    /// back. Danger and law are never one of two buttons: as the better reading they stand (and
    /// lead to an offer), as the lesser one they step back too.
    fn of_two(&self, first: &str, second: &str) -> Meaning {
        let kind = |name: &str| self.prompts.intent(name).map(|intent| (intent.kind, intent.small_talk));
        let asks = |name: &str| matches!(kind(name), Some((IntentKind::Answer, false) | (IntentKind::RequestHuman, _)));
        let grave = |name: &str| matches!(kind(name), Some((IntentKind::Safety | IntentKind::Legal, _)));
        match (asks(first) || grave(first), asks(second)) {
            (true, true) if !grave(first) => Meaning::Either(first.to_owned(), second.to_owned()),
            (true, _) => Meaning::Intent(first.to_owned()),
            (false, true) => Meaning::Intent(second.to_owned()),
            (false, false) => Meaning::Unknown,
        }
    }
}
