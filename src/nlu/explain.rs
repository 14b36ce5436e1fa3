//! Which words of a text carried its frustration: each is left out once, and the reading without it
//! is held against the reading of the whole (occlusion).
//!
//! Nobody waits for this, so it steps back: a part of the work enters the queue only while nothing
//! else waits there. Knows texts and their context; not who asks or what is done with the answer.

use super::worker::Job;
use super::{Error, Intents, Nlu, by_budget, cut};
use crate::domain::{Analysis, Context, WordWeight};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Words or phrases of one text that are left out in turn, each a reading of its own.
const MOST: usize = 24;
/// How long to step back while others wait.
const PAUSE: Duration = Duration::from_millis(5);

impl Nlu {
    /// How much each word adds to the probability of frustration in its context, in the order of the
    /// text. A longer text is first taken apart into phrases, and the phrases that carry most into
    /// words. Empty for a text of one word: there is nothing to hold it against.
    ///
    /// # Errors
    /// As [`Nlu::analyze`]; [`Error::Late`] also where others kept the queue busy until the deadline.
    pub async fn explain(
        &self,
        intents: &Arc<Intents>,
        text: &str,
        context: &Context,
        deadline: Duration,
    ) -> Result<Vec<WordWeight>, Error> {
        let (text, frame) = (cut(text), Frame { intents, context, end: Instant::now() + deadline });
        let words = words(text);
        if words.len() < 2 {
            return Ok(Vec::new());
        }
        let phrases = phrases(&words);
        let whole = self.read_apart(vec![text.to_owned()], &frame).await?.pop().unwrap_or_default();
        let mut weighed = self.without(text, &phrases, whole, &frame).await?;
        if phrases.len() < words.len() {
            let strongest = strongest(&weighed, &words);
            let parts: Vec<Range<usize>> =
                words.iter().filter(|word| strongest.iter().any(|phrase| inside(word, phrase))).cloned().collect();
            weighed.retain(|(phrase, _)| !strongest.contains(phrase));
            weighed.extend(self.without(text, &parts, whole, &frame).await?);
            weighed.sort_by_key(|(part, _)| part.start);
        }
        Ok(weighed.into_iter().map(|(part, weight)| in_characters(text, &part, weight)).collect())
    }

    /// What each part adds: the whole's frustration less that of the rest without the part.
    async fn without(
        &self,
        text: &str,
        parts: &[Range<usize>],
        whole: f32,
        frame: &Frame<'_>,
    ) -> Result<Vec<(Range<usize>, f32)>, Error> {
        let rests = parts.iter().map(|part| left_out(text, part)).collect();
        let readings = self.read_apart(rests, frame).await?;
        Ok(parts.iter().cloned().zip(readings.iter().map(|rest| whole - rest)).collect())
    }

    /// Frustration of each text in its context, read in batches that step back for everybody else.
    async fn read_apart(&self, texts: Vec<String>, frame: &Frame<'_>) -> Result<Vec<f32>, Error> {
        let (sender, end) = (self.sender()?, frame.end);
        let mut frustration = Vec::with_capacity(texts.len());
        for batch in texts.chunk_by(by_budget()) {
            let mut answer = self.enter(&sender, batch, frame).await?;
            let limit = tokio::time::Instant::from_std(end);
            let read = tokio::time::timeout_at(limit, &mut answer).await.map_err(|_| Error::Late)?;
            // A reader drops a job that is too late without an answer.
            let late = || if Instant::now() >= end { Error::Late } else { Error::Stopped };
            let analyses: Vec<Analysis> = read.map_err(|_| late())??;
            for mut analysis in analyses {
                self.read_in_context(&mut analysis, frame.context);
                frustration.push(analysis.frustration);
            }
        }
        Ok(frustration)
    }

    /// Puts a batch into the queue once nothing else waits there.
    async fn enter(&self, sender: &mpsc::Sender<Job>, batch: &[String], frame: &Frame<'_>) -> Result<Answer, Error> {
        let end = frame.end;
        while sender.capacity() < sender.max_capacity() {
            if Instant::now() >= end {
                return Err(Error::Late);
            }
            tokio::time::sleep(PAUSE).await;
        }
        let (reply, answer) = oneshot::channel();
        let texts = batch.iter().map(|text| text.as_str().into()).collect();
        let job = Job { texts, intents: Arc::clone(frame.intents), deadline: Some(end), reply };
        sender.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Overloaded,
            mpsc::error::TrySendError::Closed(_) => Error::Stopped,
        })?;
        Ok(answer)
    }
}

/// What all readings of one explanation share.
struct Frame<'a> {
    intents: &'a Arc<Intents>,
    context: &'a Context,
    end: Instant,
}

type Answer = oneshot::Receiver<Result<Vec<Analysis>, Error>>;

/// Places of the words, in bytes: everything between blanks, with its punctuation.
fn words(text: &str) -> Vec<Range<usize>> {
    let start = text.as_ptr() as usize;
    text.split_whitespace()
        .map(|word| {
            let begin = word.as_ptr() as usize - start;
            begin..begin + word.len()
        })
        .collect()
}

/// The words themselves, or equal runs of them where they are too many.
fn phrases(words: &[Range<usize>]) -> Vec<Range<usize>> {
    let size = words.len().div_ceil(MOST).max(1);
    let whole = |run: &[Range<usize>]| Some(run.first()?.start..run.last()?.end);
    words.chunks(size).filter_map(whole).collect()
}

/// The phrases that carry most, as many as have few enough words together.
fn strongest(weighed: &[(Range<usize>, f32)], words: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut order: Vec<&(Range<usize>, f32)> = weighed.iter().filter(|(_, weight)| *weight > 0.0).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut room = MOST;
    let mut taken = Vec::new();
    for (phrase, _) in order {
        let count = words.iter().filter(|word| inside(word, phrase)).count();
        // The strongest is always looked into.
        if count > room && !taken.is_empty() {
            break;
        }
        room = room.saturating_sub(count);
        taken.push(phrase.clone());
    }
    taken
}

fn inside(word: &Range<usize>, phrase: &Range<usize>) -> bool {
    phrase.start <= word.start && word.end <= phrase.end
}

/// The text without one part.
fn left_out(text: &str, part: &Range<usize>) -> String {
    let rest = format!("{} {}", &text[..part.start], &text[part.end..]);
    rest.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A place in characters instead of bytes, because a browser counts otherwise than Rust.
fn in_characters(text: &str, part: &Range<usize>, weight: f32) -> WordWeight {
    let count = |end: usize| u32::try_from(text[..end].chars().count()).unwrap_or(u32::MAX);
    let frustration = (weight * 10_000.0).round() / 10_000.0;
    WordWeight { start: count(part.start), end: count(part.end), frustration }
}

#[cfg(test)]
mod tests {
    use super::super::{Engine, Options};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_have_their_places_in_characters() {
        let text = "Größe  falsch!!";
        let places: Vec<WordWeight> = words(text).iter().map(|part| in_characters(text, part, 0.123_45)).collect();
        assert_eq!(places.iter().map(|word| (word.start, word.end)).collect::<Vec<_>>(), [(0, 5), (7, 15)]);
        assert!((places[0].frustration - 0.123_4).abs() < 2e-4);
    }

    #[test]
    fn long_texts_are_taken_apart_in_two_steps() {
        let text = "word ".repeat(100);
        let words = words(&text);
        let phrases = phrases(&words);
        assert!(phrases.len() <= MOST, "{}", phrases.len());
        let mut weighed: Vec<(Range<usize>, f32)> = phrases.iter().cloned().map(|phrase| (phrase, 0.0)).collect();
        weighed[3].1 = 0.4;
        weighed[7].1 = 0.1;
        assert_eq!(strongest(&weighed, &words), [phrases[3].clone(), phrases[7].clone()]);
    }

    /// The keyword rules, as a server without a model folder has them.
    fn reader() -> (Nlu, Arc<Intents>) {
        let options = Options { models: None, queue: 4, threads: 1, engine: Engine::default() };
        let nlu = Nlu::start(options).unwrap();
        let intents = nlu.fit(&[]).unwrap();
        (nlu, intents)
    }

    #[tokio::test]
    async fn the_word_that_says_it_carries_most() {
        let ((nlu, intents), context) = (reader(), Context::default());
        let text = "so what did you useless thing do with my parcel";
        let words = nlu.explain(&intents, text, &context, Duration::from_secs(5)).await.unwrap();
        assert_eq!(words.len(), 10);
        let heaviest = words.iter().max_by(|a, b| a.frustration.total_cmp(&b.frustration)).unwrap();
        assert_eq!((heaviest.start, heaviest.end), (16, 23), "{words:?}");
        assert!(heaviest.frustration > 0.0);
        assert!(nlu.explain(&intents, "useless", &context, Duration::from_secs(5)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_stopped_reader_and_a_passed_deadline_are_said() {
        let ((nlu, intents), context) = (reader(), Context::default());
        assert!(matches!(nlu.explain(&intents, "two words", &context, Duration::ZERO).await, Err(Error::Late)));
        nlu.stop();
        assert!(matches!(
            nlu.explain(&intents, "two words", &context, Duration::from_secs(1)).await,
            Err(Error::Stopped)
        ));
    }

    proptest! {
        #[test]
        fn every_word_is_left_out_once(text in "(?s).{0,200}") {
            let words = words(&text);
            let phrases = phrases(&words);
            prop_assert!(phrases.len() <= MOST);
            prop_assert!(words.iter().all(|word| phrases.iter().filter(|phrase| inside(word, phrase)).count() == 1));
            for part in &words {
                let left = left_out(&text, part);
                prop_assert_eq!(left.split_whitespace().count() + 1, words.len());
            }
        }
    }
}
