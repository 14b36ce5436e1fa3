//! Trains the reader of wishes: a multinomial regression on sentences in eight languages.
//!
//! The loss is convex and its descent has no chance in it: the same sentences give the same file. Figures come
//! from folds, each without the sentences of one writer.

use crate::nlu::wish::{BUCKETS, CLASSES, Wishes, rarity, vector};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::Path;

/// The sentences, beside our other data.
pub(crate) const FILE: &str = "wishes.jsonl";
/// The pull of the weights to zero, against the summed loss: scikit-learn's `1 / C`. Chosen on the tuning
/// sentences of `tests/paraphrases`; a third and the triple of it find fewer wishes.
const PULL: f64 = 0.05;
/// Most steps of the descent; it ends sooner where the slope has become this small a part of what it was.
const STEPS: usize = 150;
const FLAT: f64 = 1e-3;
/// Steps that the descent remembers.
const MEMORY: usize = 8;
/// Probabilities that the figures are given for.
const LIMITS: [f32; 3] = [0.3, 0.5, 0.7];

/// One sentence.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sentence {
    /// Who wrote it: folds keep a writer's sentences together.
    by: String,
    language: String,
    text: String,
    expect: Expect,
}

/// What it says; in the order of [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Person,
    Bot,
    Other,
}

/// Reads the sentences of a folder.
///
/// # Errors
/// If the file is not there, or a line is none; with its number.
pub(crate) fn read(folder: &Path) -> Result<Vec<Sentence>> {
    let file = folder.join(FILE);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let parse = |(at, line)| serde_json::from_str(line).with_context(|| format!("{}:{}", file.display(), at + 1));
    let sentences = text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(parse);
    sentences.collect()
}

/// Fits a reader.
///
/// # Errors
/// If one of the classes has no sentence.
pub(crate) fn fit(sentences: &[&Sentence]) -> Result<Wishes> {
    let rarity = rarity(sentences.iter().map(|sentence| sentence.text.as_str()));
    let mut counts = [0_u32; CLASSES.len()];
    sentences.iter().for_each(|sentence| counts[sentence.expect as usize] += 1);
    ensure!(counts.iter().all(|count| *count > 0), "every class needs sentences: {CLASSES:?} have {counts:?}");
    let row = |sentence: &&Sentence| {
        let values = vector(&sentence.text, &rarity).into_iter().map(|(bucket, value)| (bucket, f64::from(value)));
        Row { values: values.collect(), class: sentence.expect as usize }
    };
    let rows: Vec<Row> = sentences.iter().map(row).collect();
    let found = minimise(|weights| loss(&rows, weights), (BUCKETS + 1) * CLASSES.len());
    let weights: Vec<f32> = found.iter().map(|weight| *weight as f32).collect();
    let (weights, bias) = weights.split_at(BUCKETS * CLASSES.len());
    Ok(Wishes::new(rarity, weights, std::array::from_fn(|class| bias[class])))
}

struct Row {
    values: Vec<(usize, f64)>,
    class: usize,
}

/// The loss at these weights, and its slope. The last row of weights is the bias, which is not pulled.
fn loss(rows: &[Row], weights: &[f64]) -> (f64, Vec<f64>) {
    const N: usize = CLASSES.len();
    let bias = BUCKETS * N;
    let pulled = &weights[..bias];
    let mut total = pulled.iter().map(|weight| weight * weight).sum::<f64>() * PULL / 2.0;
    let mut slope: Vec<f64> = pulled.iter().map(|weight| weight * PULL).collect();
    slope.resize(weights.len(), 0.0);
    for Row { values, class } in rows {
        let mut scores: [f64; N] = std::array::from_fn(|at| weights[bias + at]);
        for (bucket, value) in values {
            let row = &weights[bucket * N..][..N];
            scores.iter_mut().zip(row).for_each(|(score, weight)| *score += value * weight);
        }
        let highest = scores.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
        total -= scores[*class] - highest - sum.ln();
        let error: [f64; N] =
            std::array::from_fn(|at| (scores[at] - highest).exp() / sum - f64::from(u8::from(at == *class)));
        for (bucket, value) in values {
            let row = &mut slope[bucket * N..][..N];
            row.iter_mut().zip(error).for_each(|(slope, error)| *slope += value * error);
        }
        slope[bias..].iter_mut().zip(error).for_each(|(slope, error)| *slope += error);
    }
    (total, slope)
}

/// The lowest point of a convex function from zero on: L-BFGS (Nocedal and Wright, 2006, algorithm 7.5), each
/// step halved until it leads down far enough.
fn minimise(at: impl Fn(&[f64]) -> (f64, Vec<f64>), width: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut place = vec![0.0; width];
    let (mut height, mut slope) = at(&place);
    let steep = dot(&slope, &slope);
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..STEPS {
        let mut direction = slope.clone();
        let mut shares = Vec::with_capacity(MEMORY);
        for (step, change, product) in memory.iter().rev() {
            let share = dot(step, &direction) / product;
            direction.iter_mut().zip(change).for_each(|(value, change)| *value -= share * change);
            shares.push(share);
        }
        let scale =
            memory.back().map_or(1.0 / steep.sqrt().max(1e-12), |(_, change, product)| product / dot(change, change));
        direction.iter_mut().for_each(|value| *value *= scale);
        for ((step, change, product), share) in memory.iter().zip(shares.into_iter().rev()) {
            let back = share - dot(change, &direction) / product;
            direction.iter_mut().zip(step).for_each(|(value, step)| *value += back * step);
        }
        let down = dot(&direction, &slope);
        let mut stride = 1.0;
        let (next, (lower, next_slope)) = loop {
            let next: Vec<f64> = place.iter().zip(&direction).map(|(place, way)| place - stride * way).collect();
            let reached = at(&next);
            if reached.0 <= height - 1e-4 * stride * down || stride < 1e-9 {
                break (next, reached);
            }
            stride /= 2.0;
        };
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (step, change) = (minus(&next, &place), minus(&next_slope, &slope));
        let product = dot(&step, &change);
        (place, height, slope) = (next, lower, next_slope);
        if dot(&slope, &slope) <= steep * FLAT * FLAT || product <= 0.0 {
            break;
        }
        memory.push_back((step, change, product));
        if memory.len() > MEMORY {
            memory.pop_front();
        }
    }
    place
}

/// A table of what a reader finds that never saw the writer of a sentence, by language.
///
/// # Errors
/// As [`fit`].
pub(crate) fn figures(sentences: &[Sentence]) -> Result<String> {
    let writers: BTreeSet<&str> = sentences.iter().map(|sentence| sentence.by.as_str()).collect();
    let fold = |writer: &str| -> Result<Vec<(&Sentence, [f32; CLASSES.len()])>> {
        let (held, rest): (Vec<&Sentence>, Vec<&Sentence>) =
            sentences.iter().partition(|sentence| sentence.by == writer);
        let reader = fit(&rest)?;
        Ok(held.into_iter().map(|sentence| (sentence, reader.probabilities(&sentence.text))).collect())
    };
    let folds = std::thread::scope(|scope| {
        let threads: Vec<_> = writers.iter().map(|writer| scope.spawn(|| fold(writer))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Vec<_>>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect::<Result<Vec<Vec<_>>>>()
    })?;
    let mut groups: BTreeMap<String, Vec<(&Sentence, [f32; CLASSES.len()])>> = BTreeMap::new();
    for (sentence, shares) in folds.into_iter().flatten() {
        for name in
            [format!("language {}", sentence.language), format!("without writer {}", sentence.by), "all".to_owned()]
        {
            groups.entry(name).or_default().push((sentence, shares));
        }
    }
    let mut table =
        format!("{:<24}{:>24}{:>24}{:>24}\n", "held out", "persons found", "bots found", "others as person");
    writeln!(table, "{:<24}{}", "at a probability of", "    0.30    0.50    0.70".repeat(3))?;
    for (name, read) in groups {
        write!(table, "{name:<24}")?;
        for (class, of) in [(Expect::Person, 0), (Expect::Bot, 1), (Expect::Other, 0)] {
            for limit in LIMITS {
                let all = read.iter().filter(|(sentence, _)| sentence.expect == class);
                let found = all.clone().filter(|(_, shares)| shares[of] >= limit).count();
                match all.count() {
                    0 => write!(table, "{:>8}", "-")?,
                    all => write!(table, "{:>8.3}", found as f64 / all as f64)?,
                }
            }
        }
        table.push('\n');
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &str, expect: Expect) -> Sentence {
        Sentence { by: "a".to_owned(), language: "de".to_owned(), text: text.to_owned(), expect }
    }

    fn small() -> Vec<Sentence> {
        let persons =
            ["ein mensch bitte", "ich will mit jemandem reden", "einen mitarbeiter", "geben sie mir einen menschen"];
        let bots = ["bist du ein bot", "sind sie ein roboter", "bist du eine maschine"];
        let others =
            ["wo ist mein paket", "ich brauche eine rechnung", "danke", "das hemd ist zu klein", "wann kommt es"];
        let of = |expect: Expect| move |text: &&str| sentence(text, expect);
        let persons = persons.iter().map(of(Expect::Person));
        persons.chain(bots.iter().map(of(Expect::Bot))).chain(others.iter().map(of(Expect::Other))).collect()
    }

    #[test]
    fn what_is_trained_is_what_is_served() {
        let sentences = small();
        let trained = fit(&sentences.iter().collect::<Vec<_>>()).unwrap();
        let served = Wishes::read(&trained.bytes().unwrap()).unwrap();
        for sentence in &sentences {
            let shares = served.probabilities(&sentence.text);
            assert_eq!(shares, trained.probabilities(&sentence.text));
            assert!(shares[sentence.expect as usize] > 0.5, "{sentence:?}: {shares:?}");
        }
        assert!(served.analyze("bitte einen menschen").person > 0.5, "words that stood elsewhere");
        assert_eq!(fit(&sentences.iter().collect::<Vec<_>>()).unwrap(), trained, "no chance in it");
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let row = |bucket, class| Row { values: vec![(bucket, 0.6), (7, 0.8)], class };
        let rows = [row(3, 0), row(4, 1), row(5, 2)];
        let weights: Vec<f64> = (0..(BUCKETS + 1) * CLASSES.len()).map(|at| ((at % 7) as f64 - 3.0) / 10.0).collect();
        let (height, slope) = loss(&rows, &weights);
        for at in [9, 13, 21, 22, BUCKETS * CLASSES.len() + 1] {
            let mut moved = weights.clone();
            moved[at] += 1e-5;
            let measured = (loss(&rows, &moved).0 - height) / 1e-5;
            assert!((measured - slope[at]).abs() < 1e-3, "{at}: {measured} and {}", slope[at]);
        }
    }

    #[test]
    fn a_class_without_sentences_and_a_line_that_is_none_are_named() {
        let persons = [sentence("mensch", Expect::Person)];
        assert!(fit(&persons.iter().collect::<Vec<_>>()).unwrap_err().to_string().contains("every class"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{\"by\":\"a\"}\n").unwrap();
        assert!(format!("{:#}", read(folder.path()).unwrap_err()).contains("wishes.jsonl:1"));
    }
}
