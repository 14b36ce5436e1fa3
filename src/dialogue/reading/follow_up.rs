//! A short message that leans on the answer before it: "and to Canada?", "how long does that take?".
//!
//! What the message says by itself stands if it says it surely. Where it does not, only what belongs
//! to the topic of the last answer is looked at, and less is asked for.

use super::{Context, How, Meaning};
use crate::dialogue::prompts::Intent;
use crate::dialogue::rules::Cue;
use crate::domain::IntentScore;

/// A longer message says by itself what it is about.
const MOST_WORDS: usize = 12;
/// How many turns back the answer may be: a pleasantry may stand in between.
const REACH: usize = 2;

impl Context<'_> {
    /// What a follow-up is about; none if it is no follow-up, or says by itself what it means.
    pub(super) fn of_follow_up(&self) -> Option<(Meaning, How)> {
        let short = self.text.split_whitespace().count() <= MOST_WORDS;
        let topic = self.topic().filter(|_| short)?;
        let (alone, _) = self.of_gates();
        if matches!(&alone, Meaning::Intent(name) if self.leads_to_person(name)) {
            return None;
        }
        let declared =
            topic.follow_ups.iter().find(|known| known.patterns.iter().any(|pattern| pattern.is_match(self.text)));
        if let Some(known) = declared {
            return Some((Meaning::Intent(known.to.clone()), How::FollowUp));
        }
        let unclear = match &alone {
            Meaning::Intent(name) => !self.asks(name),
            Meaning::Both(..) => false,
            _ => true,
        };
        if !unclear || !(self.has(Cue::FollowUp) || self.has(Cue::Refers)) {
            return None;
        }
        self.within(topic).map(|score| (Meaning::Intent(score.name.clone()), How::FollowUp))
    }

    /// The intent that was answered last.
    fn topic(&self) -> Option<&Intent> {
        let latest = self.turn.before.history.iter().rev().take(REACH).filter_map(|past| past.intent.as_deref());
        latest.filter(|name| self.asks(name)).find_map(|name| self.prompts.intent(name))
    }

    /// The best of the topic's own intents, if it is far enough ahead of the others in the topic.
    fn within(&self, topic: &Intent) -> Option<&IntentScore> {
        let belongs = |score: &&IntentScore| {
            let intent = self.prompts.intent(&score.name);
            self.asks(&score.name)
                && (topic.related.contains(&score.name) || intent.is_some_and(|intent| intent.topic == topic.topic))
        };
        let own = || self.analysis.intents.iter().filter(belongs);
        let gates = &self.prompts.policy().follow_up;
        let best = own().max_by(|a, b| a.probability.total_cmp(&b.probability))?;
        let all: f32 = own().map(|score| score.probability).sum();
        let sound = best.probability >= gates.probability
            && best.similarity >= gates.similarity
            && best.probability >= gates.share * all;
        sound.then_some(best)
    }
}
