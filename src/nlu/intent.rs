//! Which intent a text has: a classifier fitted on the example phrases when the server starts, or
//! before, if it was remembered what fitting those same phrases gave.
//!
//! Multinomial logistic regression, with a hidden layer below it where hundreds of phrases are known, on two layers of the sentence encoder and the
//! wording, with a bonus for the intent whose example is nearest. An intent's own name is one more
//! example: it says in two words what the phrases have in common. Probabilities are sharpened by
//! one temperature. Beside them stands how far the best intent may be trusted: a classifier must
//! choose something, so a second, small regression learns from phrases that were held out, some of
//! them with their whole intent, when the choice was right. Whether that is good enough is not
//! decided here.

use super::examples::{Centres, Examples};
use super::heads::{dot, sigmoid, softmax};
use super::regression::{Fitted, Regression, fit_logistic};
use super::wording::{self, Wording};
use crate::domain::{IntentScore, OTHER};
use candle_core::{Error, Result};

/// Version of the fitting method. To be raised whenever the same phrases would be fitted otherwise than before,
/// by a change here, in `regression.rs` or `wording.rs`: a fit that was remembered is then no longer used.
pub(crate) const FIT_VERSION: u32 = 2;
/// Pull of the trust's weights to zero, against the summed loss.
const TRUST_PULL: f64 = 0.5;
/// What the layer below the last counts against the last one.
const LOWER: f32 = 0.7;
/// What one unit of cosine to the nearest example counts, against scores of deviation 1: one of these.
const NEAREST: [f32; 4] = [1.5, 3.0, 4.5, 6.0];
/// Rounds of holding out: in each another third of the intents is unknown, and half of the other
/// phrases are asked.
const ROUNDS: usize = 3;
/// What a held-out phrase of an unknown intent counts: they are half of the phrases asked, and one
/// question in eleven is a fair guess of what people ask a bot that it does not know.
const UNKNOWN: f32 = 0.10;
/// Scores are multiplied by one of these.
const SHARPNESS: [f32; 10] = [0.5, 0.7, 1.0, 1.4, 1.8, 2.4, 3.2, 4.2, 5.6, 7.5];
/// Intents that an analysis lists.
const LISTED: usize = 8;
/// Fewer phrases than this cannot teach when to trust.
const FEWEST: usize = 12;
/// Trust at which an intent counts as recognised where nothing else is asked for.
pub(crate) const TRUSTED: f32 = 0.5;

/// An example phrase.
#[derive(Clone, Debug)]
pub(crate) struct Phrase {
    /// The text.
    pub(crate) text: String,
    /// Its meaning: two layers of equal width, the last one last, each of length 1.
    pub(crate) meaning: Vec<f32>,
    /// Index of its intent.
    pub(crate) intent: usize,
    /// Whether it is one of the many that were heard, not an example that somebody wrote for the intent.
    pub(crate) heard: bool,
}

/// What the matcher says about a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ranking {
    /// The best-fitting intents, best first, at most eight.
    pub(crate) intents: Vec<IntentScore>,
    /// Probability that the best one is meant, 0 to 1: low as well where the text is about none of them.
    pub(crate) trust: f32,
}

/// What fitting finds out: all of a classifier that cannot be read off the phrases at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IntentFit {
    /// The regression.
    pub(crate) regression: Fitted,
    /// What a near example counts against the scores.
    pub(crate) near: f32,
    /// Factor of the scores.
    pub(crate) sharpness: f32,
    /// Weights of the trust.
    pub(crate) trust: Vec<f32>,
    /// What stands for the phrases that were heard.
    pub(crate) centres: Centres,
}

/// The fitted classifier.
pub(crate) struct IntentMatcher {
    names: Vec<String>,
    wording: Wording,
    /// Index of what means none of the intents, where such phrases were heard.
    other: Option<usize>,
    regression: Regression,
    near: f32,
    sharpness: f32,
    /// Weights of [`signs`], the last one the bias.
    trust: Vec<f32>,
    centres: Centres,
    examples: Examples,
}

impl IntentMatcher {
    /// Fits the classifier on phrases. Without phrases it never matches.
    ///
    /// # Errors
    /// If the tensor library refuses, for example meanings of different widths.
    pub(crate) fn fit(names: Vec<String>, phrases: &[Phrase]) -> Result<Self> {
        let mut matcher = Self::unfitted(names, phrases, Centres::fit(phrases.iter()))?;
        if phrases.is_empty() {
            matcher.names.clear();
            return Ok(matcher);
        }
        let inputs: Vec<Vec<f32>> = phrases.iter().map(|phrase| matcher.input(&phrase.text, &phrase.meaning)).collect();
        let owners: &[usize] = &phrases.iter().map(|phrase| phrase.intent).collect::<Vec<_>>();
        let all: Vec<usize> = (0..inputs.len()).collect();
        let classes = matcher.names.len();
        // Four fits that know nothing of one another.
        std::thread::scope(|scope| {
            let whole = scope.spawn(|| Regression::fit(&inputs, owners, &all, classes));
            let calibrated = matcher.calibrate(phrases, owners, &inputs)?;
            let regression = whole.join().map_err(|_| Error::msg("the fit panicked"))??;
            Ok::<_, Error>((regression, calibrated))
        })
        .map(|(regression, (near, sharpness, trust))| Self { regression, near, sharpness, trust, ..matcher })
    }

    /// The classifier that fitting these phrases, and others that were heard, gave before; none if the fit is not one of so many intents and
    /// meanings of this width.
    ///
    /// # Errors
    /// As [`IntentMatcher::fit`].
    pub(crate) fn restore(names: Vec<String>, phrases: &[Phrase], fit: &IntentFit) -> Result<Option<Self>> {
        let meaning = phrases.first().map_or(0, |phrase| phrase.meaning.len());
        let width = meaning + wording::WIDTH;
        let numbers = fit.trust.iter().chain(&fit.centres.rows).chain([&fit.sharpness, &fit.near]);
        let sound = fit.regression.shape() == (width, names.len())
            && fit.trust.len() == SIGNS
            && fit.sharpness > 0.0
            && fit.centres.rows.len() == fit.centres.owners.len() * meaning / 2
            && fit.centres.owners.iter().all(|owner| *owner < names.len())
            && numbers.into_iter().all(|number| number.is_finite());
        let Some(regression) = Regression::restore(&fit.regression).filter(|_| sound) else {
            return Ok(None);
        };
        let unfitted = Self::unfitted(names, phrases, fit.centres.clone())?;
        let IntentFit { near, sharpness, trust, .. } = fit.clone();
        Ok(Some(Self { regression, near, sharpness, trust, ..unfitted }))
    }

    /// What [`IntentMatcher::restore`] needs beside the phrases.
    pub(crate) fn fitted(&self) -> IntentFit {
        IntentFit {
            regression: self.regression.fitted(),
            near: self.near,
            sharpness: self.sharpness,
            trust: self.trust.clone(),
            centres: self.centres.clone(),
        }
    }

    /// What is read off the phrases at once. The wording is learnt from those that somebody wrote: the words of
    /// the others are too many to be told by.
    fn unfitted(names: Vec<String>, phrases: &[Phrase], centres: Centres) -> Result<Self> {
        let written = phrases.iter().filter(|phrase| !phrase.heard);
        Ok(Self {
            wording: Wording::learn(&written.map(|phrase| phrase.text.as_str()).collect::<Vec<_>>()),
            other: names.iter().position(|name| name == OTHER),
            names,
            regression: Regression::default(),
            near: NEAREST[0],
            sharpness: 1.0,
            trust: Vec::new(),
            examples: Examples::new(phrases.iter(), &centres)?,
            centres,
        })
    }

    /// The best-fitting intents of a text with this meaning. What means none of them is not listed, but takes its
    /// share of the probability.
    pub(crate) fn rank(&self, text: &str, meaning: &[f32]) -> Ranking {
        if self.names.is_empty() {
            return Ranking::default();
        }
        let nearest = self.examples.nearest(meaning, self.names.len());
        let scores = combine(&self.regression.scores(&self.input(text, meaning)), &nearest, self.near);
        let probabilities = softmax(&scores.iter().map(|score| score * self.sharpness).collect::<Vec<_>>());
        let mut order: Vec<usize> = (0..self.names.len()).filter(|intent| Some(*intent) != self.other).collect();
        order.sort_by(|left, right| probabilities[*right].total_cmp(&probabilities[*left]));
        let Some(best) = order.first().copied() else { return Ranking::default() };
        let score = |intent: &usize| IntentScore {
            name: self.names[*intent].clone(),
            probability: probabilities[*intent],
            similarity: nearest[*intent],
        };
        let intents: Vec<IntentScore> = order.iter().take(LISTED).map(score).collect();
        let signs = signs(best, &probabilities, &nearest);
        Ranking { intents, trust: sigmoid(dot(&self.trust, &signs)) }
    }

    /// What the regression reads of a text.
    fn input(&self, text: &str, meaning: &[f32]) -> Vec<f32> {
        let (lower, last) = meaning.split_at(meaning.len() / 2);
        lower.iter().map(|value| LOWER * value).chain(last.iter().copied()).chain(self.wording.fold(text)).collect()
    }

    /// Chooses what a near example counts and the sharpness under which held-out phrases of known intents surprise
    /// least, then fits the trust on held-out phrases of known and unknown ones.
    fn calibrate(&self, phrases: &[Phrase], owners: &[usize], inputs: &[Vec<f32>]) -> Result<(f32, f32, Vec<f32>)> {
        let mut place = vec![0_usize; self.names.len()];
        let places: Vec<usize> = owners
            .iter()
            .map(|intent| {
                place[*intent] += 1;
                place[*intent]
            })
            .collect();
        let ask = |round: usize| -> Result<Vec<Held>> {
            let unknown = |index: &usize| owners[*index] % ROUNDS == round && Some(owners[*index]) != self.other;
            let held = |index: &usize| unknown(index) || places[*index] % 2 == round % 2;
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..inputs.len()).partition(held);
            if kept.len() < FEWEST / ROUNDS {
                return Ok(Vec::new());
            }
            let regression = Regression::fit(inputs, owners, &kept, self.names.len())?;
            let known = || kept.iter().map(|index| &phrases[*index]);
            let examples = Examples::new(known(), &Centres::fit(known()))?;
            let one = |index: usize| Held {
                scores: regression.scores(&inputs[index]),
                nearest: examples.nearest(&phrases[index].meaning, self.names.len()),
                truth: (!unknown(&index)).then_some(owners[index]),
            };
            Ok(held.into_iter().map(one).collect())
        };
        let mut asked: Vec<Held> = Vec::new();
        std::thread::scope(|scope| {
            let rounds: Vec<_> = (0..ROUNDS).map(|round| scope.spawn(move || ask(round))).collect();
            for round in rounds {
                asked.extend(round.join().map_err(|_| Error::msg("the fit panicked"))??);
            }
            Ok::<_, Error>(())
        })?;
        let loss = |(near, factor): (f32, f32)| -> f64 {
            let known = asked.iter().filter_map(|held| Some((held, held.truth?)));
            known.map(|(held, truth)| -f64::from(held.shares(near, factor)[truth].max(1e-9).ln())).sum()
        };
        let settings = NEAREST.into_iter().flat_map(|near| SHARPNESS.map(|factor| (near, factor)));
        let losses = settings.map(|setting| (setting, loss(setting)));
        let least = losses.min_by(|left, right| left.1.total_cmp(&right.1));
        let (near, sharpness) = least.map_or((NEAREST[0], 1.0), |(setting, _)| setting);
        let mut rows = Vec::new();
        for held in &asked {
            let shares = held.shares(near, sharpness);
            let named = (0..shares.len()).filter(|intent| Some(*intent) != self.other);
            let best = named.max_by(|left, right| shares[*left].total_cmp(&shares[*right])).unwrap_or(0);
            let counts = if held.truth.is_none() { UNKNOWN } else { 1.0 };
            rows.push((signs(best, &shares, &held.nearest).to_vec(), held.truth == Some(best), counts));
        }
        // Too few phrases: trust a clear lead and a near example.
        let trust = if rows.len() < FEWEST {
            vec![0.0, 2.0, 6.0, -4.0]
        } else {
            fit_logistic(&rows, &[(0.0, TRUST_PULL); SIGNS])
        };
        Ok((near, sharpness, trust))
    }
}

/// A held-out phrase.
struct Held {
    scores: Vec<f32>,
    /// The nearest example of each intent.
    nearest: Vec<f32>,
    /// Its intent, if that was known.
    truth: Option<usize>,
}

impl Held {
    fn shares(&self, near: f32, sharpness: f32) -> Vec<f32> {
        let scores = combine(&self.scores, &self.nearest, near);
        softmax(&scores.iter().map(|score| score * sharpness).collect::<Vec<_>>())
    }
}

/// Scores of deviation 1 with the bonus for near examples.
fn combine(scores: &[f32], nearest: &[f32], near: f32) -> Vec<f32> {
    scores.iter().zip(nearest).map(|(score, cosine)| score + near * cosine).collect()
}

/// Numbers that trust goes by.
const SIGNS: usize = 4;

/// What trust goes by: the logit of the best intent's probability, its lead over all else, its nearest example, and 1.
fn signs(best: usize, shares: &[f32], nearest: &[f32]) -> [f32; SIGNS] {
    let share = shares[best];
    let second = (0..shares.len()).filter(|at| *at != best).map(|at| shares[at]).fold(0.0, f32::max);
    let logit = (share.max(1e-3) / (1.0 - share).max(1e-3)).ln();
    [logit, share - second, nearest[best], 1.0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::encoder::normalise;

    /// Three intents around three axes, with some spread; the wording does not matter.
    fn phrases() -> Vec<Phrase> {
        let phrase = |at: usize| {
            let mut vector = vec![0.05 * ((at * 7) % 5) as f32; 6];
            vector[at % 3] += 1.0;
            vector[3 + at % 2] += 0.2;
            normalise(&mut vector);
            Phrase { text: format!("phrase {}", at % 5), meaning: vector.repeat(2), intent: at % 3, heard: false }
        };
        (0..30).map(phrase).collect()
    }

    fn names() -> Vec<String> {
        ["refund", "delivery", "sizes"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_right_intent_comes_first_and_is_trusted() {
        let matcher = IntentMatcher::fit(names(), &phrases()).unwrap();
        for phrase in phrases() {
            let ranked = matcher.rank(&phrase.text, &phrase.meaning);
            assert_eq!(ranked.intents[0].name, names()[phrase.intent]);
            assert!(ranked.intents[0].probability > 0.8, "{ranked:?}");
            assert!(ranked.intents[0].similarity > 0.999, "the phrase itself is its nearest example");
            assert!(ranked.trust > TRUSTED, "{ranked:?}");
            let total: f32 = ranked.intents.iter().map(|score| score.probability).sum();
            assert!((total - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn something_else_altogether_is_near_nothing_and_not_trusted() {
        let matcher = IntentMatcher::fit(names(), &phrases()).unwrap();
        let ranked = matcher.rank("", &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0].repeat(2));
        assert!(ranked.intents.iter().all(|score| score.similarity < 0.3), "{ranked:?}");
        assert!(ranked.trust < TRUSTED, "{ranked:?}");
    }

    #[test]
    fn a_remembered_fit_ranks_as_a_fresh_one() {
        let fresh = IntentMatcher::fit(names(), &phrases()).unwrap();
        let restored = IntentMatcher::restore(names(), &phrases(), &fresh.fitted()).unwrap().unwrap();
        for phrase in phrases() {
            for text in [&*phrase.text, "something else"] {
                assert_eq!(restored.rank(text, &phrase.meaning), fresh.rank(text, &phrase.meaning));
            }
        }
    }

    #[test]
    fn a_fit_of_other_shapes_or_without_numbers_is_not_restored() {
        let fit = IntentMatcher::fit(names(), &phrases()).unwrap().fitted();
        let restores = |names: Vec<String>, change: fn(&mut IntentFit)| {
            let mut fit = fit.clone();
            change(&mut fit);
            IntentMatcher::restore(names, &phrases(), &fit).unwrap().is_some()
        };
        assert!(restores(names(), |_| {}));
        assert!(!restores(names()[1..].to_vec(), |_| {}));
        assert!(!restores(Vec::new(), |fit| fit.regression.classes.bias.clear()));
        assert!(!restores(names(), |fit| fit.regression.classes.weights.truncate(10)));
        assert!(!restores(names(), |fit| fit.regression.classes.bias.truncate(1)));
        assert!(!restores(names(), |fit| fit.regression.classes.weights[3] = f32::NAN));
        assert!(!restores(names(), |fit| fit.regression.deviation = 0.0));
        assert!(!restores(names(), |fit| fit.sharpness = f32::INFINITY));
        assert!(!restores(names(), |fit| fit.trust.truncate(3)));
    }

    #[test]
    fn without_phrases_nothing_matches() {
        let matcher = IntentMatcher::fit(Vec::new(), &[]).unwrap();
        assert_eq!(matcher.rank("refund", &[1.0, 0.0]), Ranking::default());
    }
}
