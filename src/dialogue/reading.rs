//! What a turn means where it stands: after an offer, after a question of ours, or on its own.
//!
//! Says what the customer meant, not what follows from it.

mod follow_up;

use super::Turn;
use super::language;
use super::prompts::{Intent, IntentKind, Prompts};
use super::rules::{Cue, normalise};
use super::understanding::{Understanding, accept, gates, understand};
use crate::domain::{Analysis, IntentScore};
use serde::Serialize;

/// The meaning of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One intent, by name.
    Intent(String),
    /// One of two intents, by name.
    Either(String, String),
    /// Two intents, by name, in the order in which they were asked.
    Both(String, String),
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
    /// The same, of one sentence of the message.
    Sentence,
    /// What the bot answered before, which the message leans on.
    FollowUp,
    /// A thumbs down.
    Rating,
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

/// Reads one turn: `text` is its text, normalised, and `cues` are those in it.
pub(super) fn read(turn: &Turn<'_>, text: &str, cues: Vec<Cue>, analysis: &Analysis, prompts: &Prompts) -> Reading {
    let understanding = understand(analysis, prompts.policy());
    let context = Context { turn, analysis, prompts, text, cues: &cues, understanding: &understanding };
    let (meaning, how) = context.meaning();
    let probability = match (how, &meaning) {
        (How::Gates | How::Sentence | How::FollowUp, Meaning::Intent(name)) => highest(analysis, name),
        _ => 1.0,
    };
    Reading { meaning, how, understanding, cues, probability }
}

/// The highest probability of an intent, in the whole text or in one sentence.
fn highest(analysis: &Analysis, name: &str) -> f32 {
    let all = analysis.sentences.iter().flatten().chain(&analysis.intents);
    all.filter(|score| score.name == name).map(|score| score.probability).fold(0.0, f32::max)
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
        self.of_rating()
            .or_else(|| self.of_offer())
            .or_else(|| self.of_choice())
            .or_else(|| self.of_label())
            .or_else(|| self.of_cue())
            .or_else(|| self.of_follow_up())
            .unwrap_or_else(|| self.of_gates())
    }

    /// A thumbs down says what "that did not help" says.
    fn of_rating(&self) -> Option<(Meaning, How)> {
        let intent = self.prompts.intent_of_kind(IntentKind::Unhelpful).filter(|_| self.turn.rated_low)?;
        Some((Meaning::Intent(intent.name.clone()), How::Rating))
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

    /// A question of the customer's own, so that "no, when will it arrive?" is answered.
    fn question(&self) -> Option<String> {
        let (Meaning::Intent(name), _) = self.of_gates() else {
            return None;
        };
        self.asks(&name).then_some(name)
    }

    /// True for an intent that asks for something: no pleasantry, no short answer.
    fn asks(&self, name: &str) -> bool {
        let intent = self.prompts.intent(name);
        intent.is_some_and(|intent| intent.kind.asks() && !intent.small_talk)
    }

    fn of_offer(&self) -> Option<(Meaning, How)> {
        self.turn.before.offered.as_ref()?;
        let texts = self.prompts.handoff();
        let kind = self.known().map(|intent| intent.kind);
        if self.is_label(&texts.offer_yes) {
            Some((Meaning::Accept, How::Label))
        } else if self.is_label(&texts.offer_no) {
            Some((Meaning::Decline(None), How::Label))
        } else if let Some(yes) = language::answer_to_offer(self.turn, self.prompts) {
            Some((if yes { Meaning::Accept } else { Meaning::Decline(None) }, How::Cue))
        } else if self.has(Cue::Affirm) || self.has(Cue::Accept) {
            Some((Meaning::Accept, How::Cue))
        } else if self.has(Cue::Unhelpful) {
            // "No, that is still not what I asked" is no wish to go on as before.
            None
        } else if self.has(Cue::Deny) || self.has(Cue::Decline) {
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

    /// A yes that answers nothing is often a thank you: "perfect, thanks".
    fn is_pleasantry(&self) -> bool {
        self.known().is_some_and(|intent| intent.small_talk)
    }

    fn of_cue(&self) -> Option<(Meaning, How)> {
        let kind = if self.has(Cue::Unhelpful) {
            IntentKind::Unhelpful
        } else if self.has(Cue::Affirm) && !self.is_pleasantry() {
            IntentKind::Affirm
        } else if self.has(Cue::Deny) && self.question().is_none() {
            IntentKind::Deny
        } else {
            return None;
        };
        let intent = self.prompts.intent_of_kind(kind)?;
        Some((Meaning::Intent(intent.name.clone()), How::Cue))
    }

    /// The whole message first; where that says nothing to answer, each sentence by itself.
    fn of_gates(&self) -> (Meaning, How) {
        let whole = match self.understanding {
            Understanding::Known(score) if self.is_sound(score) => Meaning::Intent(score.name.clone()),
            Understanding::Ambiguous(first, second) => self.of_two(&first.name, &second.name),
            Understanding::Known(_) | Understanding::Unknown => Meaning::Unknown,
        };
        let settled = match &whole {
            Meaning::Intent(name) => self.asks(name) || self.leads_to_person(name),
            _ => false,
        };
        if settled {
            return self.of_two_questions(&whole).unwrap_or((whole, How::Gates));
        }
        match (self.of_sentences(), whole) {
            (Some(meaning), _) => (meaning, How::Sentence),
            (None, whole) => (whole, How::Gates),
        }
    }

    /// What the sentences say by themselves, each thing once, in their order.
    fn sentences(&self) -> Vec<IntentScore> {
        let gates = gates(self.analysis, self.prompts.policy());
        let mut known: Vec<IntentScore> = Vec::new();
        for sentence in &self.analysis.sentences {
            if let Understanding::Known(score) = accept(sentence, gates)
                && self.is_sound(&score)
                && known.iter().all(|other| other.name != score.name)
            {
                known.push(score);
            }
        }
        known
    }

    /// Two questions where the whole was read as one of them: only if both are beyond doubt.
    fn of_two_questions(&self, whole: &Meaning) -> Option<(Meaning, How)> {
        let Meaning::Intent(name) = whole else { return None };
        let sure = |score: &IntentScore| score.probability >= self.prompts.policy().follow_up.both;
        let questions: Vec<IntentScore> = self.sentences().into_iter().filter(|score| self.asks(&score.name)).collect();
        match questions.as_slice() {
            [first, second] if sure(first) && sure(second) && [&first.name, &second.name].contains(&name) => {
                Some((Meaning::Both(first.name.clone(), second.name.clone()), How::Sentence))
            }
            _ => None,
        }
    }

    /// What the sentences say that the whole did not: one question is taken, of two both, and a wish
    /// for a person or a danger goes before them.
    fn of_sentences(&self) -> Option<Meaning> {
        let known = self.sentences();
        let likelier = |a: &&IntentScore, b: &&IntentScore| a.probability.total_cmp(&b.probability);
        let grave = known.iter().filter(|score| self.leads_to_person(&score.name)).max_by(likelier);
        if let Some(score) = grave {
            return Some(Meaning::Intent(score.name.clone()));
        }
        let questions: Vec<&IntentScore> = known.iter().filter(|score| self.asks(&score.name)).collect();
        match questions.as_slice() {
            [first, second] => Some(self.of_both(first, second)),
            [first, second, ..] => Some(Meaning::Either(first.name.clone(), second.name.clone())),
            [only] => Some(Meaning::Intent(only.name.clone())),
            // Pleasantries that the whole hid are better than "I did not get that".
            // ... unless a question beside them was not understood.
            [] if *self.understanding == Understanding::Unknown && !self.text.contains('?') => {
                known.iter().max_by(likelier).map(|score| Meaning::Intent(score.name.clone()))
            }
            [] => None,
        }
    }

    /// Two sentences that were read surely are two questions; otherwise they may be one, told twice.
    fn of_both(&self, first: &IntentScore, second: &IntentScore) -> Meaning {
        let least = self.prompts.policy().follow_up.both;
        let (one, two) = (first.name.clone(), second.name.clone());
        if first.probability.min(second.probability) >= least {
            Meaning::Both(one, two)
        } else {
            Meaning::Either(one, two)
        }
    }

    fn leads_to_person(&self, name: &str) -> bool {
        self.prompts.intent(name).is_some_and(|intent| intent.kind.hard_reason().is_some())
    }

    /// An intent that leads to a person, or to a no with the offer of one, needs a nearer example and more
    /// probability than one that leads to an answer: a person offered because of a misread story helps nobody.
    fn is_sound(&self, score: &IntentScore) -> bool {
        let gates = gates(self.analysis, self.prompts.policy());
        let near = score.similarity >= gates.hard_similarity;
        let likely = score.probability >= gates.hard_offer_probability;
        let excluded = self.prompts.intent(&score.name).is_some_and(|intent| intent.kind == IntentKind::Excluded);
        !(excluded || self.leads_to_person(&score.name)) || (near && likely)
    }

    /// "Did you mean" only makes sense between two questions. Pleasantries and short answers step
    /// back. Danger and law are never one of two buttons: as the better reading they stand (and
    /// lead to an offer), as the lesser one they step back too.
    fn of_two(&self, first: &str, second: &str) -> Meaning {
        let kind = |name: &str| self.prompts.intent(name).map(|intent| (intent.kind, intent.small_talk));
        let asks = |name: &str| {
            matches!(
                kind(name),
                Some((IntentKind::Answer | IntentKind::Excluded, false) | (IntentKind::RequestHuman, _))
            )
        };
        let grave = |name: &str| kind(name).is_some_and(|(kind, _)| kind.is_grave());
        match (asks(first) || grave(first), asks(second)) {
            (true, true) if !grave(first) => Meaning::Either(first.to_owned(), second.to_owned()),
            (true, _) => Meaning::Intent(first.to_owned()),
            (false, true) => Meaning::Intent(second.to_owned()),
            (false, false) => Meaning::Unknown,
        }
    }
}
