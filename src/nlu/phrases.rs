//! Remembered embeddings of example phrases, a file beside the weights, so that a start does not
//! compute them again: two thousand phrases cost seconds, reading them back milliseconds.
//!
//! Only a shortcut. A phrase that is not in the file is computed; a file that is missing, damaged or
//! made with another encoder is left aside. Knows nothing of intents.

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The file's name in the model folder.
const FILE: &str = "phrases.safetensors";
/// Name of the metadata field with the encoder's SHA-256.
const ENCODER: &str = "encoder";
/// Bytes of a phrase's digest that identify it.
const KEY: usize = 8;

/// Embeddings by phrase.
#[derive(Default)]
pub(crate) struct Phrases {
    known: HashMap<[u8; KEY], Vec<f32>>,
}

impl Phrases {
    /// What is remembered in `folder` for the encoder with this digest; nothing if it does not fit.
    pub(crate) fn read(folder: &Path, encoder: &str) -> Self {
        let read = || -> Option<Self> {
            let bytes = std::fs::read(folder.join(FILE)).ok()?;
            let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
            if metadata.metadata().as_ref()?.get(ENCODER)? != encoder {
                return None;
            }
            let file = SafeTensors::deserialize(&bytes).ok()?;
            let (keys, values, scales) =
                (file.tensor("keys").ok()?, file.tensor("values").ok()?, file.tensor("scales").ok()?);
            let &[rows, width] = values.shape() else { return None };
            let types = (keys.dtype(), values.dtype(), scales.dtype());
            if types != (Dtype::U8, Dtype::I8, Dtype::F32)
                || keys.shape() != [rows, KEY]
                || scales.shape() != [rows]
                || width == 0
            {
                return None;
            }
            let scales =
                scales.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            let rows = values.data().chunks_exact(width).zip(scales);
            let embed =
                |(row, scale): (&[u8], f32)| row.iter().map(|byte| f32::from(byte.cast_signed()) * scale).collect();
            let keys = keys.data().chunks_exact(KEY).filter_map(|key| <[u8; KEY]>::try_from(key).ok());
            Some(Self { known: keys.zip(rows.map(embed)).collect() })
        };
        read().unwrap_or_default()
    }

    /// Writes the embeddings of these phrases over what is remembered in `folder`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(folder: &Path, encoder: &str, phrases: &[(&str, Vec<f32>)]) -> std::io::Result<()> {
        let width = phrases.first().map_or(0, |(_, embedding)| embedding.len());
        let (mut keys, mut values, mut scales) = (Vec::new(), Vec::new(), Vec::new());
        for (phrase, embedding) in phrases {
            let largest = embedding.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
            let scale = largest / 127.0;
            keys.extend(key(phrase));
            values.extend(embedding.iter().map(|value| ((value / scale).round() as i8).cast_unsigned()));
            scales.extend(scale.to_le_bytes());
        }
        let rows = phrases.len();
        let view = |kind, shape, data| TensorView::new(kind, shape, data).map_err(std::io::Error::other);
        let tensors = [
            ("keys", view(Dtype::U8, vec![rows, KEY], &keys)?),
            ("values", view(Dtype::I8, vec![rows, width], &values)?),
            ("scales", view(Dtype::F32, vec![rows], &scales)?),
        ];
        let metadata = HashMap::from([(ENCODER.to_owned(), encoder.to_owned())]);
        let bytes = serialize(tensors, Some(metadata)).map_err(std::io::Error::other)?;
        std::fs::write(folder.join(FILE), bytes)
    }

    /// The embedding of a phrase, if it is remembered.
    pub(crate) fn get(&self, phrase: &str) -> Option<&[f32]> {
        self.known.get(&key(phrase)).map(Vec::as_slice)
    }
}

fn key(phrase: &str) -> [u8; KEY] {
    let digest = Sha256::digest(phrase.as_bytes());
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::Phrases;

    #[test]
    fn what_was_written_comes_back_for_the_same_encoder_only() {
        let folder = tempfile::tempdir().unwrap();
        let phrases = [("where is my parcel", vec![0.6, -0.8, 0.0]), ("refund", vec![0.0, 0.0, 1.0])];
        Phrases::write(folder.path(), "digest", &phrases).unwrap();
        let read = Phrases::read(folder.path(), "digest");
        for (phrase, embedding) in &phrases {
            let found = read.get(phrase).unwrap();
            assert!(found.iter().zip(embedding).all(|(found, written)| (found - written).abs() < 0.005), "{phrase}");
        }
        assert!(read.get("something else").is_none());
        assert!(Phrases::read(folder.path(), "another").get("refund").is_none());
        std::fs::write(folder.path().join("phrases.safetensors"), b"damaged").unwrap();
        assert!(Phrases::read(folder.path(), "digest").get("refund").is_none());
    }
}
