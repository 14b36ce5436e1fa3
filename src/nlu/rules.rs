//! The keyword model: what candor reads with when the transformer is missing, late or overloaded.
//!
//! Coarse by design, but it never fails and takes microseconds. Its output has the same shape as
//! the model's, so nothing downstream asks which one spoke (it is written down in `source`).

use super::IntentExamples;
use super::heads::{sigmoid, softmax};
use super::language::detect_language;
use super::lexicon::{self, BAD, CONTEMPT, NEGATION, SWEARING, THANKS};
use super::sentences::sentences;
use super::surface::{CUES, cues};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, IntentScore, Sentiment, Source};
use std::collections::{BTreeMap, BTreeSet};

/// Probability from which a turn counts as frustrated.
pub(crate) const FRUSTRATED: f32 = 0.60;
/// Version of the lists and weights below; counts up when they change.
pub(crate) const VERSION: &str = "rules-1";

/// A negation this many words back or less turns a word round.
const NEGATION_REACH: usize = 3;
/// Intents that an analysis lists.
const LISTED: usize = 8;
/// Scores of frustration per cue, in the order of [`CUES`], and where they start from.
const FRUSTRATION: [f32; CUES.len()] = [2.2, 0.6, 1.0, 0.2, 2.2, 1.8, 3.2, -2.6, 0.6, 0.3, 0.0];
/// A text without any cue is calm.
const CALM: f32 = -2.6;
/// Words that say nothing about the intent.
const FILLER: &[&str] = &[
    "a", "about", "am", "an", "and", "are", "at", "be", "been", "can", "could", "d", "did", "do", "does", "for",
    "from", "had", "has", "have", "hello", "hey", "hi", "how", "i", "if", "in", "is", "it", "just", "ll", "m", "me",
    "my", "of", "on", "or", "please", "re", "s", "so", "t", "that", "the", "there", "this", "to", "ve", "was", "what",
    "will", "with", "would", "you", "your",
];

/// Keyword lists and the words of each intent's phrases.
pub(crate) struct Rules {
    intents: Vec<(String, Vec<BTreeSet<String>>)>,
    /// How telling a word is: high for words that few intents use.
    weights: BTreeMap<String, f32>,
}

impl Rules {
    /// Learns the words of the example phrases.
    pub(crate) fn learn(intents: &[IntentExamples]) -> Self {
        let intents: Vec<(String, Vec<BTreeSet<String>>)> = intents
            .iter()
            .map(|intent| (intent.name.clone(), intent.phrases.iter().map(|phrase| content(phrase)).collect()))
            .collect();
        let mut used_by: BTreeMap<String, usize> = BTreeMap::new();
        for (_, phrases) in &intents {
            for word in phrases.iter().flatten().collect::<BTreeSet<_>>() {
                *used_by.entry(word.clone()).or_default() += 1;
            }
        }
        let all = intents.len() as f32;
        let weights = used_by.into_iter().map(|(word, count)| (word, (1.0 + all / count as f32).ln())).collect();
        Self { intents, weights }
    }

    /// Reads one text; never fails.
    pub(crate) fn analyze(&self, text: &str) -> Analysis {
        let words = lexicon::words(text);
        let cues = cues(text);
        let sentiment = sentiment(&words, &cues);
        let score: f32 = CALM + FRUSTRATION.iter().zip(cues).map(|(weight, cue)| weight * cue).sum::<f32>();
        Analysis {
            source: Source::Rules,
            version: VERSION.to_owned(),
            emotions: emotions(&words, sentiment),
            frustration: sigmoid(score),
            sentiment,
            language: detect_language(text),
            supported: true,
            intents: self.rank(text),
            trust: 0.0,
            sentences: sentences(text).into_iter().map(|sentence| self.rank(sentence)).collect(),
            wish: None,
            evidence: None,
        }
    }

    /// Intents by the weighted share of words that the text and the best phrase have in common.
    fn rank(&self, text: &str) -> Vec<IntentScore> {
        let asked = content(text);
        let weight = |words: &mut dyn Iterator<Item = &String>| {
            words.map(|word| self.weights.get(word).copied().unwrap_or(1.0)).sum::<f32>()
        };
        let total = weight(&mut asked.iter());
        let overlap = |phrase: &BTreeSet<String>| {
            let shared = weight(&mut asked.intersection(phrase));
            let union = total + weight(&mut phrase.iter()) - shared;
            if union > 0.0 { shared / union } else { 0.0 }
        };
        let mut scores: Vec<IntentScore> = self
            .intents
            .iter()
            .map(|(name, phrases)| {
                let similarity = phrases.iter().map(overlap).fold(0.0, f32::max);
                IntentScore { name: name.clone(), probability: 0.0, similarity }
            })
            .filter(|score| score.similarity > 0.0)
            .collect();
        // Fixed scores for "none of these" beside the overlaps: one shared word is not an answer.
        let powers: Vec<f32> = scores.iter().map(|score| (12.0 * score.similarity).exp()).collect();
        let sum: f32 = powers.iter().sum::<f32>() + (12.0_f32 * 0.3).exp();
        scores.iter_mut().zip(powers).for_each(|(score, power)| score.probability = power / sum);
        scores.sort_by(|left, right| right.similarity.total_cmp(&left.similarity));
        scores.truncate(LISTED);
        scores
    }
}

/// The words of a text that say something about its intent, plural endings cut off.
fn content(text: &str) -> BTreeSet<String> {
    let all = lexicon::words(text);
    let telling = all.iter().filter(|word| !FILLER.contains(&word.as_str()));
    telling
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() > 3 && !stem.ends_with('s') => stem.to_owned(),
            _ => word.clone(),
        })
        .collect()
}

fn sentiment(words: &[String], cues: &[f32; CUES.len()]) -> Sentiment {
    let (mut good, mut bad) = (0.0_f32, 0.0_f32);
    for at in lexicon::matches(words, THANKS) {
        if is_negated(words, at) { bad += 1.0 } else { good += 1.0 }
    }
    for at in lexicon::matches(words, BAD) {
        if is_negated(words, at) { good += 0.5 } else { bad += 1.0 }
    }
    bad += 1.5 * lexicon::matches(words, CONTEMPT).len() as f32;
    // Swearing strengthens what is there: "bloody brilliant" is praise.
    let strength = 1.0 + 0.5 * lexicon::matches(words, SWEARING).len() as f32 + cues[0] + cues[1];
    let scores = softmax(&[1.3 * bad.min(3.0) * strength, 1.2, 1.3 * good.min(3.0) * strength]);
    Sentiment { negative: scores[0], neutral: scores[1], positive: scores[2] }
}

fn is_negated(words: &[String], at: usize) -> bool {
    words[at.saturating_sub(NEGATION_REACH)..at].iter().any(|word| NEGATION.contains(&word.as_str()))
}

/// A few emotions that single words give away; the rest stay at a low base rate.
fn emotions(words: &[String], sentiment: Sentiment) -> Vec<f32> {
    const SIGNS: [(&str, &[&str]); 9] = [
        ("gratitude", &["thank", "thanks", "thx", "grateful", "appreciate", "appreciated", "cheers", "ta"]),
        ("love", &["love", "loved", "adore"]),
        ("joy", &["happy", "glad", "delighted", "pleased", "thrilled", "yay"]),
        ("anger", &["angry", "furious", "hate", "livid", "fuming"]),
        ("annoyance", &["annoyed", "annoying", "frustrated", "frustrating", "ridiculous", "fed up", "useless"]),
        ("disappointment", &["disappointed", "disappointing", "let down", "unhappy"]),
        ("sadness", &["sad", "upset", "gutted", "crying"]),
        ("confusion", &["confused", "confusing", "don t understand", "no idea", "unclear"]),
        ("remorse", &["sorry", "apologies", "my fault"]),
    ];
    EMOTIONS
        .iter()
        .map(|name| {
            let signs = SIGNS.iter().find(|(sign, _)| sign == name);
            match signs {
                Some((_, list)) if !lexicon::matches(words, list).is_empty() => 0.7,
                _ if *name == "neutral" => sentiment.neutral,
                _ => 0.02,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let intent = |name: &str, phrases: &[&str]| IntentExamples {
            name: name.to_owned(),
            phrases: phrases.iter().map(|phrase| (*phrase).to_owned()).collect(),
            ..IntentExamples::default()
        };
        Rules::learn(&[
            intent("delivery_time", &["how long does delivery take", "when will my parcel arrive"]),
            intent("refund_time", &["how long does a refund take", "when do I get my money back"]),
            intent("opening_hours", &["when are you open", "what are your opening hours"]),
        ])
    }

    #[test]
    fn anger_at_the_service_is_frustration_and_a_calm_report_is_not() {
        let frustration = |text: &str| rules().analyze(text).frustration;
        for text in [
            "this is the third time I ask, useless bot",
            "ARE YOU STUPID?! STILL NO ANSWER",
            "what a joke, I already told you twice, fed up with this shit",
        ] {
            assert!(frustration(text) > 0.6, "{text}: {}", frustration(text));
        }
        for text in [
            "my parcel arrived broken, what can I do?",
            "hi, how long does delivery take",
            "fucking brilliant, thank you so much",
            "",
        ] {
            assert!(frustration(text) < 0.4, "{text}: {}", frustration(text));
        }
    }

    #[test]
    fn polarity_follows_words_and_negation() {
        let read = |text: &str| rules().analyze(text).sentiment;
        assert!(read("thanks, that was really helpful").positive > 0.6);
        assert!(read("the zip is broken and I am upset").negative > 0.6);
        assert!(read("not happy with this").negative > read("happy with this").negative);
        assert!(read("what are your opening hours").neutral > 0.5);
    }

    #[test]
    fn intents_come_from_shared_words() {
        let ranked = rules().analyze("how long does the delivery take?").intents;
        assert_eq!(ranked[0].name, "delivery_time");
        assert!(ranked[0].probability > 0.6 && ranked[0].similarity > 0.9, "{ranked:?}");
        let nothing = rules().analyze("do you like bananas").intents;
        assert!(nothing.first().is_none_or(|score| score.probability < 0.2), "{nothing:?}");
    }

    #[test]
    fn every_probability_is_one() {
        for text in ["", "!!!", "thanks", "I HATE THIS bloody thing, refund me now"] {
            let analysis = rules().analyze(text);
            let Sentiment { negative, neutral, positive } = analysis.sentiment;
            assert!((negative + neutral + positive - 1.0).abs() < 1e-5);
            assert_eq!(analysis.emotions.len(), EMOTIONS.len());
            assert!(analysis.emotions.iter().chain([&analysis.frustration]).all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
