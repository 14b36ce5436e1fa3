//! The encoder as callers see it: built from weights for a tier, then run on texts.
//!
//! Checks what comes in. Knows nothing about how a tier computes.

use crate::model::{Model, ModelPeaks, ModelScratch};
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};
use crate::weights::{Config, Weights};
use crate::{Error, Tier};

/// A set of tops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tops(u32);

impl Tops {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// The most tops that a model can have.
    pub const MOST: usize = 32;

    /// One of them.
    ///
    /// # Panics
    /// If it is not below [`Tops::MOST`].
    #[must_use]
    pub const fn one(top: usize) -> Self {
        assert!(top < Self::MOST, "a set holds 32 tops");
        Self(1 << top)
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a top is in the set.
    #[must_use]
    pub const fn contains(self, top: usize) -> bool {
        top < Self::MOST && self.0 & 1 << top != 0
    }

    /// Whether none is.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One more than the highest top in the set.
    const fn end(self) -> usize {
        (u32::BITS - self.0.leading_zeros()) as usize
    }
}

/// A text to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Its tokens.
    pub ids: &'a [u32],
    /// The tops it is to go through.
    pub tops: Tops,
}

/// A part of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The layers of every text.
    Trunk,
    /// A branch.
    Top(usize),
}

/// A layer whose states' mean is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Where the layer is.
    pub part: Part,
    /// The layer, counted from 0 within the part.
    pub layer: usize,
}

/// Buffers that a run needs: kept by the caller and given again, so that a later run of the same size
/// allocates only its results. Fits every encoder.
#[derive(Debug, Default)]
pub struct Scratch(ModelScratch);

impl Scratch {
    /// Empty buffers; they grow with the largest run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

#[derive(Debug)]
enum Body {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Model<Avx512>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Model<Avx2>),
    Scalar(Model<Portable>),
}

/// A model, packed for a tier. Runs on the calling thread; several may run at a time.
#[derive(Debug)]
pub struct Encoder {
    config: Config,
    tops: usize,
    tier: Tier,
    body: Body,
}

impl Encoder {
    /// Packs a model. `taps` are the layers whose means a run gives, in that order.
    ///
    /// # Errors
    /// If sizes do not fit together, a weight is not finite, a tap's layer does not exist, or this machine cannot run
    /// the tier.
    pub fn new(config: Config, weights: Weights, taps: &[Tap], tier: Tier) -> Result<Self, Error> {
        weights.check(&config)?;
        let tops = weights.tops.len();
        if tops > Tops::MOST {
            return Err(Error::Setting { what: "tops", value: tops });
        }
        for (at, tap) in taps.iter().enumerate() {
            let layers = match tap.part {
                Part::Trunk => weights.trunk.len(),
                Part::Top(top) => weights.tops.get(top).map_or(0, Vec::len),
            };
            if tap.layer >= layers {
                return Err(Error::UnknownTap { tap: at });
            }
        }
        let body = match tier {
            #[cfg(target_arch = "x86_64")]
            Tier::Avx512Vnni => Body::Avx512Vnni(Model::new(proof(tier)?, config, weights, taps)),
            #[cfg(target_arch = "x86_64")]
            Tier::Avx2 => Body::Avx2(Model::new(proof(tier)?, config, weights, taps)),
            #[cfg(not(target_arch = "x86_64"))]
            Tier::Avx512Vnni | Tier::Avx2 => return Err(Error::Unavailable(tier)),
            Tier::Scalar => Body::Scalar(Model::new(proof(tier)?, config, weights, taps)),
        };
        Ok(Self { config, tops, tier, body })
    }

    /// For each text and tap the mean of the text's states after the tap's layer; empty where the text did not want the
    /// tap's top. A text's means do not depend on the others in the run.
    ///
    /// # Errors
    /// If a text is empty, too long, or has an id or wants a top that does not exist. Nothing is computed then.
    pub fn run(&self, texts: &[Text<'_>], scratch: &mut Scratch) -> Result<Vec<Vec<Vec<f32>>>, Error> {
        self.check(texts)?;
        let scratch = &mut scratch.0;
        Ok(match &self.body {
            #[cfg(target_arch = "x86_64")]
            Body::Avx512Vnni(model) => model.run(texts, scratch),
            #[cfg(target_arch = "x86_64")]
            Body::Avx2(model) => model.run(texts, scratch),
            Body::Scalar(model) => model.run(texts, scratch),
        })
    }

    /// What the states of typical texts reach, for [`crate::smoothing()`]; 0 everywhere in a part that none of them wants.
    ///
    /// # Errors
    /// As [`Encoder::run`].
    pub fn measure(&self, texts: &[Text<'_>], scratch: &mut Scratch) -> Result<ModelPeaks, Error> {
        self.check(texts)?;
        let scratch = &mut scratch.0;
        Ok(match &self.body {
            #[cfg(target_arch = "x86_64")]
            Body::Avx512Vnni(model) => model.measure(texts, scratch),
            #[cfg(target_arch = "x86_64")]
            Body::Avx2(model) => model.measure(texts, scratch),
            Body::Scalar(model) => model.measure(texts, scratch),
        })
    }

    fn check(&self, texts: &[Text<'_>]) -> Result<(), Error> {
        let most = self.config.longest();
        for (text, Text { ids, tops }) in texts.iter().enumerate() {
            if ids.is_empty() {
                return Err(Error::Empty { text });
            }
            if ids.len() > most {
                return Err(Error::TooLong { text, tokens: ids.len(), most });
            }
            if let Some(id) = ids.iter().find(|id| **id as usize >= self.config.vocabulary) {
                return Err(Error::UnknownId { text, id: *id });
            }
            if tops.end() > self.tops {
                return Err(Error::UnknownTop { text });
            }
        }
        Ok(())
    }

    /// The tier it was packed for.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// The model's sizes.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes of weights that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.body {
            #[cfg(target_arch = "x86_64")]
            Body::Avx512Vnni(model) => model.bytes(),
            #[cfg(target_arch = "x86_64")]
            Body::Avx2(model) => model.bytes(),
            Body::Scalar(model) => model.bytes(),
        }
    }
}

fn proof<S: Simd>(tier: Tier) -> Result<S, Error> {
    S::detect().ok_or(Error::Unavailable(tier))
}
