//! Everything that is fitted on the example phrases of one set of prompts, as one value.
//!
//! A text is read with the value that its caller holds, so whoever replaces the prompts while texts wait never has
//! the phrases of one set ranked by the fit of another. Knows nothing of what an intent leads to.

use super::IntentExamples;
use super::bert::fit_key;
use super::intent::{IntentMatcher, Ranking};
use super::rules::Rules;
use super::spelling::Spelling;

/// What intents are read by. Made by [`super::Nlu::fit`], or of words alone; never changes afterwards.
pub struct Intents {
    /// Digest of the names and phrases that all of it is made of.
    key: String,
    rules: Rules,
    spelling: Spelling,
    /// None where no model compares meanings.
    matcher: Option<IntentMatcher>,
}

impl Intents {
    /// What words alone tell of these intents, for as long as no model compares meanings.
    #[must_use]
    pub fn of_words(intents: &[IntentExamples]) -> Self {
        Self::new(intents, None)
    }

    /// Takes the matcher that was fitted on these intents, and learns their words.
    pub(crate) fn new(intents: &[IntentExamples], matcher: Option<IntentMatcher>) -> Self {
        Self {
            key: fit_key("", intents),
            rules: Rules::learn(intents),
            spelling: Spelling::learn(intents.iter().flat_map(|intent| &intent.phrases).map(String::as_str)),
            matcher,
        }
    }

    /// Whether they were fitted on just these names and phrases, in this order: then another fit would be the same.
    #[must_use]
    pub fn are_of(&self, intents: &[IntentExamples]) -> bool {
        self.key == fit_key("", intents)
    }

    /// Digest of the names and phrases.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The keyword rules.
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The words of the phrases.
    pub(crate) fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// The best-fitting intents of a text with this meaning.
    pub(crate) fn rank(&self, text: &str, meaning: &[f32]) -> Ranking {
        self.matcher.as_ref().map_or_else(Ranking::default, |matcher| matcher.rank(text, meaning))
    }
}
