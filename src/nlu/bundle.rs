//! The model folder: which files it has, what its configuration says, and the checks that keep a
//! damaged or foreign file from being served.
//!
//! ```text
//! config.json          BERT sizes, and a `candor` section: labels, pooled layers, limits
//! encoder.safetensors  the transformer, int8 rows
//! heads.safetensors    the trained heads, f32
//! tokenizer.json       WordPiece
//! manifest.json        SHA-256 of each file above
//! ```
//! Knows files and labels; runs nothing.

use super::surface::CUES;
use crate::domain::analysis::EMOTIONS;
use candle_transformers::models::bert::Config as BertConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the folder's layout that this program reads and writes.
pub(crate) const FORMAT: u32 = 1;
/// The files that the manifest must list.
pub(crate) const FILES: [&str; 4] = [CONFIG, ENCODER, HEADS, TOKENIZER];
/// Configuration file.
pub(crate) const CONFIG: &str = "config.json";
/// Encoder weights.
pub(crate) const ENCODER: &str = "encoder.safetensors";
/// Head weights.
pub(crate) const HEADS: &str = "heads.safetensors";
/// Tokenizer.
pub(crate) const TOKENIZER: &str = "tokenizer.json";
/// Check sums.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Class order of the sentiment head.
pub(crate) const POLARITIES: [&str; 3] = ["negative", "neutral", "positive"];

/// Why a model folder was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// There is no model folder at the path: rules stand in.
    #[error("no model at {}", .0.display())]
    Missing(PathBuf),
    /// A file is there but not what it should be.
    #[error("{}: {reason}", .file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Layout version, [`FORMAT`].
    pub(crate) format: u32,
    /// SHA-256 in hex by file name.
    pub(crate) files: BTreeMap<String, String>,
}

/// The `candor` section of `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    /// Name of the model.
    pub(crate) name: String,
    /// Counts up with each published training.
    pub(crate) revision: u32,
    /// Layers whose mean over the tokens feeds the heads; the last one feeds the intents.
    pub(crate) pooled_layers: Vec<usize>,
    /// Texts are cut after this many tokens.
    pub(crate) max_tokens: usize,
    /// Languages that the heads were trained on, ISO 639-1.
    pub(crate) languages: Vec<String>,
    /// Output order of the emotion head.
    pub(crate) emotions: Vec<String>,
    /// Output order of the sentiment head.
    pub(crate) sentiment: Vec<String>,
    /// Visible cues that the frustration head reads after the features, in order.
    pub(crate) cues: Vec<String>,
}

impl Section {
    /// The section of a model with this program's labels.
    pub(crate) fn new(name: &str, revision: u32, pooled_layers: &[usize], max_tokens: usize) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            name: name.to_owned(),
            revision,
            pooled_layers: pooled_layers.to_vec(),
            max_tokens,
            languages: vec!["en".to_owned()],
            emotions: owned(&EMOTIONS),
            sentiment: owned(&POLARITIES),
            cues: owned(&CUES),
        }
    }
}

/// A checked model folder, in memory.
pub(crate) struct Bundle {
    /// BERT sizes.
    pub(crate) bert: BertConfig,
    /// candor's own section.
    pub(crate) section: Section,
    /// `name-revision-digest`: stored with every decision.
    pub(crate) version: String,
    /// SHA-256 of the encoder file.
    pub(crate) encoder: String,
    /// Contents by file name.
    contents: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) folder: PathBuf,
}

impl Bundle {
    /// Reads a folder and checks every file against the manifest and the labels of this program.
    pub(crate) fn read(folder: &Path) -> Result<Self, BundleError> {
        if !folder.join(MANIFEST).is_file() && !folder.join(ENCODER).is_file() {
            return Err(BundleError::Missing(folder.to_owned()));
        }
        let refuse = |file: &str, reason: String| BundleError::Refused { file: folder.join(file), reason };
        let load = |file: &str| std::fs::read(folder.join(file)).map_err(|error| refuse(file, error.to_string()));
        let manifest: Manifest =
            serde_json::from_slice(&load(MANIFEST)?).map_err(|error| refuse(MANIFEST, error.to_string()))?;
        if manifest.format != FORMAT {
            let reason = format!("layout {} is not {FORMAT}, the one this program reads", manifest.format);
            return Err(refuse(MANIFEST, reason));
        }
        let mut contents = BTreeMap::new();
        let mut all = Sha256::new();
        for file in FILES {
            let listed = manifest.files.get(file).ok_or_else(|| refuse(MANIFEST, format!("does not list {file}")))?;
            let bytes = load(file)?;
            let digest = hex(&Sha256::digest(&bytes));
            if digest != *listed {
                let reason = format!("damaged or foreign: its SHA-256 is {digest}, the manifest says {listed}");
                return Err(refuse(file, reason));
            }
            all.update(digest.as_bytes());
            contents.insert(file, bytes);
        }
        let (bert, section) = parse(&contents[CONFIG]).map_err(|reason| refuse(CONFIG, reason))?;
        let version = format!("{}-{}-{}", section.name, section.revision, &hex(&all.finalize())[..8]);
        let encoder = manifest.files[ENCODER].clone();
        Ok(Self { bert, section, version, encoder, contents, folder: folder.to_owned() })
    }

    /// Takes the content of one of [`FILES`] out, so that it is not held twice.
    pub(crate) fn take(&mut self, file: &'static str) -> Vec<u8> {
        self.contents.remove(file).unwrap_or_default()
    }

    /// A refusal that names the file.
    pub(crate) fn refuse(&self, file: &str, reason: impl ToString) -> BundleError {
        BundleError::Refused { file: self.folder.join(file), reason: reason.to_string() }
    }
}

/// Reads `config.json` and checks that its labels are the ones this program knows.
fn parse(bytes: &[u8]) -> Result<(BertConfig, Section), String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let section = value.get("candor").cloned().ok_or("it has no candor section")?;
    let section: Section = serde_json::from_value(section).map_err(|error| error.to_string())?;
    let bert: BertConfig = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let expected = Section {
        languages: section.languages.clone(),
        ..Section::new(&section.name, section.revision, &section.pooled_layers, section.max_tokens)
    };
    if section != expected {
        return Err("its labels or cues are not the ones of this program".to_owned());
    }
    let deepest = section.pooled_layers.iter().max();
    if deepest.is_none_or(|layer| *layer > bert.num_hidden_layers) {
        return Err("its pooled_layers do not fit num_hidden_layers".to_owned());
    }
    if !(3..=bert.max_position_embeddings).contains(&section.max_tokens) {
        return Err("its max_tokens does not fit max_position_embeddings".to_owned());
    }
    Ok((bert, section))
}

/// Writes the manifest over the files that are in `folder` now.
pub(crate) fn seal(folder: &Path) -> std::io::Result<()> {
    let mut files = BTreeMap::new();
    for file in FILES {
        files.insert(file.to_owned(), hex(&Sha256::digest(std::fs::read(folder.join(file))?)));
    }
    let mut text = serde_json::to_string_pretty(&Manifest { format: FORMAT, files })?;
    text.push('\n');
    std::fs::write(folder.join(MANIFEST), text)
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
