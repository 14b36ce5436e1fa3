//! The transformer as a [`Model`]: spelling, encoder, heads and intents behind one another. What was fitted on
//! the phrases comes with each text.

use super::bundle::{Bundle, BundleError, ENCODER, HEADS, Section, TOKENIZER, hex};
use super::context;
use super::encoder::{EncodeError, Encoder, Engine, Features, Wanted};
use super::heads::Heads;
use super::identity::without_identity;
use super::intent::{FIT_VERSION, IntentMatcher, Phrase};
use super::language::detect_language;
use super::model::{Asked, Model, ModelError};
use super::phrases::Phrases;
use super::reference::Reference;
use super::sentences::sentences;
use super::surface::cues;
use super::tokenize::Tokenizer;
use super::{IntentExamples, encoder, weights};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Context, Evidence, Sentiment, Source};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A loaded model folder.
pub(crate) struct Bert {
    version: String,
    section: Section,
    encoder: Encoder,
    heads: Heads,
    /// Where meanings and fits of phrases may be remembered, and the encoder's digest, under which they are.
    folder: PathBuf,
    digest: String,
    /// Threads that share the phrases of a fit.
    threads: usize,
}

impl Bert {
    /// Builds the model.
    ///
    /// # Errors
    /// Names the file that does not fit.
    pub(crate) fn load(mut bundle: Bundle, engine: (Engine, usize)) -> Result<Self, BundleError> {
        let encoder = load_encoder(&mut bundle, engine)?;
        let heads = load_heads(&mut bundle, &encoder)?;
        Ok(Self {
            version: bundle.version,
            section: bundle.section,
            // Whoever reads or fits brings threads of their own.
            encoder: encoder.on_one_thread(),
            heads,
            folder: bundle.folder,
            digest: bundle.encoder,
            threads: encoder::lanes(engine.1),
        })
    }

    /// Version of the weights.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// How the model describes itself.
    pub(crate) fn section(&self) -> &Section {
        &self.section
    }

    /// One text's reading from its features; `mended` is the text without its slips.
    fn read(&self, Asked { text, intents }: Asked<'_>, mended: &str, features: Features) -> Analysis {
        let reading = self.heads.read(&features.mood);
        let cues = cues(text);
        let meaning = embedding(&features.meaning).to_vec();
        let seen = context::evidence(reading.frustration, &cues, &meaning, &Context::default());
        let alone = self.section.frustration.probability(&seen);
        let language = detect_language(text);
        let supported = language.as_ref().is_none_or(|found| self.section.languages.contains(found));
        let ranking = intents.rank(mended, &features.meaning);
        let analysis = Analysis {
            source: Source::Model,
            version: self.version.clone(),
            sentiment: reading.sentiment,
            emotions: reading.emotions,
            frustration: alone,
            language,
            supported,
            intents: ranking.intents,
            trust: ranking.trust,
            sentences: Vec::new(),
            wish: None,
            evidence: Some(Evidence { score: reading.frustration, cues: cues.to_vec(), meaning, alone }),
        };
        if supported { analysis } else { unguessed(analysis) }
    }
}

/// A reading in a language that the model was not trained on: its numbers would mean nothing.
fn unguessed(analysis: Analysis) -> Analysis {
    Analysis {
        sentiment: Sentiment { negative: 0.0, neutral: 1.0, positive: 0.0 },
        emotions: vec![0.0; EMOTIONS.len()],
        frustration: 0.0,
        evidence: None,
        ..analysis
    }
}

impl Model for Bert {
    fn run(&self, asked: &[Asked<'_>]) -> Result<Vec<Analysis>, ModelError> {
        let tokenizer = self.encoder.tokenizer();
        let mend = |asked: &Asked<'_>| asked.intents.spelling().mend(asked.text, |word| tokenizer.place(word));
        let mended: Vec<Option<String>> = asked.iter().map(mend).collect();
        let read: Vec<&str> =
            asked.iter().zip(&mended).map(|(asked, mended)| mended.as_deref().unwrap_or(asked.text)).collect();
        let parts: Vec<Vec<&str>> = read.iter().map(|text| sentences(text)).collect();
        // Mood is read from what was typed, without who somebody says they are; intents from what was
        // meant. Where both are the same text it is read once. Sentences are read for their intents only.
        let felt: Vec<Cow<'_, str>> = asked.iter().map(|asked| without_identity(asked.text)).collect();
        let apart: Vec<bool> = felt.iter().zip(&read).map(|(felt, read)| felt != read).collect();
        let meant = read.iter().zip(&apart).filter(|(_, apart)| **apart).map(|(read, _)| *read);
        let all: Vec<&str> =
            felt.iter().map(|text| &**text).chain(meant).chain(parts.iter().flatten().copied()).collect();
        let wanted = |index: usize| match apart.get(index) {
            Some(false) => Wanted::Both,
            Some(true) => Wanted::Mood,
            None => Wanted::Meaning,
        };
        let mut features = self.encoder.encode_each(&all, wanted).map_err(|error| ModelError(error.to_string()))?;
        let mut others = features.split_off(asked.len()).into_iter();
        for (features, _) in features.iter_mut().zip(&apart).filter(|(_, apart)| **apart) {
            features.meaning = others.next().unwrap_or_default().meaning;
        }
        let whole = asked.iter().zip(&read).zip(features);
        let mut analyses: Vec<Analysis> =
            whole.map(|((asked, mended), features)| self.read(*asked, mended, features)).collect();
        for ((analysis, parts), asked) in analyses.iter_mut().zip(&parts).zip(asked) {
            let own = parts.iter().zip(others.by_ref());
            analysis.sentences =
                own.map(|(part, features)| asked.intents.rank(part, &features.meaning).intents).collect();
        }
        Ok(analyses)
    }

    fn fit(&self, intents: &[IntentExamples]) -> Result<Option<IntentMatcher>, ModelError> {
        let key = fit_key(&self.digest, intents);
        let fitted = fit((&self.encoder, self.threads), intents, (&self.folder, &self.digest), &key);
        fitted.map(Some).map_err(|error| ModelError(error.to_string()))
    }
}

/// The encoder of a model folder, with what computes it and the number of threads; takes its files out of
/// the bundle.
pub(crate) fn load_encoder(bundle: &mut Bundle, engine: (Engine, usize)) -> Result<Encoder, BundleError> {
    let tokenizer = load_tokenizer(bundle)?;
    Encoder::load(&bundle.take(ENCODER), &bundle.bert, &bundle.section, tokenizer, engine)
        .map_err(|error| bundle.refuse(ENCODER, error))
}

/// The layers in f32 with their tokenizer, for training; leaves the weights in the bundle.
pub(crate) fn load_reference(bundle: &mut Bundle, threads: usize) -> Result<(Tokenizer, Reference), BundleError> {
    let tokenizer = load_tokenizer(bundle)?;
    let tensors = weights::read(bundle.content(ENCODER)).map_err(|error| bundle.refuse(ENCODER, error))?;
    let reference = Reference::load(tensors, &bundle.bert, &bundle.section, threads)
        .map_err(|error| bundle.refuse(ENCODER, error))?;
    Ok((tokenizer, reference))
}

fn load_tokenizer(bundle: &mut Bundle) -> Result<Tokenizer, BundleError> {
    let tokenizer = Tokenizer::read(&bundle.take(TOKENIZER), bundle.section.max_tokens)
        .map_err(|reason| bundle.refuse(TOKENIZER, reason))?;
    let (ids, words) = (tokenizer.size(), bundle.bert.vocab_size);
    if ids > words {
        return Err(bundle.refuse(TOKENIZER, format!("it has ids up to {ids}, the encoder words up to {words}")));
    }
    Ok(tokenizer)
}

/// The heads of a model folder; takes their file out of the bundle.
pub(crate) fn load_heads(bundle: &mut Bundle, encoder: &Encoder) -> Result<Heads, BundleError> {
    let heads = weights::read(&bundle.take(HEADS)).map_err(|error| bundle.refuse(HEADS, error))?;
    Heads::from_tensors(heads, encoder.mood_width()).map_err(|reason| bundle.refuse(HEADS, reason))
}

/// Fits the intents on their phrases and names. What is remembered in a folder for the encoder with this digest
/// spares computing the meanings, and the fit itself if it is remembered under `key`. So many threads share the
/// meanings that are not.
pub(crate) fn fit(
    encoder: (&Encoder, usize),
    intents: &[IntentExamples],
    (folder, digest): (&Path, &str),
    key: &str,
) -> Result<IntentMatcher, EncodeError> {
    let names = || intents.iter().map(|intent| intent.name.clone()).collect();
    let examples = |heard: bool| {
        intents.iter().enumerate().flat_map(examples).filter(move |example| example.heard == heard).collect()
    };
    let known = Phrases::read(folder, digest);
    let mut phrases = understand(encoder, examples(false), &known)?;
    // What was heard is in a fit that is remembered.
    if let Some(fit) = known.fit(key)
        && let Some(matcher) = IntentMatcher::restore(names(), &phrases, fit)?
    {
        return Ok(matcher);
    }
    phrases.extend(understand(encoder, examples(true), &Phrases::read_heard(folder, digest))?);
    Ok(IntentMatcher::fit(names(), &phrases)?)
}

/// Examples with their meanings, remembered or computed.
fn understand(
    (encoder, threads): (&Encoder, usize),
    examples: Vec<Example>,
    known: &Phrases,
) -> Result<Vec<Phrase>, EncodeError> {
    let missing = examples.iter().map(|example| example.text.as_str()).filter(|text| !known.has(text));
    let mut computed = embed_on(threads, encoder, &missing.collect::<Vec<_>>())?.into_iter();
    let phrase = |Example { text, intent, heard }: Example| {
        let meaning = known.get(&text).or_else(|| computed.next())?;
        Some(Phrase { text, meaning, intent, heard })
    };
    Ok(examples.into_iter().filter_map(phrase).collect())
}

/// Digest of all that a fit depends on: the method, the encoder's digest, and the intents with their phrases, in
/// order.
pub(crate) fn fit_key(encoder: &str, intents: &[IntentExamples]) -> String {
    let mut digest = Sha256::new();
    digest.update(FIT_VERSION.to_le_bytes());
    // Lengths first, so that no text can pass for the end of one and the beginning of another.
    let mut add = |text: &str| {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    };
    add(encoder);
    for intent in intents {
        add(&intent.name);
        for texts in [&intent.phrases, &intent.heard] {
            add(&texts.len().to_string());
            texts.iter().for_each(|text| add(text));
        }
    }
    hex(&digest.finalize())
}

/// A text that an intent is learnt from.
pub(crate) struct Example {
    /// The text.
    pub(crate) text: String,
    /// Index of its intent.
    pub(crate) intent: usize,
    /// Whether it was heard, not written for the intent.
    pub(crate) heard: bool,
}

/// An intent's phrases and, as one more, its name in words (none of an intent without phrases), and what was heard.
pub(crate) fn examples((intent, all): (usize, &IntentExamples)) -> Vec<Example> {
    let name = (!all.phrases.is_empty()).then(|| name_in_words(&all.name));
    let written = all.phrases.iter().cloned().chain(name).map(|text| Example { text, intent, heard: false });
    written.chain(all.heard.iter().cloned().map(|text| Example { text, intent, heard: true })).collect()
}

/// `card_arrival` as `card arrival`.
pub(crate) fn name_in_words(name: &str) -> String {
    name.split(|letter: char| !letter.is_alphanumeric()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Meanings of these texts, in order, as [`Features::meaning`].
pub(crate) fn embed(encoder: &Encoder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncodeError> {
    Ok(encoder.encode(texts, Wanted::Meaning)?.into_iter().map(|features| features.meaning).collect())
}

/// The same, shared out over so many threads.
fn embed_on(threads: usize, encoder: &Encoder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncodeError> {
    let share = texts.len().div_ceil(threads.max(1)).max(1);
    let parts = std::thread::scope(|scope| {
        let parts: Vec<_> = texts.chunks(share).map(|part| scope.spawn(move || embed(encoder, part))).collect();
        let join = |part: std::thread::ScopedJoinHandle<'_, Result<Vec<Vec<f32>>, EncodeError>>| {
            part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        parts.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(parts.into_iter().flatten().collect())
}

/// The last layer's part of a meaning, length 1: what likeness is measured by.
pub(crate) fn embedding(meaning: &[f32]) -> &[f32] {
    &meaning[meaning.len() / 2..]
}
