//! What is remembered of the example phrases, a file beside the weights, so that a start does not
//! compute it again: their embeddings, and the fit of the intent classifier on all of them. Two thousand
//! phrases cost seconds and the fit another; reading both back costs milliseconds.
//!
//! Only a shortcut. A phrase that is not in the file is computed, a fit on anything else is made anew; a file
//! that is missing, damaged or made with another encoder is left aside. Knows no intents, only the
//! digest of what a fit was made on.

use super::bundle::hex;
use super::examples::{Centres, round_row};
use super::intent::IntentFit;
use super::regression::{Fitted, Layer};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;

/// The file's name in the model folder.
const FILE: &str = "phrases.safetensors";
/// The same of what was heard beside the phrases: several times as large, and needed for a new fit only.
const HEARD: &str = "heard.safetensors";
/// Name of the metadata field with the encoder's SHA-256.
const ENCODER: &str = "encoder";
/// Name of the one with the digest of what the fit was made on.
const FITTED_ON: &str = "fitted_on";
/// Name of the one with the SHA-256 of all tensors: a flipped bit in a weight would show nowhere else.
const CONTENT: &str = "content";
/// The tensors of the embeddings.
const EMBEDDINGS: [&str; 3] = ["keys", "values", "scales"];
/// The tensors of the fit.
const FIT: [&str; 7] = [
    "fit.hidden.weights",
    "fit.hidden.bias",
    "fit.classes.weights",
    "fit.classes.bias",
    "fit.deviation",
    "fit.factors",
    "fit.trust",
];
/// The tensors of the fit's centres.
const CENTRES: [&str; 3] = ["centres.owners", "centres.values", "centres.scales"];
/// Bytes of a phrase's digest that identify it.
const KEY: usize = 8;

/// Embeddings by phrase, and a fit.
#[derive(Default)]
pub(crate) struct Phrases {
    known: HashMap<[u8; KEY], usize>,
    embeddings: Rounded,
    /// With the digest of what it was made on.
    fit: Option<(String, IntentFit)>,
}

impl Phrases {
    /// What is remembered in `folder` for the encoder with this digest; nothing if it does not fit.
    pub(crate) fn read(folder: &Path, encoder: &str) -> Self {
        Self::read_file(folder, FILE, encoder)
    }

    /// What is remembered there of what was heard.
    pub(crate) fn read_heard(folder: &Path, encoder: &str) -> Self {
        Self::read_file(folder, HEARD, encoder)
    }

    fn read_file(folder: &Path, name: &str, encoder: &str) -> Self {
        let read = || -> Option<Self> {
            let bytes = std::fs::read(folder.join(name)).ok()?;
            let (_, metadata) = SafeTensors::read_metadata(&bytes).ok()?;
            let metadata = metadata.metadata().as_ref()?;
            let file = SafeTensors::deserialize(&bytes).ok()?;
            if metadata.get(ENCODER)? != encoder || *metadata.get(CONTENT)? != content(&file.tensors()) {
                return None;
            }
            let fit = metadata.get(FITTED_ON).and_then(|on| Some((on.clone(), read_fit(&file)?)));
            let (known, embeddings) = read_embeddings(&file)?;
            Some(Self { known, embeddings, fit })
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
        phrases: &[(String, Vec<f32>)],
        fit: Option<(&str, &IntentFit)>,
    ) -> std::io::Result<()> {
        Self::write_file(&folder.join(FILE), encoder, phrases, fit)
    }

    /// The same for what was heard.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write_heard(folder: &Path, encoder: &str, heard: &[(String, Vec<f32>)]) -> std::io::Result<()> {
        Self::write_file(&folder.join(HEARD), encoder, heard, None)
    }

    fn write_file(
        path: &Path,
        encoder: &str,
        phrases: &[(String, Vec<f32>)],
        fit: Option<(&str, &IntentFit)>,
    ) -> std::io::Result<()> {
        let keys: Vec<u8> = phrases.iter().flat_map(|(phrase, _)| key(phrase)).collect();
        let embeddings = Rounded::new(phrases.iter().map(|(_, embedding)| embedding.clone()));
        let [key_name, value_name, scale_name] = EMBEDDINGS;
        let mut parts = vec![(key_name, Dtype::U8, vec![phrases.len(), KEY], keys)];
        parts.extend(embeddings.parts([value_name, scale_name]));
        let mut metadata = HashMap::from([(ENCODER.to_owned(), encoder.to_owned())]);
        if let Some((on, IntentFit { regression, near, sharpness, trust, centres })) = fit {
            metadata.insert(FITTED_ON.to_owned(), on.to_owned());
            let factors = [*near, *sharpness];
            let Fitted { hidden, classes, deviation } = regression;
            let (layers, deviation) = ([&hidden.weights, &hidden.bias, &classes.weights, &classes.bias], [*deviation]);
            let all = layers.map(Vec::as_slice).into_iter().chain([&deviation[..], &factors, trust]);
            let parts_of_fit = FIT.into_iter().zip(all);
            parts.extend(parts_of_fit.map(|(name, numbers)| (name, Dtype::F32, vec![numbers.len()], bytes(numbers))));
            let [owner_name, value_name, scale_name] = CENTRES;
            let owners: Vec<u8> = centres.owners.iter().flat_map(|owner| (*owner as u32).to_le_bytes()).collect();
            parts.push((owner_name, Dtype::U32, vec![centres.owners.len()], owners));
            let width = centres.rows.len().checked_div(centres.owners.len()).unwrap_or(1).max(1);
            parts.extend(Rounded::new(centres.rows.chunks(width).map(<[f32]>::to_vec)).parts([value_name, scale_name]));
        }
        let mut tensors = Vec::new();
        for (name, kind, shape, data) in &parts {
            let view = TensorView::new(*kind, shape.clone(), data).map_err(std::io::Error::other)?;
            tensors.push(((*name).to_owned(), view));
        }
        metadata.insert(CONTENT.to_owned(), content(&tensors));
        let bytes = serialize(tensors, Some(metadata)).map_err(std::io::Error::other)?;
        std::fs::write(path, bytes)
    }

    /// Whether the embedding of a phrase is remembered.
    pub(crate) fn has(&self, phrase: &str) -> bool {
        self.known.contains_key(&key(phrase))
    }

    /// The embedding of a phrase, if it is remembered.
    pub(crate) fn get(&self, phrase: &str) -> Option<Vec<f32>> {
        self.known.get(&key(phrase)).map(|row| self.embeddings.row(*row))
    }

    /// The fit that was made on what has this digest, if it is remembered.
    pub(crate) fn fit(&self, on: &str) -> Option<&IntentFit> {
        self.fit.as_ref().filter(|(known, _)| known == on).map(|(_, fit)| fit)
    }
}

/// Rows of eight-bit numbers, each with its unit.
#[derive(Default)]
struct Rounded {
    width: usize,
    values: Vec<u8>,
    scales: Vec<f32>,
}

/// A tensor to write: name, type, shape, bytes.
type Part = (&'static str, Dtype, Vec<usize>, Vec<u8>);

impl Rounded {
    fn new(rows: impl Iterator<Item = Vec<f32>>) -> Self {
        let mut rounded = Self::default();
        for mut row in rows {
            rounded.width = row.len();
            rounded.scales.push(round_row(&mut row));
            rounded.values.extend(row.iter().map(|value| (*value as i8).cast_unsigned()));
        }
        rounded
    }

    fn parts(self, [values, scales]: [&'static str; 2]) -> [Part; 2] {
        let rows = self.scales.len();
        [
            (values, Dtype::I8, vec![rows, self.width], self.values),
            (scales, Dtype::F32, vec![rows], bytes(&self.scales)),
        ]
    }

    /// Takes what [`Rounded::parts`] gave; none if the shapes are others.
    fn read(file: &SafeTensors<'_>, names: [&str; 2]) -> Option<Self> {
        let [values, scales] = names.map(|name| file.tensor(name).ok());
        let (values, scales) = (values?, scales?);
        let &[rows, width] = values.shape() else { return None };
        let sound = (values.dtype(), scales.dtype()) == (Dtype::I8, Dtype::F32) && scales.shape() == [rows];
        sound.then(|| Self { width, values: values.data().to_vec(), scales: floats(scales.data()).collect() })
    }

    fn row(&self, at: usize) -> Vec<f32> {
        let row = &self.values[at * self.width..(at + 1) * self.width];
        row.iter().map(|byte| f32::from(byte.cast_signed()) * self.scales[at]).collect()
    }
}

fn read_embeddings(file: &SafeTensors<'_>) -> Option<(HashMap<[u8; KEY], usize>, Rounded)> {
    let [keys, values, scales] = EMBEDDINGS;
    let embeddings = Rounded::read(file, [values, scales])?;
    let keys = file.tensor(keys).ok()?;
    if keys.dtype() != Dtype::U8 || keys.shape() != [embeddings.scales.len(), KEY] || embeddings.width == 0 {
        return None;
    }
    let keys = keys.data().chunks_exact(KEY).filter_map(|key| <[u8; KEY]>::try_from(key).ok());
    Some((keys.zip(0..).collect(), embeddings))
}

/// The fit as it is written; whether its shapes fit the intents is for who restores it to see.
fn read_fit(file: &SafeTensors<'_>) -> Option<IntentFit> {
    let read = |name| {
        let tensor = file.tensor(name).ok().filter(|tensor| tensor.dtype() == Dtype::F32)?;
        Some(floats(tensor.data()).collect::<Vec<f32>>())
    };
    let [hidden, hidden_bias, classes, classes_bias, deviation, factors, trust] = FIT.map(read);
    let (&[deviation], &[near, sharpness]) = (deviation?.as_slice(), factors?.as_slice()) else { return None };
    let [owners, values, scales] = CENTRES;
    let owners = file.tensor(owners).ok().filter(|tensor| tensor.dtype() == Dtype::U32)?;
    let owners = owners.data().chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let owners: Vec<usize> = owners.map(|owner| owner as usize).collect();
    let rows = Rounded::read(file, [values, scales]).filter(|rows| rows.scales.len() == owners.len())?;
    let centres = Centres { rows: (0..owners.len()).flat_map(|at| rows.row(at)).collect(), owners };
    let layer = |weights: Option<Vec<f32>>, bias: Option<Vec<f32>>| Some(Layer { weights: weights?, bias: bias? });
    let (hidden, classes) = (layer(hidden, hidden_bias)?, layer(classes, classes_bias)?);
    let regression = Fitted { hidden, classes, deviation };
    Some(IntentFit { regression, near, sharpness, trust: trust?, centres })
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
        let classes = Layer { weights: vec![0.1, 0.2, 0.3, 0.4], bias: vec![0.5, 0.6] };
        let hidden = Layer { weights: vec![-0.1, 0.1], bias: vec![0.2, -0.5] };
        let regression = Fitted { hidden, classes, deviation: 0.7 };
        let centres = Centres { rows: vec![127.0, -64.0, 3.0, 127.0], owners: vec![0, 1] };
        IntentFit { regression, near: 1.5, sharpness: 0.8, trust: vec![0.9, 1.0, 1.1, 1.2], centres }
    }

    fn written() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let phrases = PHRASES.map(|(phrase, embedding)| (phrase.to_owned(), embedding.to_vec()));
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
