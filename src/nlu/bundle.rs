//! The model folder: which files it has, what its configuration says, and the checks that keep a
//! damaged or foreign file from being served.
//!
//! ```text
//! config.json          BERT sizes, and a `candor` section: layers, labels, thresholds, weights of the context
//! encoder.safetensors  the transformer, int8 rows
//! heads.safetensors    the trained heads, f32
//! tokenizer.json       WordPiece, or SentencePiece's Unigram
//! wishes.safetensors   the reader of wishes for a person, int8; may be missing
//! manifest.json        SHA-256 of each file above
//! ```
//! Knows files and labels; runs nothing.

use super::context::ContextModel;
use super::surface::CUES;
use crate::domain::analysis::EMOTIONS;
use candle_transformers::models::bert::Config as BertConfig;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Version of the folder's layout that this program reads and writes.
pub(crate) const FORMAT: u32 = 2;
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
/// Weights of the reader of wishes, where there is one.
pub(crate) const WISHES: &str = "wishes.safetensors";
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
    /// Lower layers that meaning and mood share; above them each has its own.
    pub(crate) shared_layers: usize,
    /// Two layers of the sentence encoder that intents are told apart by, counted from 1 at the
    /// bottom; the last one is the embedding.
    pub(crate) meaning_layers: [usize; 2],
    /// Mood layers whose mean over the tokens feeds the heads, counted from 1 at the bottom.
    pub(crate) mood_layers: Vec<usize>,
    /// Texts are cut after this many tokens.
    pub(crate) max_tokens: usize,
    /// Languages that the heads were trained on, ISO 639-1.
    pub(crate) languages: Vec<String>,
    /// Output order of the emotion head.
    pub(crate) emotions: Vec<String>,
    /// Output order of the sentiment head.
    pub(crate) sentiment: Vec<String>,
    /// Visible cues that frustration in context weighs, in order.
    pub(crate) cues: Vec<String>,
    /// Where a probability becomes a yes.
    pub(crate) thresholds: Thresholds,
    /// Weights of frustration in context.
    pub(crate) frustration: ContextModel,
}

/// Where a probability becomes a yes, chosen on development data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Thresholds {
    /// Clear or severe frustration, 0 to 1.
    pub(crate) frustration: f32,
    /// One per emotion, 0 to 1.
    pub(crate) emotions: Vec<f32>,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { frustration: 0.5, emotions: vec![0.5; EMOTIONS.len()] }
    }
}

impl Section {
    /// The section of a model with this program's labels.
    pub(crate) fn new(
        name: &str,
        revision: u32,
        shared_layers: usize,
        (meaning_layers, mood_layers): ([usize; 2], &[usize]),
        max_tokens: usize,
    ) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            name: name.to_owned(),
            revision,
            shared_layers,
            meaning_layers,
            mood_layers: mood_layers.to_vec(),
            max_tokens,
            languages: vec!["en".to_owned()],
            emotions: owned(&EMOTIONS),
            sentiment: owned(&POLARITIES),
            cues: owned(&CUES),
            thresholds: Thresholds::default(),
            frustration: ContextModel::default(),
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

/// What a folder's configuration says, once that is checked against the manifest and all files are found there.
/// Cheap: weights are not read.
pub(crate) fn glance(folder: &Path) -> Result<Section, BundleError> {
    let manifest = read_manifest(folder)?;
    for file in listed(&manifest) {
        let found = std::fs::metadata(folder.join(file)).map_err(|error| refuse(folder, file, error.to_string()))?;
        if !found.is_file() {
            return Err(refuse(folder, file, "it is no file".to_owned()));
        }
    }
    let (config, _) = read_listed(folder, &manifest, CONFIG)?;
    parse(&config).map(|(_, section)| section).map_err(|reason| refuse(folder, CONFIG, reason))
}

fn refuse(folder: &Path, file: &str, reason: String) -> BundleError {
    BundleError::Refused { file: folder.join(file), reason }
}

fn read(folder: &Path, file: &str) -> Result<Vec<u8>, BundleError> {
    std::fs::read(folder.join(file)).map_err(|error| refuse(folder, file, error.to_string()))
}

fn read_manifest(folder: &Path) -> Result<Manifest, BundleError> {
    if !folder.join(MANIFEST).is_file() && !folder.join(ENCODER).is_file() {
        return Err(BundleError::Missing(folder.to_owned()));
    }
    let manifest: Manifest = serde_json::from_slice(&read(folder, MANIFEST)?)
        .map_err(|error| refuse(folder, MANIFEST, error.to_string()))?;
    if manifest.format != FORMAT {
        let reason = format!("layout {} is not {FORMAT}, the one this program reads", manifest.format);
        return Err(refuse(folder, MANIFEST, reason));
    }
    Ok(manifest)
}

/// The files that are read. What the manifest does not list is not served, as no digest vouches for it.
fn listed(manifest: &Manifest) -> impl Iterator<Item = &'static str> {
    FILES.into_iter().chain(manifest.files.contains_key(WISHES).then_some(WISHES))
}

/// A file's content and digest, checked against the manifest.
fn read_listed(folder: &Path, manifest: &Manifest, file: &str) -> Result<(Vec<u8>, String), BundleError> {
    let listed = manifest.files.get(file).ok_or_else(|| refuse(folder, MANIFEST, format!("does not list {file}")))?;
    let bytes = read(folder, file)?;
    let digest = hex(&Sha256::digest(&bytes));
    if digest != *listed {
        let reason = format!("damaged or foreign: its SHA-256 is {digest}, the manifest says {listed}");
        return Err(refuse(folder, file, reason));
    }
    Ok((bytes, digest))
}

impl Bundle {
    /// Reads a folder and checks every file against the manifest and the labels of this program.
    pub(crate) fn read(folder: &Path) -> Result<Self, BundleError> {
        let manifest = read_manifest(folder)?;
        let mut contents = BTreeMap::new();
        let mut all = Sha256::new();
        for file in listed(&manifest) {
            let (bytes, digest) = read_listed(folder, &manifest, file)?;
            all.update(digest.as_bytes());
            contents.insert(file, bytes);
        }
        let (bert, section) = parse(&contents[CONFIG]).map_err(|reason| refuse(folder, CONFIG, reason))?;
        let version = format!("{}-{}-{}", section.name, section.revision, &hex(&all.finalize())[..8]);
        let encoder = manifest.files[ENCODER].clone();
        Ok(Self { bert, section, version, encoder, contents, folder: folder.to_owned() })
    }

    /// The content of one of [`FILES`], or of [`WISHES`]; empty where that is not there.
    pub(crate) fn content(&self, file: &str) -> &[u8] {
        self.contents.get(file).map_or(&[], Vec::as_slice)
    }

    /// Takes the content of one of [`FILES`] out, so that it is not held twice.
    pub(crate) fn take(&mut self, file: &'static str) -> Vec<u8> {
        self.contents.remove(file).unwrap_or_default()
    }

    /// A refusal that names the file.
    pub(crate) fn refuse(&self, file: &str, reason: impl ToString) -> BundleError {
        refuse(&self.folder, file, reason.to_string())
    }
}

/// Reads `config.json` and checks that its labels are the ones this program knows.
fn parse(bytes: &[u8]) -> Result<(BertConfig, Section), String> {
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let section = value.get("candor").cloned().ok_or("it has no candor section")?;
    let section: Section = serde_json::from_value(section).map_err(|error| error.to_string())?;
    let bert: BertConfig = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if let Some(kind) = bert.model_type.as_deref()
        && kind != "bert"
        && !ROBERTAS.contains(&kind)
    {
        return Err(format!("its model_type is {kind}; bert, {} are read", ROBERTAS.join(", ")));
    }
    let own = Section::new("", 0, 0, ([0, 0], &[]), 0);
    if (&section.emotions, &section.sentiment, &section.cues) != (&own.emotions, &own.sentiment, &own.cues) {
        return Err("its labels or cues are not the ones of this program".to_owned());
    }
    let top = section.shared_layers + 1..=bert.num_hidden_layers;
    let [lower, last] = section.meaning_layers;
    let mood = &section.mood_layers;
    let is_whole = !mood.is_empty() && mood.is_sorted_by(|one, next| one < next);
    if !is_whole
        || !mood.iter().all(|layer| top.contains(layer))
        || lower == 0
        || lower > last
        || last != bert.num_hidden_layers
    {
        return Err("its shared, meaning and mood layers do not fit num_hidden_layers".to_owned());
    }
    let shares = section.thresholds.emotions.iter().chain([&section.thresholds.frustration]);
    if section.thresholds.emotions.len() != EMOTIONS.len()
        || !shares.into_iter().all(|share| (0.0..=1.0).contains(share))
    {
        return Err("its thresholds are not one per emotion and one for frustration, each 0 to 1".to_owned());
    }
    if !section.frustration.is_whole() {
        return Err("its frustration weights are not one per evidence".to_owned());
    }
    let positions = bert.max_position_embeddings.saturating_sub(position_offset(&bert));
    if !(3..=positions).contains(&section.max_tokens) {
        return Err("its max_tokens does not fit max_position_embeddings".to_owned());
    }
    Ok((bert, section))
}

/// Values of `model_type` whose positions are counted from behind padding's row.
const ROBERTAS: [&str; 3] = ["roberta", "xlm-roberta", "camembert"];

/// Row of the first token in the table of positions: 0 for BERT, the one behind padding's for RoBERTa and its kin.
pub(crate) fn position_offset(config: &BertConfig) -> usize {
    let kind = config.model_type.as_deref().unwrap_or_default();
    if ROBERTAS.contains(&kind) { config.pad_token_id + 1 } else { 0 }
}

/// Puts this section into the folder's configuration, in the place of the one there.
pub(crate) fn write_section(folder: &Path, section: &Section) -> std::io::Result<()> {
    let file = folder.join(CONFIG);
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&std::fs::read(&file)?)?;
    config.insert("candor".to_owned(), serde_json::to_value(section)?);
    std::fs::write(file, serde_json::to_string_pretty(&config)? + "\n")
}

/// Writes the manifest over the files that are in `folder` now.
pub(crate) fn seal(folder: &Path) -> std::io::Result<()> {
    let mut files = BTreeMap::new();
    let wishes = folder.join(WISHES).is_file().then_some(WISHES);
    for file in FILES.into_iter().chain(wishes) {
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
