//! Which intent a text has: a classifier fitted on the example phrases when the server starts, or
//! before, if it was remembered what fitting those same phrases gave.
//!
//! Regularised multinomial logistic regression on two layers of the sentence encoder and the
//! wording, with a bonus for the intent whose example is nearest. An intent's own name is one more
//! example: it says in two words what the phrases have in common. Probabilities are sharpened by
//! one temperature. Beside them stands how far the best intent may be trusted: a classifier must
//! choose something, so a second, small regression learns from phrases that were held out, some of
//! them with their whole intent, when the choice was right. Whether that is good enough is not
//! decided here.

use super::heads::{dot, sigmoid, softmax};
use super::regression::{Fitted, Regression, fit_logistic};
use super::wording::{self, Wording};
use crate::domain::IntentScore;
use candle_core::{Error, Result};
use encoder::Table;

/// Version of the fitting method. To be raised whenever the same phrases would be fitted otherwise than before,
/// by a change here, in `regression.rs` or `wording.rs`: a fit that was remembered is then no longer used.
pub(crate) const FIT_VERSION: u32 = 1;
/// Pull of the trust's weights to zero, against the summed loss.
const TRUST_PULL: f64 = 0.5;
/// What the layer below the last counts against the last one.
const LOWER: f32 = 0.7;
/// What one unit of cosine to the nearest example counts, against scores of deviation 1.
const NEAREST: f32 = 1.5;
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
    /// Factor of the scores.
    pub(crate) sharpness: f32,
    /// Weights of the trust.
    pub(crate) trust: Vec<f32>,
}

/// The fitted classifier.
pub(crate) struct IntentMatcher {
    names: Vec<String>,
    wording: Wording,
    regression: Regression,
    sharpness: f32,
    /// Weights of [`signs`], the last one the bias.
    trust: Vec<f32>,
    examples: Examples,
}

/// Meanings of phrases to be near to.
struct Examples {
    /// The last layer's meanings.
    meanings: Table,
    /// The intent of each.
    owners: Vec<usize>,
}

impl Examples {
    fn new<'a>(phrases: impl Iterator<Item = &'a Phrase>) -> Result<Self> {
        let (mut meanings, mut owners, mut width) = (Vec::new(), Vec::new(), 1);
        for phrase in phrases {
            let last = last_layer(&phrase.meaning);
            width = last.len().max(1);
            meanings.extend_from_slice(last);
            owners.push(phrase.intent);
        }
        Ok(Self { meanings: Table::new(&meanings, width).map_err(Error::wrap)?, owners })
    }

    /// For each of so many intents the cosine of its nearest phrase, -1 if it has none.
    fn nearest(&self, meaning: &[f32], intents: usize) -> Vec<f32> {
        let mut nearest = vec![-1.0_f32; intents];
        for (cosine, owner) in self.meanings.products(last_layer(meaning)).into_iter().zip(&self.owners) {
            nearest[*owner] = nearest[*owner].max(cosine.clamp(-1.0, 1.0));
        }
        nearest
    }
}

/// The last layer's part of a meaning.
fn last_layer(meaning: &[f32]) -> &[f32] {
    &meaning[meaning.len() / 2..]
}

impl IntentMatcher {
    /// Fits the classifier on phrases. Without phrases it never matches.
    ///
    /// # Errors
    /// If the tensor library refuses, for example meanings of different widths.
    pub(crate) fn fit(names: Vec<String>, phrases: &[Phrase]) -> Result<Self> {
        let mut matcher = Self::unfitted(names, phrases)?;
        if phrases.is_empty() {
            matcher.names.clear();
            return Ok(matcher);
        }
        let inputs: Vec<Vec<f32>> = phrases.iter().map(|phrase| matcher.input(&phrase.text, &phrase.meaning)).collect();
        let owners = &matcher.examples.owners;
        let all: Vec<usize> = (0..inputs.len()).collect();
        let classes = matcher.names.len();
        // Four fits that know nothing of one another.
        std::thread::scope(|scope| {
            let whole = scope.spawn(|| Regression::fit(&inputs, owners, &all, classes));
            let (sharpness, trust) = matcher.calibrate(phrases, &inputs)?;
            let regression = whole.join().map_err(|_| Error::msg("the fit panicked"))??;
            Ok::<_, Error>((regression, sharpness, trust))
        })
        .map(|(regression, sharpness, trust)| Self { regression, sharpness, trust, ..matcher })
    }

    /// The classifier that fitting these phrases gave before; none if the fit is not one of so many intents and
    /// meanings of this width.
    ///
    /// # Errors
    /// As [`IntentMatcher::fit`].
    pub(crate) fn restore(names: Vec<String>, phrases: &[Phrase], fit: &IntentFit) -> Result<Option<Self>> {
        let width = phrases.first().map_or(0, |phrase| phrase.meaning.len() + wording::WIDTH);
        let sound = fit.regression.bias.len() == names.len()
            && fit.regression.weights.len() == names.len() * width
            && fit.trust.len() == SIGNS
            && fit.sharpness > 0.0
            && fit.trust.iter().chain([&fit.sharpness]).all(|number| number.is_finite());
        let Some(regression) = Regression::restore(&fit.regression).filter(|_| sound) else {
            return Ok(None);
        };
        let unfitted = Self::unfitted(names, phrases)?;
        Ok(Some(Self { regression, sharpness: fit.sharpness, trust: fit.trust.clone(), ..unfitted }))
    }

    /// What [`IntentMatcher::restore`] needs beside the phrases.
    pub(crate) fn fitted(&self) -> IntentFit {
        IntentFit { regression: self.regression.fitted(), sharpness: self.sharpness, trust: self.trust.clone() }
    }

    /// What is read off the phrases at once.
    fn unfitted(names: Vec<String>, phrases: &[Phrase]) -> Result<Self> {
        Ok(Self {
            wording: Wording::learn(&phrases.iter().map(|phrase| phrase.text.as_str()).collect::<Vec<_>>()),
            names,
            regression: Regression::default(),
            sharpness: 1.0,
            trust: Vec::new(),
            examples: Examples::new(phrases.iter())?,
        })
    }

    /// The best-fitting intents of a text with this meaning.
    pub(crate) fn rank(&self, text: &str, meaning: &[f32]) -> Ranking {
        if self.names.is_empty() {
            return Ranking::default();
        }
        let nearest = self.examples.nearest(meaning, self.names.len());
        let scores = combine(&self.regression.scores(&self.input(text, meaning)), &nearest);
        let probabilities = softmax(&scores.iter().map(|score| score * self.sharpness).collect::<Vec<_>>());
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|left, right| probabilities[*right].total_cmp(&probabilities[*left]));
        let score = |intent: &usize| IntentScore {
            name: self.names[*intent].clone(),
            probability: probabilities[*intent],
            similarity: nearest[*intent],
        };
        let intents: Vec<IntentScore> = order.iter().take(LISTED).map(score).collect();
        let second = order.get(1).map_or(0.0, |intent| probabilities[*intent]);
        let signs = signs(probabilities[order[0]], second, nearest[order[0]]);
        Ranking { intents, trust: sigmoid(dot(&self.trust, &signs)) }
    }

    /// What the regression reads of a text.
    fn input(&self, text: &str, meaning: &[f32]) -> Vec<f32> {
        let (lower, last) = meaning.split_at(meaning.len() / 2);
        lower.iter().map(|value| LOWER * value).chain(last.iter().copied()).chain(self.wording.fold(text)).collect()
    }

    /// Chooses the sharpness under which held-out phrases of known intents surprise least, then
    /// fits the trust on held-out phrases of known and unknown ones.
    fn calibrate(&self, phrases: &[Phrase], inputs: &[Vec<f32>]) -> Result<(f32, Vec<f32>)> {
        let owners = &self.examples.owners;
        let mut place = vec![0_usize; self.names.len()];
        let places: Vec<usize> = owners
            .iter()
            .map(|intent| {
                place[*intent] += 1;
                place[*intent]
            })
            .collect();
        let ask = |round: usize| -> Result<Vec<Held>> {
            let unknown = |index: &usize| owners[*index] % ROUNDS == round;
            let held = |index: &usize| unknown(index) || places[*index] % 2 == round % 2;
            let (held, kept): (Vec<usize>, Vec<usize>) = (0..inputs.len()).partition(held);
            if kept.len() < FEWEST / ROUNDS {
                return Ok(Vec::new());
            }
            let regression = Regression::fit(inputs, owners, &kept, self.names.len())?;
            let examples = Examples::new(kept.iter().map(|index| &phrases[*index]))?;
            let one = |index: usize| {
                let nearest = examples.nearest(&phrases[index].meaning, self.names.len());
                let scores = combine(&regression.scores(&inputs[index]), &nearest);
                (scores, nearest, (!unknown(&index)).then_some(owners[index]))
            };
            Ok(held.into_iter().map(one).collect())
        };
        let mut asked = Vec::new();
        std::thread::scope(|scope| {
            let rounds: Vec<_> = (0..ROUNDS).map(|round| scope.spawn(move || ask(round))).collect();
            for round in rounds {
                asked.extend(round.join().map_err(|_| Error::msg("the fit panicked"))??);
            }
            Ok::<_, Error>(())
        })?;
        let loss = |factor: f32| -> f64 {
            let known = asked.iter().filter_map(|(scores, _, truth)| Some((scores, (*truth)?)));
            let surprise = |(scores, truth): (&Vec<f32>, usize)| {
                let sharpened: Vec<f32> = scores.iter().map(|score| score * factor).collect();
                -f64::from(softmax(&sharpened)[truth].max(1e-9).ln())
            };
            known.map(surprise).sum()
        };
        let least = SHARPNESS.into_iter().min_by(|left, right| loss(*left).total_cmp(&loss(*right)));
        let sharpness = least.unwrap_or(1.0);
        let mut rows = Vec::new();
        for (scores, nearest, truth) in &asked {
            let shares = softmax(&scores.iter().map(|score| score * sharpness).collect::<Vec<_>>());
            let best = (0..shares.len()).max_by(|left, right| shares[*left].total_cmp(&shares[*right])).unwrap_or(0);
            let second = (0..shares.len()).filter(|at| *at != best).map(|at| shares[at]).fold(0.0, f32::max);
            let counts = if truth.is_none() { UNKNOWN } else { 1.0 };
            rows.push((signs(shares[best], second, nearest[best]).to_vec(), *truth == Some(best), counts));
        }
        // Too few phrases: trust a clear lead and a near example.
        let trust = if rows.len() < FEWEST {
            vec![0.0, 2.0, 6.0, -4.0]
        } else {
            fit_logistic(&rows, &[(0.0, TRUST_PULL); SIGNS])
        };
        Ok((sharpness, trust))
    }
}

/// A held-out phrase: its scores, the nearest examples by intent, and its intent if it was known.
type Held = (Vec<f32>, Vec<f32>, Option<usize>);

/// Scores of deviation 1 with the bonus for near examples.
fn combine(scores: &[f32], nearest: &[f32]) -> Vec<f32> {
    scores.iter().zip(nearest).map(|(score, near)| score + NEAREST * near).collect()
}

/// Numbers that trust goes by.
const SIGNS: usize = 4;

/// What trust goes by: the logit of the best probability, its lead, the nearest example, and 1.
fn signs(best: f32, second: f32, similarity: f32) -> [f32; SIGNS] {
    let logit = (best.max(1e-3) / (1.0 - best).max(1e-3)).ln();
    [logit, best - second, similarity, 1.0]
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
            Phrase { text: format!("phrase {}", at % 5), meaning: vector.repeat(2), intent: at % 3 }
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
        assert!(!restores(Vec::new(), |fit| fit.regression.bias.clear()));
        assert!(!restores(names(), |fit| fit.regression.weights.truncate(10)));
        assert!(!restores(names(), |fit| fit.regression.bias.truncate(1)));
        assert!(!restores(names(), |fit| fit.regression.weights[3] = f32::NAN));
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
