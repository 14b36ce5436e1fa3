//! What is remembered of the example phrases, a file beside the weights, so that a start does not
//! compute it again: their embeddings, and the fit of the intent classifier on all of them. Two thousand
//! phrases cost seconds and the fit another; reading both back costs milliseconds.
//!
//! Only a shortcut. A phrase that is not in the file is computed, a fit on anything else is made anew; a file
//! that is missing, damaged or made with another encoder is left aside. Knows no intents, only the
//! digest of what a fit was made on.

use super::bundle::hex;
use super::intent::IntentFit;
use super::regression::Fitted;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The file's name in the model folder.
const FILE: &str = "phrases.safetensors";
/// Name of the metadata field with the encoder's SHA-256.
const ENCODER: &str = "encoder";
/// Name of the one with the digest of what the fit was made on.
const FITTED_ON: &str = "fitted_on";
/// Name of the one with the SHA-256 of all tensors: a flipped bit in a weight would show nowhere else.
const CONTENT: &str = "content";
/// The tensors of the embeddings.
const EMBEDDINGS: [&str; 3] = ["keys", "values", "scales"];
/// The tensors of the fit.
const FIT: [&str; 5] = ["fit.weights", "fit.bias", "fit.deviation", "fit.sharpness", "fit.trust"];
/// Bytes of a phrase's digest that identify it.
const KEY: usize = 8;

/// Embeddings by phrase, and a fit.
#[derive(Default)]
pub(crate) struct Phrases {
    known: HashMap<[u8; KEY], Vec<f32>>,
    /// With the digest of what it was made on.
    fit: Option<(String, IntentFit)>,
}

impl Phrases {
    /// What is remembered in `folder` for the encoder with this digest; nothing if it does not fit.
    pub(crate) fn read(folder: &Path, encoder: &str) -> Self {
        let read = || -> Option<Self> {
            let bytes = std::fs::read(folder.join(FILE)).ok()?;
            let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
            let metadata = metadata.metadata().as_ref()?;
            let file = SafeTensors::deserialize(&bytes).ok()?;
            if metadata.get(ENCODER)? != encoder || *metadata.get(CONTENT)? != content(&file.tensors()) {
                return None;
            }
            let fit = metadata.get(FITTED_ON).and_then(|on| Some((on.clone(), read_fit(&file)?)));
            Some(Self { known: read_embeddings(&file)?, fit })
        };
        read().unwrap_or_default()
    }

    /// Writes the embeddings of these phrases, and perhaps a fit with the digest of what it was made on, over
    /// what is remembered in `folder`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(
        folder: &Path,
        encoder: &str,
        phrases: &[(&str, Vec<f32>)],
        fit: Option<(&str, &IntentFit)>,
    ) -> std::io::Result<()> {
        let width = phrases.first().map_or(0, |(_, embedding)| embedding.len());
        let (mut keys, mut values, mut scales) = (Vec::new(), Vec::new(), Vec::new());
        for (phrase, embedding) in phrases {
            let largest = embedding.iter().fold(f32::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
            let scale = largest / 127.0;
            keys.extend(key(phrase));
            values.extend(embedding.iter().map(|value| ((value / scale).round() as i8).cast_unsigned()));
            scales.push(scale);
        }
        let rows = phrases.len();
        let [key_name, value_name, scale_name] = EMBEDDINGS;
        let mut parts = vec![
            (key_name, Dtype::U8, vec![rows, KEY], keys),
            (value_name, Dtype::I8, vec![rows, width], values),
            (scale_name, Dtype::F32, vec![rows], bytes(&scales)),
        ];
        let mut metadata = HashMap::from([(ENCODER.to_owned(), encoder.to_owned())]);
        if let Some((on, IntentFit { regression, sharpness, trust })) = fit {
            metadata.insert(FITTED_ON.to_owned(), on.to_owned());
            let all: [&[f32]; 5] =
                [&regression.weights, &regression.bias, &[regression.deviation], &[*sharpness], trust];
            let parts_of_fit = FIT.into_iter().zip(all);
            parts.extend(parts_of_fit.map(|(name, numbers)| (name, Dtype::F32, vec![numbers.len()], bytes(numbers))));
        }
        let mut tensors = Vec::new();
        for (name, kind, shape, data) in &parts {
            let view = TensorView::new(*kind, shape.clone(), data).map_err(std::io::Error::other)?;
            tensors.push(((*name).to_owned(), view));
        }
        metadata.insert(CONTENT.to_owned(), content(&tensors));
        let bytes = serialize(tensors, Some(metadata)).map_err(std::io::Error::other)?;
        std::fs::write(folder.join(FILE), bytes)
    }

    /// The embedding of a phrase, if it is remembered.
    pub(crate) fn get(&self, phrase: &str) -> Option<&[f32]> {
        self.known.get(&key(phrase)).map(Vec::as_slice)
    }

    /// The fit that was made on what has this digest, if it is remembered.
    pub(crate) fn fit(&self, on: &str) -> Option<&IntentFit> {
        self.fit.as_ref().filter(|(known, _)| known == on).map(|(_, fit)| fit)
    }
}

fn read_embeddings(file: &SafeTensors<'_>) -> Option<HashMap<[u8; KEY], Vec<f32>>> {
    let [keys, values, scales] = EMBEDDINGS.map(|name| file.tensor(name).ok());
    let (keys, values, scales) = (keys?, values?, scales?);
    let &[rows, width] = values.shape() else { return None };
    let types = (keys.dtype(), values.dtype(), scales.dtype());
    if types != (Dtype::U8, Dtype::I8, Dtype::F32)
        || keys.shape() != [rows, KEY]
        || scales.shape() != [rows]
        || width == 0
    {
        return None;
    }
    let rows = values.data().chunks_exact(width).zip(floats(scales.data()));
    let embed = |(row, scale): (&[u8], f32)| row.iter().map(|byte| f32::from(byte.cast_signed()) * scale).collect();
    let keys = keys.data().chunks_exact(KEY).filter_map(|key| <[u8; KEY]>::try_from(key).ok());
    Some(keys.zip(rows.map(embed)).collect())
}

/// The fit as it is written; whether its shapes fit the intents is for who restores it to see.
fn read_fit(file: &SafeTensors<'_>) -> Option<IntentFit> {
    let read = |name| {
        let tensor = file.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
        Some(floats(tensor.data()).collect::<Vec<f32>>())
    };
    let [weights, bias, deviation, sharpness, trust] = FIT.map(read);
    let (&[deviation], &[sharpness]) = (deviation?.as_slice(), sharpness?.as_slice()) else { return None };
    Some(IntentFit { regression: Fitted { weights: weights?, bias: bias?, deviation }, sharpness, trust: trust? })
}

/// SHA-256 in hex of tensors, in the order of their names.
fn content(tensors: &[(String, TensorView<'_>)]) -> String {
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by_key(|(name, _)| name);
    let mut digest = Sha256::new();
    for (name, tensor) in tensors {
        digest.update(format!("{name} {:?} {:?};", tensor.dtype(), tensor.shape()));
        digest.update(tensor.data());
    }
    hex(&digest.finalize())
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn key(phrase: &str) -> [u8; KEY] {
    let digest = Sha256::digest(phrase.as_bytes());
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHRASES: [(&str, [f32; 3]); 2] = [("where is my parcel", [0.6, -0.8, 0.0]), ("refund", [0.0, 0.0, 1.0])];

    fn fit() -> IntentFit {
        let regression = Fitted { weights: vec![0.1, 0.2, 0.3, 0.4], bias: vec![0.5, 0.6], deviation: 0.7 };
        IntentFit { regression, sharpness: 0.8, trust: vec![0.9, 1.0, 1.1, 1.2] }
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let phrases = PHRASES.map(|(phrase, embedding)| (phrase, embedding.to_vec()));
        Phrases::write(folder.path(), "digest", &phrases, Some(("all of it", &fit()))).unwrap();
        folder
    }

    #[test]
    fn what_was_written_comes_back_for_the_same_encoder_only() {
        let folder = written();
        let read = Phrases::read(folder.path(), "digest");
        for (phrase, embedding) in &PHRASES {
            let found = read.get(phrase).unwrap();
            assert!(found.iter().zip(embedding).all(|(found, written)| (found - written).abs() < 0.005), "{phrase}");
        }
        assert!(read.get("something else").is_none());
        assert_eq!(read.fit("all of it"), Some(&fit()));
        assert!(read.fit("something else").is_none());
        let another = Phrases::read(folder.path(), "another");
        assert!(another.get("refund").is_none() && another.fit("all of it").is_none());
    }

    #[test]
    fn a_damaged_file_is_left_aside() {
        let folder = written();
        let file = folder.path().join(FILE);
        let whole = std::fs::read(&file).unwrap();
        let header = 8 + usize::from(whole[0]) + 256 * usize::from(whole[1]);
        for damage in (header..whole.len()).chain(0..8) {
            let mut bytes = whole.clone();
            bytes[damage] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            let read = Phrases::read(folder.path(), "digest");
            assert!(read.get("refund").is_none() && read.fit("all of it").is_none(), "byte {damage}");
        }
        for damaged in [&b"damaged"[..], &whole[..whole.len() - 1]] {
            std::fs::write(&file, damaged).unwrap();
            assert!(Phrases::read(folder.path(), "digest").get("refund").is_none());
        }
    }
}
