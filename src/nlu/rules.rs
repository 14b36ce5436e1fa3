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
use std::collections::{BTreeSet, HashMap};

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

/// The words of each intent's phrases, found by the word: there are tens of thousands of phrases, and a server that
/// falls back to rules is one that has no time.
pub(crate) struct Rules {
    intents: Vec<String>,
    phrases: Vec<Phrase>,
    words: HashMap<String, Word>,
}

struct Phrase {
    /// Index into the intents.
    intent: usize,
    /// Sum of its words' weights.
    weight: f32,
}

struct Word {
    /// How telling it is: high for words that few intents use.
    weight: f32,
    /// Indices of the phrases that have it.
    phrases: Vec<usize>,
}

/// Weight of a word that no phrase has.
const UNKNOWN: f32 = 1.0;

impl Rules {
    /// Learns the words of the example phrases.
    pub(crate) fn learn(intents: &[IntentExamples]) -> Self {
        let mut words: HashMap<String, Word> = HashMap::new();
        let (mut phrases, mut contents) = (Vec::new(), Vec::new());
        for (number, intent) in intents.iter().enumerate() {
            for phrase in &intent.phrases {
                let content = content(phrase);
                for word in &content {
                    let word = words.entry(word.clone()).or_insert(Word { weight: 0.0, phrases: Vec::new() });
                    word.phrases.push(phrases.len());
                }
                phrases.push(Phrase { intent: number, weight: 0.0 });
                contents.push(content);
            }
        }
        let all = intents.len() as f32;
        for word in words.values_mut() {
            let mut users: Vec<usize> = word.phrases.iter().map(|phrase| phrases[*phrase].intent).collect();
            users.dedup(); // phrases stand intent by intent
            word.weight = (1.0 + all / users.len() as f32).ln();
        }
        for (phrase, content) in phrases.iter_mut().zip(contents) {
            phrase.weight = content.iter().filter_map(|word| words.get(word)).map(|word| word.weight).sum();
        }
        Self { intents: intents.iter().map(|intent| intent.name.clone()).collect(), phrases, words }
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
        let (mut total, mut shared) = (0.0, vec![0.0_f32; self.phrases.len()]);
        for word in content(text) {
            let Some(word) = self.words.get(&word) else {
                total += UNKNOWN;
                continue;
            };
            total += word.weight;
            word.phrases.iter().for_each(|phrase| shared[*phrase] += word.weight);
        }
        let mut best = vec![0.0_f32; self.intents.len()];
        for (phrase, shared) in self.phrases.iter().zip(shared).filter(|(_, shared)| *shared > 0.0) {
            best[phrase.intent] = best[phrase.intent].max(shared / (total + phrase.weight - shared));
        }
        let mut scores: Vec<IntentScore> = self
            .intents
            .iter()
            .zip(best)
            .filter(|(_, similarity)| *similarity > 0.0)
            .map(|(name, similarity)| IntentScore { name: name.clone(), probability: 0.0, similarity })
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
