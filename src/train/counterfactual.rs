//! Support turns read again with a mention of who somebody is, or in another English, labels
//! unchanged: what has nothing to do with mood must not move it (counterfactual augmentation, Zhao
//! et al., 2018). Knows words and texts, not labels.

use crate::random::Random;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::Path;

/// The file of words and forms.
pub(crate) const FILE: &str = "identity.toml";
/// What stands for the word in a form.
const SLOT: &str = "{}";
/// A substitution of a dialect is made with this probability, as speakers mix.
const SUBSTITUTED: f32 = 0.75;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    forms: Vec<String>,
    endings: Vec<String>,
    words: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dialect {
    #[serde(rename = "name")]
    _name: String,
    replace: Vec<(String, String)>,
}

/// Words, forms and dialects.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counterfactuals {
    kind: Vec<Kind>,
    dialect: Vec<Dialect>,
}

impl Counterfactuals {
    /// Reads the file in the corpus folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let read: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let whole = |kind: &Kind| {
            !kind.words.is_empty()
                && !kind.forms.is_empty()
                && kind.forms.iter().chain(&kind.endings).all(|form| form.contains(SLOT))
        };
        ensure!(read.kind.iter().all(whole), "{}: a form without {SLOT}, or a kind without words", path.display());
        Ok(read)
    }

    /// The text with a word of one of the kinds mentioned before or after it; each kind in its turn.
    pub(crate) fn mention(&self, text: &str, turn: usize, random: &mut Random) -> String {
        let kind = &self.kind[turn % self.kind.len()];
        let word = &kind.words[random.below(kind.words.len())];
        let place = random.below(kind.forms.len() + kind.endings.len());
        match kind.forms.get(place) {
            Some(form) => form.replace(SLOT, word) + text,
            None => text.to_owned() + &kind.endings[place - kind.forms.len()].replace(SLOT, word),
        }
    }

    /// The text in one of the dialects, each in its turn; none if fewer than two words would change.
    pub(crate) fn speak(&self, text: &str, turn: usize, random: &mut Random) -> Option<String> {
        let dialect = &self.dialect[turn % self.dialect.len()];
        let words: Vec<&str> = text.split(' ').collect();
        let mut spoken: Vec<String> = Vec::with_capacity(words.len());
        let (mut at, mut changed) = (0, 0);
        while at < words.len() {
            let found = [3, 2, 1].into_iter().find_map(|length| {
                let phrase = words.get(at..at + length)?.join(" ");
                let bare = phrase.trim_end_matches(['.', ',', '!', '?', ';', ':']);
                let (_, other) = dialect.replace.iter().find(|(from, _)| *from == bare.to_lowercase())?;
                Some((length, other.clone() + &phrase[bare.len()..]))
            });
            match found.filter(|_| random.unit() < SUBSTITUTED) {
                Some((length, other)) => {
                    changed += 1;
                    at += length;
                    if !other.is_empty() {
                        spoken.push(other);
                    }
                }
                None => {
                    spoken.push(words[at].to_owned());
                    at += 1;
                }
            }
        }
        (changed >= 2).then(|| spoken.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counterfactuals() -> Counterfactuals {
        toml::from_str(
            "[[kind]]\nforms = [\"{} here. \"]\nendings = [\" - {}\"]\nwords = [\"Ada\"]\n\
             [[dialect]]\nname = \"x\"\nreplace = [[\"going to\", \"gon\"], [\"isn't\", \"ain't\"], [\"the\", \"\"]]",
        )
        .unwrap()
    }

    #[test]
    fn a_mention_leaves_the_text_whole() {
        let made = counterfactuals();
        let mut random = Random::new(3);
        for turn in 0..20 {
            let text = made.mention("where is it?", turn, &mut random);
            assert!(text == "Ada here. where is it?" || text == "where is it? - Ada", "{text}");
        }
    }

    #[test]
    fn whole_words_are_replaced_and_marks_stay() {
        let made = counterfactuals();
        let mut random = Random::new(3);
        let found: Vec<String> =
            (0..40).filter_map(|turn| made.speak("It isn't going to the shop, isn't.", turn, &mut random)).collect();
        assert!(found.contains(&"It ain't gon shop, ain't.".to_owned()), "{found:?}");
        assert!(made.speak("hello there", 0, &mut random).is_none());
    }
}
