//! The transformer as a [`Model`]: spelling, encoder, heads and intents behind one another.

use super::IntentExamples;
use super::bundle::{Bundle, BundleError, ENCODER, HEADS, Section, TOKENIZER, hex};
use super::context;
use super::encoder::{EncodeError, Encoder, Engine, Features, Wanted};
use super::heads::Heads;
use super::identity::without_identity;
use super::intent::{FIT_VERSION, IntentMatcher, Phrase};
use super::language::detect_language;
use super::model::{Model, ModelError};
use super::phrases::Phrases;
use super::reference::Reference;
use super::sentences::sentences;
use super::spelling::Spelling;
use super::surface::cues;
use super::tokenize::Tokenizer;
use super::weights;
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Context, Evidence, Sentiment, Source};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// A loaded model folder with fitted intents.
pub(crate) struct Bert {
    version: String,
    section: Section,
    encoder: Encoder,
    heads: Heads,
    spelling: Spelling,
    intents: IntentMatcher,
}

impl Bert {
    /// Builds the model and fits the intents on their example phrases, or takes the fit that is remembered.
    ///
    /// # Errors
    /// Names the file that does not fit.
    pub(crate) fn load(
        mut bundle: Bundle,
        intents: &[IntentExamples],
        engine: (Engine, usize),
    ) -> Result<Self, BundleError> {
        let encoder = load_encoder(&mut bundle, engine)?;
        let heads = load_heads(&mut bundle, &encoder)?;
        let spelling = Spelling::learn(intents.iter().flat_map(|intent| &intent.phrases).map(String::as_str));
        let known = Phrases::read(&bundle.folder, &bundle.encoder);
        let intents = fit(&encoder, intents, &known, &fit_key(&bundle.encoder, intents))
            .map_err(|error| bundle.refuse(ENCODER, error))?;
        // Fitting used every core; from here on each reading thread has its own.
        let encoder = encoder.on_one_thread();
        Ok(Self { version: bundle.version, section: bundle.section, encoder, heads, spelling, intents })
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
    fn read(&self, text: &str, mended: &str, features: Features) -> Analysis {
        let reading = self.heads.read(&features.mood);
        let cues = cues(text);
        let meaning = embedding(&features.meaning).to_vec();
        let seen = context::evidence(reading.frustration, &cues, &meaning, &Context::default());
        let alone = self.section.frustration.probability(&seen);
        let language = detect_language(text);
        let supported = language.as_ref().is_none_or(|found| self.section.languages.contains(found));
        let ranking = self.intents.rank(mended, &features.meaning);
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
    fn run(&self, texts: &[Arc<str>]) -> Result<Vec<Analysis>, ModelError> {
        let tokenizer = self.encoder.tokenizer();
        let mended: Vec<Option<String>> =
            texts.iter().map(|text| self.spelling.mend(text, |word| tokenizer.place(word))).collect();
        let read: Vec<&str> =
            texts.iter().zip(&mended).map(|(text, mended)| mended.as_deref().unwrap_or(text)).collect();
        let parts: Vec<Vec<&str>> = read.iter().map(|text| sentences(text)).collect();
        // Mood is read from what was typed, without who somebody says they are; intents from what was
        // meant. Where both are the same text it is read once. Sentences are read for their intents only.
        let felt: Vec<Cow<'_, str>> = texts.iter().map(|text| without_identity(text)).collect();
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
        let mut others = features.split_off(texts.len()).into_iter();
        for (features, _) in features.iter_mut().zip(&apart).filter(|(_, apart)| **apart) {
            features.meaning = others.next().unwrap_or_default().meaning;
        }
        let whole = texts.iter().zip(&read).zip(features);
        let mut analyses: Vec<Analysis> =
            whole.map(|((text, mended), features)| self.read(text, mended, features)).collect();
        for (analysis, parts) in analyses.iter_mut().zip(&parts) {
            let own = parts.iter().zip(others.by_ref());
            analysis.sentences =
                own.map(|(part, features)| self.intents.rank(part, &features.meaning).intents).collect();
        }
        Ok(analyses)
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

/// Fits the intents on their phrases and names; `known` spares computing the meanings that are
/// remembered, and the fit itself if it is remembered under `key`.
pub(crate) fn fit(
    encoder: &Encoder,
    intents: &[IntentExamples],
    known: &Phrases,
    key: &str,
) -> Result<IntentMatcher, EncodeError> {
    let names = || intents.iter().map(|intent| intent.name.clone()).collect();
    let examples: Vec<(String, usize)> = intents.iter().enumerate().flat_map(examples).collect();
    let missing = examples.iter().map(|(text, _)| text.as_str()).filter(|text| known.get(text).is_none());
    let mut computed = embed(encoder, &missing.collect::<Vec<_>>())?.into_iter();
    let phrase = |(text, intent): (String, usize)| {
        let meaning = known.get(&text).map(<[f32]>::to_vec).or_else(|| computed.next())?;
        Some(Phrase { text, meaning, intent })
    };
    let phrases: Vec<Phrase> = examples.into_iter().filter_map(phrase).collect();
    if let Some(fit) = known.fit(key)
        && let Some(matcher) = IntentMatcher::restore(names(), &phrases, fit)?
    {
        return Ok(matcher);
    }
    Ok(IntentMatcher::fit(names(), &phrases)?)
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
        add(&intent.phrases.len().to_string());
        intent.phrases.iter().for_each(|phrase| add(phrase));
    }
    hex(&digest.finalize())
}

/// An intent's phrases and, as one more, its name in words; none of an intent without phrases.
pub(crate) fn examples((index, intent): (usize, &IntentExamples)) -> Vec<(String, usize)> {
    let name = (!intent.phrases.is_empty()).then(|| name_in_words(&intent.name));
    intent.phrases.iter().cloned().chain(name).map(|text| (text, index)).collect()
}

/// `card_arrival` as `card arrival`.
pub(crate) fn name_in_words(name: &str) -> String {
    name.split(|letter: char| !letter.is_alphanumeric()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Meanings of these texts, in order, as [`Features::meaning`].
pub(crate) fn embed(encoder: &Encoder, texts: &[&str]) -> Result<Vec<Vec<f32>>, EncodeError> {
    Ok(encoder.encode(texts, Wanted::Meaning)?.into_iter().map(|features| features.meaning).collect())
}

/// The last layer's part of a meaning, length 1: what likeness is measured by.
pub(crate) fn embedding(meaning: &[f32]) -> &[f32] {
    &meaning[meaning.len() / 2..]
}
