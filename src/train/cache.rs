//! Features of texts, kept on disk between runs, because encoding is nearly all of the time that
//! training takes. A file is named by what it was computed from: encoder, layers and texts.

use crate::nlu::bundle::hex;
use crate::nlu::encoder::{Encoder, Wanted};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Texts handed to the encoder at once; it sorts them by length.
const CHUNK: usize = 512;

/// An encoder with a folder of results.
pub(crate) struct Cache {
    /// Where the files lie; none to compute every time.
    pub(crate) folder: Option<PathBuf>,
    /// Digest of the encoder file and the layers.
    pub(crate) key: String,
    /// Computes what is not there.
    pub(crate) encoder: Encoder,
}

impl Cache {
    /// Mood features of the texts, one row each, f32 `[texts, width]`.
    pub(crate) fn features<T: AsRef<str>>(&self, name: &str, texts: &[T]) -> Result<Tensor> {
        let mut digest = Sha256::new();
        digest.update(self.key.as_bytes());
        for text in texts {
            digest.update(text.as_ref().as_bytes());
            digest.update([0]);
        }
        let file = self
            .folder
            .as_ref()
            .map(|folder| folder.join(format!("{name}-{}.safetensors", &hex(&digest.finalize())[..16])));
        if let Some(file) = file.as_ref().filter(|file| file.is_file()) {
            let mut stored = candle_core::safetensors::load(file, &Device::Cpu)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let features = stored.remove("features").with_context(|| format!("{} has no features", file.display()))?;
            return Ok(features.to_dtype(DType::F32)?);
        }
        // Rounded before the first use too, so that a second run sees the same values.
        let half = self.encode(name, texts)?.to_dtype(DType::F16)?;
        let features = half.to_dtype(DType::F32)?;
        if let Some(file) = file {
            candle_core::safetensors::save(&[("features".to_owned(), half)].into(), &file)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(features)
    }

    fn encode<T: AsRef<str>>(&self, name: &str, texts: &[T]) -> Result<Tensor> {
        let progress = ProgressBar::new(texts.len() as u64)
            .with_style(ProgressStyle::with_template("{msg:24} {wide_bar} {pos}/{len} {per_sec} {eta}")?)
            .with_message(name.to_owned());
        // Chunks of similar length waste no padding; the order is put back afterwards.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| texts[*index].as_ref().len());
        let mut rows = vec![Vec::new(); texts.len()];
        for chunk in order.chunks(CHUNK) {
            let selected: Vec<&str> = chunk.iter().map(|index| texts[*index].as_ref()).collect();
            for (index, features) in chunk.iter().zip(self.encoder.encode(&selected, Wanted::Mood)?) {
                rows[*index] = features.mood;
            }
            progress.inc(chunk.len() as u64);
        }
        progress.finish_and_clear();
        let width = rows.first().map_or(0, Vec::len);
        Ok(Tensor::from_vec(rows.concat(), (texts.len(), width), &Device::Cpu)?)
    }
}
