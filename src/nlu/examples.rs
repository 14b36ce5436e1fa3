//! The phrases that a text may be near to: every example that somebody wrote for an intent, and of the many messages
//! that were heard beside them a few centres that stand for all.
//!
//! A text is compared with every row, so their number is time: examples come in tens, what was heard in hundreds.
//! Knows meanings and indices of intents, not texts.

use super::encoder::normalise;
use super::heads::dot;
use super::intent::Phrase;
use candle_core::{Error, Result};
use encoder::Table;

/// Messages that one centre stands for. A quarter as many cost little accuracy, and a text is compared in an eighth
/// of the time.
const HEARD_PER_CENTRE: usize = 8;
/// Rounds of moving the centres (Lloyd's algorithm on the sphere); later rounds hardly move any.
const ROUNDS: usize = 8;
/// Largest value of a rounded number.
const LARGEST: f32 = 127.0;

/// Centres of what was heard, by intent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Centres {
    /// Meanings of length 1, one after the other, on the grid that [`round_row`] gives.
    pub(crate) rows: Vec<f32>,
    /// The intent of each.
    pub(crate) owners: Vec<usize>,
}

impl Centres {
    /// Finds the centres of the phrases that were heard.
    pub(crate) fn fit<'a>(phrases: impl Iterator<Item = &'a Phrase>) -> Self {
        let mut heard: Vec<(usize, &[f32])> =
            phrases.filter(|phrase| phrase.heard).map(|phrase| (phrase.intent, last_layer(&phrase.meaning))).collect();
        heard.sort_by_key(|(intent, _)| *intent);
        let mut centres = Self::default();
        for of_one in heard.chunk_by(|left, right| left.0 == right.0) {
            let meanings: Vec<&[f32]> = of_one.iter().map(|(_, meaning)| *meaning).collect();
            for mut centre in find_centres(&meanings) {
                let scale = round_row(&mut centre);
                centre.iter_mut().for_each(|value| *value *= scale);
                centres.rows.extend(centre);
                centres.owners.push(of_one[0].0);
            }
        }
        centres
    }
}

/// Turns a row into whole numbers from -127 to 127 and gives their unit; rounding the product again changes nothing.
pub(crate) fn round_row(row: &mut [f32]) -> f32 {
    let scale = row.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs())) / LARGEST;
    row.iter_mut().for_each(|value| *value = (*value / scale).round());
    scale
}

/// One centre for every so many meanings, of length 1.
fn find_centres(meanings: &[&[f32]]) -> Vec<Vec<f32>> {
    let count = meanings.len().div_ceil(HEARD_PER_CENTRE);
    let mut centres: Vec<Vec<f32>> = (0..count).map(|at| meanings[at * meanings.len() / count].to_vec()).collect();
    for _ in 0..ROUNDS {
        let mut sums = vec![vec![0.0_f32; meanings.first().map_or(0, |meaning| meaning.len())]; count];
        for meaning in meanings {
            let near = |centre: &Vec<f32>| dot(centre, meaning);
            let nearest = (0..count).max_by(|left, right| near(&centres[*left]).total_cmp(&near(&centres[*right])));
            let sum = &mut sums[nearest.unwrap_or(0)];
            sum.iter_mut().zip(*meaning).for_each(|(sum, value)| *sum += value);
        }
        for (centre, mut sum) in centres.iter_mut().zip(sums).filter(|(_, sum)| sum.iter().any(|value| *value != 0.0)) {
            normalise(&mut sum);
            *centre = sum;
        }
    }
    centres
}

/// Meanings to be near to.
pub(crate) struct Examples {
    /// The last layer's meanings.
    meanings: Table,
    /// The intent of each.
    owners: Vec<usize>,
}

impl Examples {
    /// The written phrases among these, and the centres of the others.
    pub(crate) fn new<'a>(phrases: impl Iterator<Item = &'a Phrase>, centres: &Centres) -> Result<Self> {
        let (mut meanings, mut owners) = (centres.rows.clone(), centres.owners.clone());
        let mut width = meanings.len().checked_div(owners.len()).unwrap_or(1);
        for phrase in phrases.filter(|phrase| !phrase.heard) {
            let last = last_layer(&phrase.meaning);
            width = last.len().max(1);
            meanings.extend_from_slice(last);
            owners.push(phrase.intent);
        }
        Ok(Self { meanings: Table::new(&meanings, width).map_err(Error::wrap)?, owners })
    }

    /// For each of so many intents the cosine of its nearest phrase, -1 if it has none.
    pub(crate) fn nearest(&self, meaning: &[f32], intents: usize) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(angle: f32, intent: usize) -> Phrase {
        let mut meaning = vec![0.0, 0.0, angle.cos(), angle.sin()];
        normalise(&mut meaning[2..]);
        Phrase { text: String::new(), meaning, intent, heard: true }
    }

    #[test]
    fn centres_lie_among_what_was_heard_and_belong_to_its_intent() {
        // Two bunches of the first intent, one of the second.
        let bunch = |middle: f32, intent| (0..8).map(move |at| heard(middle + 0.01 * at as f32, intent));
        let phrases: Vec<Phrase> = bunch(0.0, 0).chain(bunch(1.5, 0)).chain(bunch(3.0, 1)).collect();
        let centres = Centres::fit(phrases.iter());
        assert_eq!(centres.owners, [0, 0, 1]);
        let examples = Examples::new(phrases.iter(), &centres).unwrap();
        for phrase in &phrases {
            let near = examples.nearest(&phrase.meaning, 3);
            assert!(near[phrase.intent] > 0.99, "{near:?}");
            assert_eq!(near[2], -1.0, "nothing was heard of the third");
        }
    }

    #[test]
    fn rounding_twice_is_rounding_once() {
        let mut row = vec![0.3, -0.71, 0.001];
        let scale = round_row(&mut row);
        let mut again: Vec<f32> = row.iter().map(|value| value * scale).collect();
        round_row(&mut again);
        assert_eq!(row, again);
    }
}
