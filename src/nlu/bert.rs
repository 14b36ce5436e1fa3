//! The transformer as a [`Model`]: spelling, encoder, heads and intents behind one another.

use super::IntentExamples;
use super::bundle::{Bundle, BundleError, ENCODER, HEADS, TOKENIZER};
use super::encoder::{EncodeError, Encoder};
use super::heads::Heads;
use super::intent::IntentMatcher;
use super::language::detect_language;
use super::model::{Model, ModelError};
use super::phrases::Phrases;
use super::sentences::sentences;
use super::spelling::Spelling;
use super::surface::cues;
use super::tokenize::Tokenizer;
use super::weights;
use crate::domain::{Analysis, Source};
use std::sync::Arc;

/// A loaded model folder with fitted intents.
pub(crate) struct Bert {
    version: String,
    encoder: Encoder,
    heads: Heads,
    spelling: Spelling,
    intents: IntentMatcher,
}

impl Bert {
    /// Builds the model and fits the intents on their example phrases.
    ///
    /// # Errors
    /// Names the file that does not fit.
    pub(crate) fn load(mut bundle: Bundle, intents: &[IntentExamples], threads: usize) -> Result<Self, BundleError> {
        let encoder = load_encoder(&mut bundle, threads)?;
        let heads = weights::read(&bundle.take(HEADS)).map_err(|error| bundle.refuse(HEADS, error))?;
        let width = encoder.hidden() * bundle.section.pooled_layers.len();
        let heads = Heads::from_tensors(heads, width).map_err(|reason| bundle.refuse(HEADS, reason))?;
        let spelling = Spelling::learn(intents.iter().flat_map(|intent| &intent.phrases).map(String::as_str));
        let known = Phrases::read(&bundle.folder, &bundle.encoder);
        let intents = fit(&encoder, intents, &known).map_err(|error| bundle.refuse(ENCODER, error))?;
        Ok(Self { version: bundle.version, encoder, heads, spelling, intents })
    }

    /// Version of the weights.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

impl Model for Bert {
    fn run(&mut self, texts: &[Arc<str>]) -> Result<Vec<Analysis>, ModelError> {
        let tokenizer = self.encoder.tokenizer();
        let mended: Vec<String> = texts
            .iter()
            .map(|text| self.spelling.mend(text, |word| tokenizer.knows(word)).unwrap_or_else(|| text.to_string()))
            .collect();
        let parts: Vec<Vec<&str>> = mended.iter().map(|text| sentences(text)).collect();
        let all: Vec<&str> = mended.iter().map(String::as_str).chain(parts.iter().flatten().copied()).collect();
        let mut features = self.encoder.encode(&all).map_err(|error| ModelError(error.to_string()))?;
        let mut of_parts = features.split_off(mended.len()).into_iter();
        let rank = |features: &[f32]| self.intents.rank(&features[features.len() - self.encoder.hidden()..]);
        let read = |((text, features), parts): ((&Arc<str>, Vec<f32>), &Vec<&str>)| {
            let reading = self.heads.read(&features, &cues(text));
            Analysis {
                source: Source::Model,
                version: self.version.clone(),
                sentiment: reading.sentiment,
                emotions: reading.emotions,
                frustration: reading.frustration,
                language: detect_language(text),
                intents: rank(&features),
                sentences: of_parts.by_ref().take(parts.len()).map(|features| rank(&features)).collect(),
            }
        };
        Ok(texts.iter().zip(features).zip(&parts).map(read).collect())
    }
}

/// The encoder of a model folder; takes its files out of the bundle.
pub(crate) fn load_encoder(bundle: &mut Bundle, threads: usize) -> Result<Encoder, BundleError> {
    let tokenizer = Tokenizer::read(&bundle.take(TOKENIZER), bundle.section.max_tokens)
        .map_err(|reason| bundle.refuse(TOKENIZER, reason))?;
    let tensors = weights::read(&bundle.take(ENCODER)).map_err(|error| bundle.refuse(ENCODER, error))?;
    Encoder::load(tensors, &bundle.bert, tokenizer, &bundle.section.pooled_layers, threads)
        .map_err(|error| bundle.refuse(ENCODER, error))
}

/// Fits the intents on the encoder's embeddings of their phrases; `known` spares computing those
/// that are remembered.
pub(crate) fn fit(
    encoder: &Encoder,
    intents: &[IntentExamples],
    known: &Phrases,
) -> Result<IntentMatcher, EncodeError> {
    let names = intents.iter().map(|intent| intent.name.clone()).collect();
    let phrases: Vec<&str> = intents.iter().flat_map(|intent| &intent.phrases).map(String::as_str).collect();
    let owners = intents.iter().enumerate().flat_map(|(index, intent)| intent.phrases.iter().map(move |_| index));
    let missing: Vec<&str> = phrases.iter().copied().filter(|phrase| known.get(phrase).is_none()).collect();
    let mut computed = embed(encoder, &missing)?.into_iter();
    let embeddings =
        phrases.iter().filter_map(|phrase| known.get(phrase).map(<[f32]>::to_vec).or_else(|| computed.next()));
    Ok(IntentMatcher::fit(names, embeddings.zip(owners).collect())?)
}

/// Embeddings of length 1 of these phrases, in order.
pub(crate) fn embed(encoder: &Encoder, phrases: &[&str]) -> Result<Vec<Vec<f32>>, EncodeError> {
    let features = encoder.encode(phrases)?;
    Ok(features.into_iter().map(|features| features[features.len() - encoder.hidden()..].to_vec()).collect())
}
