//! Texts in, two vectors out: one of meaning and one of mood.
//!
//! A BERT whose lower layers are shared and whose top exists twice. The first top is the sentence
//! encoder's own, because training for mood would damage what intents are matched on; the second
//! was trained for mood. A text whose mood is not asked for does not pay for it. A text that is too
//! long for the model is read in windows. The layers run in int8 in the `encoder` crate
//! (`packed.rs`) or in f32 on candle (`reference.rs`). Knows nothing about heads, intents or files.

use super::bundle::Section;
use super::packed::Packed;
use super::reference::Reference;
use super::tokenize::Tokenizer;
use super::weights;
use candle_transformers::models::bert::Config;

/// Why a forward pass failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    /// The tokenizer refused the text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The weight file is not what it should be.
    #[error(transparent)]
    Weights(#[from] weights::WeightError),
    /// The fast encoder refused.
    #[error(transparent)]
    Packed(#[from] encoder::Error),
    /// The model has another activation than GELU.
    #[error("the encoder's activation is {0}; only gelu is read")]
    Activation(String),
    /// The tensor library refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// The thread pool could not be made.
    #[error("thread pool: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// What computes the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// int8, on the best instructions that this processor has.
    #[default]
    Fastest,
    /// int8, on these instructions.
    Int8(encoder::Tier),
    /// f32 on candle, slower, to measure against.
    Reference,
}

impl std::str::FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let tiers = encoder::Tier::available();
        match name {
            "fastest" => Ok(Self::Fastest),
            "f32" => Ok(Self::Reference),
            _ => tiers.iter().find(|tier| tier.to_string() == name).map(|tier| Self::Int8(*tier)).ok_or_else(|| {
                let names: Vec<String> = tiers.iter().map(ToString::to_string).collect();
                format!("this machine has fastest, f32, {}", names.join(", "))
            }),
        }
    }
}

/// What is wanted of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The meaning alone.
    Meaning,
    /// The mood alone.
    Mood,
    /// Both.
    Both,
}

/// A text's tokens, or a part of them, with both marks.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    /// Token ids.
    pub(crate) ids: Vec<u32>,
    /// What is wanted of it.
    pub(crate) wanted: Wanted,
}

/// What the encoder made of a text. A vector that was not wanted is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Features {
    /// Means over the tokens of two of the sentence encoder's layers, each of length 1, the last
    /// layer last: twice `hidden` values.
    pub(crate) meaning: Vec<f32>,
    /// Means over the tokens of the chosen mood layers, one after the other.
    pub(crate) mood: Vec<f32>,
}

enum Body {
    Packed(Box<Packed>),
    Reference(Box<Reference>),
}

/// Tokenizer and transformer layers, on the CPU.
pub(crate) struct Encoder {
    tokenizer: Tokenizer,
    body: Body,
    /// Layers whose means are the meaning.
    meant: usize,
    hidden: usize,
    mood_width: usize,
}

/// Prefix of the names of the sentence encoder's layers.
pub(crate) const LAYERS: &str = "encoder.layer";
/// Prefix of the names of the mood layers; a folder that has none yet starts from the encoder's.
pub(crate) const MOOD_LAYERS: &str = "mood.layer";

impl Encoder {
    /// Builds the encoder from a compact weight file with the names of a Hugging Face BERT file, the
    /// mood layers with another prefix. `threads` is the number of CPU threads, 0 for all cores.
    ///
    /// # Errors
    /// If a tensor is missing or has the wrong shape, or this processor lacks the engine's instructions.
    pub(crate) fn load(
        file: &[u8],
        config: &Config,
        section: &Section,
        tokenizer: Tokenizer,
        (engine, threads): (Engine, usize),
    ) -> Result<Self, EncodeError> {
        let packed = |tier| Packed::load(weights::read_stored(file)?, config, section, (tier, lanes(threads)));
        let body = match engine {
            Engine::Fastest => Body::Packed(Box::new(packed(encoder::Tier::best())?)),
            Engine::Int8(tier) => Body::Packed(Box::new(packed(tier)?)),
            Engine::Reference => {
                Body::Reference(Box::new(Reference::load(weights::read(file)?, config, section, threads)?))
            }
        };
        let hidden = config.hidden_size;
        let mood_width = hidden * section.mood_layers.len();
        Ok(Self { tokenizer, body, meant: section.meaning_layers.len(), hidden, mood_width })
    }

    /// The same without threads of its own, for callers that run side by side.
    #[must_use]
    pub(crate) fn on_one_thread(self) -> Self {
        let body = match self.body {
            Body::Packed(packed) => Body::Packed(Box::new(packed.on_one_thread())),
            Body::Reference(reference) => Body::Reference(Box::new(reference.on_one_thread())),
        };
        Self { body, ..self }
    }

    /// The tokenizer, for callers that ask whether the model knows a word.
    #[must_use]
    pub(crate) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// What computes the layers, for reports.
    #[must_use]
    pub(crate) fn engine(&self) -> String {
        match &self.body {
            Body::Packed(packed) => format!("int8 {}", packed.tier()),
            Body::Reference(_) => "f32 candle".to_owned(),
        }
    }

    /// Number of values of a text's mood.
    #[must_use]
    pub(crate) fn mood_width(&self) -> usize {
        self.mood_width
    }

    /// Features of each text, in order.
    ///
    /// # Errors
    /// If the tokenizer or the engine refuses; no partial result is returned.
    pub(crate) fn encode<T: AsRef<str>>(&self, texts: &[T], wanted: Wanted) -> Result<Vec<Features>, EncodeError> {
        self.encode_each(texts, |_| wanted)
    }

    /// The same with a choice for each text, by its index.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub(crate) fn encode_each<T: AsRef<str>>(
        &self,
        texts: &[T],
        wanted: impl Fn(usize) -> Wanted,
    ) -> Result<Vec<Features>, EncodeError> {
        let mut windows = Vec::with_capacity(texts.len());
        let mut counts = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let parts = self.tokenizer.windows(text.as_ref()).map_err(EncodeError::Tokenizer)?;
            counts.push(parts.len());
            windows.extend(parts.into_iter().map(|ids| Window { ids, wanted: wanted(index) }));
        }
        let means = match &self.body {
            Body::Packed(packed) => packed.means(&windows)?,
            Body::Reference(reference) => reference.means(&windows)?,
        };
        let mut rest = windows.iter().zip(means);
        Ok(counts.into_iter().map(|count| self.join(rest.by_ref().take(count))).collect())
    }

    /// What the inputs of the int8 layers reach on these texts, with the prefix of each layer's names; nothing in f32.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub(crate) fn measure<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<(String, ::encoder::Peaks)>, EncodeError> {
        let mut windows = Vec::with_capacity(texts.len());
        for text in texts {
            let parts = self.tokenizer.windows(text.as_ref()).map_err(EncodeError::Tokenizer)?;
            windows.extend(parts.into_iter().map(|ids| Window { ids, wanted: Wanted::Both }));
        }
        match &self.body {
            Body::Packed(packed) => packed.measure(&windows),
            Body::Reference(_) => Ok(Vec::new()),
        }
    }

    /// The features of a text from the means of its windows, each weighing by its tokens.
    fn join<'a>(&self, windows: impl Iterator<Item = (&'a Window, Vec<Vec<f32>>)>) -> Features {
        let mut sums: Vec<Vec<f32>> = Vec::new();
        let mut total = 0.0;
        for (window, means) in windows {
            let weight = window.ids.len() as f32;
            total += weight;
            sums.resize(means.len(), Vec::new());
            for (sum, mean) in sums.iter_mut().zip(means) {
                sum.resize(mean.len(), 0.0);
                sum.iter_mut().zip(mean).for_each(|(sum, value)| *sum += value * weight);
            }
        }
        sums.iter_mut().flatten().for_each(|value| *value /= total);
        let mut features = Features {
            meaning: Vec::with_capacity(self.meant * self.hidden),
            mood: Vec::with_capacity(self.mood_width),
        };
        for (tap, mut mean) in sums.into_iter().enumerate() {
            if tap < self.meant {
                normalise(&mut mean);
                features.meaning.append(&mut mean);
            } else {
                features.mood.append(&mut mean);
            }
        }
        features
    }
}

/// Threads that compute: `asked`, or one for each core if that is 0.
pub(crate) fn lanes(asked: usize) -> usize {
    if asked == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { asked }
}

/// Scales a vector to length 1; a zero vector stays as it is.
pub(crate) fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}
