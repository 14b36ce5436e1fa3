//! Which intent a text has: a classifier fitted, when the server starts, on the example phrases.
//!
//! Regularised multinomial logistic regression on two layers of the sentence encoder and the
//! wording, with a bonus for the intent whose example is nearest. An intent's own name is one more
//! example: it says in two words what the phrases have in common. Probabilities are sharpened by
//! one temperature. Beside them stands how far the best intent may be trusted: a classifier must
//! choose something, so a second, small regression learns from phrases that were held out, some of
//! them with their whole intent, when the choice was right. Whether that is good enough is not
//! decided here.

use super::heads::{dot, sigmoid, softmax};
use super::regression::{Regression, fit_logistic};
use super::wording::Wording;
use crate::domain::IntentScore;
use candle_core::{Error, Result};

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
const LISTED: usize = 5;
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
    /// The best-fitting intents, best first, at most five.
    pub(crate) intents: Vec<IntentScore>,
    /// Probability that the best one is meant, 0 to 1: low as well where the text is about none of them.
    pub(crate) trust: f32,
}

/// The fitted classifier.
pub(crate) struct IntentMatcher {
    names: Vec<String>,
    wording: Wording,
    regression: Regression,
    sharpness: f32,
    /// Weights of [`signs`], the last one the bias.
    trust: Vec<f32>,
    phrases: Vec<Phrase>,
}

impl IntentMatcher {
    /// Fits the classifier on phrases. Without phrases it never matches.
    ///
    /// # Errors
    /// If the tensor library refuses, for example meanings of different widths.
    pub(crate) fn fit(names: Vec<String>, phrases: Vec<Phrase>) -> Result<Self> {
        let wording = Wording::learn(&phrases.iter().map(|phrase| phrase.text.as_str()).collect::<Vec<_>>());
        let mut matcher =
            Self { names, wording, regression: Regression::default(), sharpness: 1.0, trust: Vec::new(), phrases };
        if matcher.phrases.is_empty() {
            matcher.names.clear();
            return Ok(matcher);
        }
        let inputs: Vec<Vec<f32>> =
            matcher.phrases.iter().map(|phrase| matcher.input(&phrase.text, &phrase.meaning)).collect();
        let owners: Vec<usize> = matcher.phrases.iter().map(|phrase| phrase.intent).collect();
        let all: Vec<usize> = (0..inputs.len()).collect();
        let classes = matcher.names.len();
        // Four fits that know nothing of one another.
        std::thread::scope(|scope| {
            let whole = scope.spawn(|| Regression::fit(&inputs, &owners, &all, classes));
            let (sharpness, trust) = matcher.calibrate(&inputs, &owners)?;
            let regression = whole.join().map_err(|_| Error::msg("the fit panicked"))??;
            Ok::<_, Error>((regression, sharpness, trust))
        })
        .map(|(regression, sharpness, trust)| Self { regression, sharpness, trust, ..matcher })
    }

    /// The best-fitting intents of a text with this meaning.
    pub(crate) fn rank(&self, text: &str, meaning: &[f32]) -> Ranking {
        if self.names.is_empty() {
            return Ranking::default();
        }
        let nearest = self.nearest(meaning, 0..self.phrases.len());
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

    /// For each intent the cosine of its nearest phrase among the chosen ones, -1 if it has none.
    fn nearest(&self, meaning: &[f32], chosen: impl Iterator<Item = usize>) -> Vec<f32> {
        let half = meaning.len() / 2;
        let mut nearest = vec![-1.0_f32; self.names.len()];
        for phrase in chosen.map(|index| &self.phrases[index]) {
            let cosine = dot(&phrase.meaning[half..], &meaning[half..]).clamp(-1.0, 1.0);
            nearest[phrase.intent] = nearest[phrase.intent].max(cosine);
        }
        nearest
    }

    /// Chooses the sharpness under which held-out phrases of known intents surprise least, then
    /// fits the trust on held-out phrases of known and unknown ones.
    fn calibrate(&self, inputs: &[Vec<f32>], owners: &[usize]) -> Result<(f32, Vec<f32>)> {
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
            let one = |index: usize| {
                let nearest = self.nearest(&self.phrases[index].meaning, kept.iter().copied());
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
        let trust =
            if rows.len() < FEWEST { vec![0.0, 2.0, 6.0, -4.0] } else { fit_logistic(&rows, &[(0.0, TRUST_PULL); 4]) };
        Ok((sharpness, trust))
    }
}

/// A held-out phrase: its scores, the nearest examples by intent, and its intent if it was known.
type Held = (Vec<f32>, Vec<f32>, Option<usize>);

/// Scores of deviation 1 with the bonus for near examples.
fn combine(scores: &[f32], nearest: &[f32]) -> Vec<f32> {
    scores.iter().zip(nearest).map(|(score, near)| score + NEAREST * near).collect()
}

/// What trust goes by: the logit of the best probability, its lead, the nearest example, and 1.
fn signs(best: f32, second: f32, similarity: f32) -> [f32; 4] {
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
        let matcher = IntentMatcher::fit(names(), phrases()).unwrap();
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
        let matcher = IntentMatcher::fit(names(), phrases()).unwrap();
        let ranked = matcher.rank("", &[0.0, 0.0, 0.0, 0.0, 0.0, 1.0].repeat(2));
        assert!(ranked.intents.iter().all(|score| score.similarity < 0.3), "{ranked:?}");
        assert!(ranked.trust < TRUSTED, "{ranked:?}");
    }

    #[test]
    fn without_phrases_nothing_matches() {
        let matcher = IntentMatcher::fit(Vec::new(), Vec::new()).unwrap();
        assert_eq!(matcher.rank("refund", &[1.0, 0.0]), Ranking::default());
    }
}
