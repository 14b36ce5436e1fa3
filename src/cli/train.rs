//! `candor train`: makes a model folder from an encoder and data, adapts one to a user's labels, or
//! measures one.

use crate::nlu::bert::{self, Example, embed, examples, fit_key, load_encoder, load_heads, load_reference};
use crate::nlu::bundle::{self, Bundle, ENCODER, HEADS, Section, WISHES};
use crate::nlu::encoder::MOOD_LAYERS;
use crate::nlu::heads::{Dense, Heads};
use crate::nlu::phrases::Phrases;
use crate::nlu::{Engine, weights};
use crate::prompt_files;
use crate::serve::intent_examples;
use crate::train::cache::Cache;
use crate::train::network::{HEADS as HEAD_SIZES, Shape};
use crate::train::recipe::Folders;
use crate::train::tune::Settings;
use crate::train::{convert, corpus, counterfactual, evaluate, labels, recipe, smoothing, wishes};
use anyhow::{Context, Result};
use candle_core::Tensor;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// Name of the model that this recipe makes.
const NAME: &str = "support-minilm";
/// Counts up with each training that is published.
const REVISION: u32 = 2;
/// Most tokens of a text that the served model reads.
const MAX_TOKENS: usize = 256;

/// Options of `candor train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model folder: its encoder is what training starts from; written, or with --evaluate read
    #[arg(long, default_value = "models/support-minilm")]
    pub out: PathBuf,
    /// Folder with the public data sets, one folder each
    #[arg(long, required_unless_present_any = ["phrases", "labels", "wishes"])]
    pub data: Option<PathBuf>,
    /// Folder with our own support dialogues and posts
    #[arg(long, default_value = "models/data")]
    pub corpus: PathBuf,
    /// Start from another encoder of the BERT family: a folder with model.safetensors, config.json, tokenizer.json
    #[arg(long)]
    pub encoder: Option<PathBuf>,
    /// Name of the model, with --encoder
    #[arg(long, default_value = NAME, requires = "encoder")]
    pub name: String,
    /// Languages that the data teach (ISO 639-1), with --encoder
    #[arg(long, default_value = "en", value_delimiter = ',', requires = "encoder")]
    pub languages: Vec<String>,
    /// Lower layers that stay the sentence encoder's [default: half of them], with --encoder
    #[arg(long, requires = "encoder")]
    pub shared_layers: Option<usize>,
    /// Folder for checkpoints, computed features and the report: an interrupted run goes on from it
    #[arg(long, default_value = "target/train")]
    pub work: PathBuf,
    /// Most passes over the training data
    #[arg(long, default_value_t = 2)]
    pub epochs: usize,
    /// Seed of everything random
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// CPU threads, 0 for all cores
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Train the heads and the calibration alone, on the mood layers as they are
    #[arg(long, conflicts_with = "encoder")]
    pub heads: bool,
    /// Adapt the heads and the calibration to your own labels: a file as `candor eval` reads it
    #[arg(long, conflicts_with_all = ["heads", "encoder"])]
    pub labels: Option<PathBuf>,
    /// Train nothing: print the figures of the model in --out
    #[arg(long, conflicts_with_all = ["heads", "encoder", "labels"])]
    pub evaluate: bool,
    /// Train no model: compute the embeddings of the prompts' example phrases and fit the intents on them once
    /// and keep both in --out, so that the server starts sooner
    #[arg(long, conflicts_with_all = ["heads", "encoder", "labels", "evaluate"])]
    pub phrases: bool,
    /// Train the reader of wishes for a person alone, on wishes.jsonl in --corpus: seconds
    #[arg(long, conflicts_with_all = ["heads", "encoder", "labels", "evaluate", "phrases"])]
    pub wishes: bool,
    /// With --phrases: the folder of the prompts, instead of the built-in ones
    #[arg(long, requires = "phrases")]
    pub prompts: Option<PathBuf>,
}

/// Trains, adapts or measures.
///
/// # Errors
/// If a file cannot be read or written, or the model folder is refused.
pub fn run(args: &Args) -> Result<()> {
    if args.phrases {
        return remember_phrases(args);
    }
    if args.wishes {
        return fit_wishes(args);
    }
    std::fs::create_dir_all(&args.work).with_context(|| format!("cannot make {}", args.work.display()))?;
    if let Some(file) = &args.labels {
        let said = change(args, |cache, heads, section| labels::adapt(cache, heads, section, file))?;
        println!("{} now follows {said}", args.out.display());
        return Ok(());
    }
    let data = args.data.as_deref().context("--data is missing")?;
    let folders = Folders { data, corpus: &args.corpus, work: &args.work };
    if !args.evaluate {
        if !args.heads {
            tune(args, &folders)?;
        }
        smoothing::smooth(&args.out, &args.corpus, args.threads)?;
        change(args, |cache, heads, section| {
            *heads = recipe::fit_heads(cache, &folders, args.seed)?;
            recipe::calibrate(cache, heads, section, &folders)
        })?;
    }
    let mut bundle = Bundle::read(&args.out)?;
    println!("{}", bundle.version);
    let cache = open_cache(args, &mut bundle)?;
    let heads = load_heads(&mut bundle, &cache.encoder)?;
    let report = evaluate::evaluate(&cache, &heads, &bundle.section, data, &args.corpus)?;
    let report = serde_json::to_string_pretty(&report)?;
    let file = args.work.join("report.json");
    std::fs::write(&file, &report).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{report}");
    Ok(())
}

/// Fine-tunes the mood layers and writes them, rounded.
fn tune(args: &Args, folders: &Folders<'_>) -> Result<()> {
    if let Some(encoder) = &args.encoder {
        start_folder(args, encoder)?;
    }
    let mut bundle = Bundle::read(&args.out)?;
    let mut start = weights::read(bundle.content(ENCODER)).map_err(|error| bundle.refuse(ENCODER, error))?;
    start.retain(|name, _| !name.starts_with(MOOD_LAYERS));
    let stored = weights::read_stored(bundle.content(ENCODER)).map_err(|error| bundle.refuse(ENCODER, error))?;
    let mut factors = stored.factors();
    factors.retain(|name, _| !name.starts_with(MOOD_LAYERS));
    let (config, section) = (bundle.bert.clone(), bundle.section.clone());
    let key = format!("{} {} {} {}", fingerprint(&start)?, args.seed, args.epochs, corpus_digest(folders)?);
    let (tokenizer, reference) = load_reference(&mut bundle, args.threads)?;
    let shape = Shape {
        config,
        shared: section.shared_layers,
        pooled: section.mood_layers.clone(),
        dropout: 0.1,
        feature_dropout: 0.2,
    };
    let settings = Settings {
        epochs: args.epochs,
        batch: 48,
        rate: 1e-4,
        head_rate: 1e-3,
        decay: 0.01,
        checkpoint: 250,
        seed: args.seed,
    };
    let layers = recipe::tune_layers((&tokenizer, &reference), &start, &shape, &settings, folders, &key)?;
    let tensors: BTreeMap<String, Tensor> = start.into_iter().chain(layers).collect();
    std::fs::write(args.out.join(ENCODER), weights::write_compact(&tensors, &factors)?)?;
    write_empty_heads(args, shape.config.hidden_size * shape.pooled.len())
}

/// A model folder around another encoder, with heads that know nothing yet.
fn start_folder(args: &Args, encoder: &Path) -> Result<()> {
    let depth = convert::depth(encoder)?;
    let shared = args.shared_layers.unwrap_or(depth / 2).min(depth.saturating_sub(1));
    let mood: Vec<usize> = (shared.max(depth.saturating_sub(3)) + 1..=depth).collect();
    let layers = ([depth.saturating_sub(1).max(1), depth], mood.as_slice());
    let section =
        Section { languages: args.languages.clone(), ..Section::new(&args.name, REVISION, shared, layers, MAX_TOKENS) };
    convert::convert(encoder, &args.out, &section)?;
    write_empty_heads(args, convert::width(encoder)? * mood.len())
}

/// Heads of the right sizes that say nothing: what stands in the folder until they are fitted.
fn write_empty_heads(args: &Args, width: usize) -> Result<()> {
    let empty = HEAD_SIZES.map(|(_, outputs)| Dense { weight: vec![0.0; outputs * width], bias: vec![0.0; outputs] });
    let [emotion, sentiment, frustration] = empty;
    write_heads(args, &Heads { emotion, sentiment, frustration })
}

fn write_heads(args: &Args, heads: &Heads) -> Result<()> {
    std::fs::write(args.out.join(HEADS), weights::write(&heads.tensors()?)?)?;
    Ok(bundle::seal(&args.out)?)
}

/// Opens the folder, changes heads and section, writes both.
fn change<T>(args: &Args, change: impl FnOnce(&Cache, &mut Heads, &mut Section) -> Result<T>) -> Result<T> {
    let mut bundle = Bundle::read(&args.out)?;
    let cache = open_cache(args, &mut bundle)?;
    let mut heads = load_heads(&mut bundle, &cache.encoder)?;
    let outcome = change(&cache, &mut heads, &mut bundle.section)?;
    bundle::write_section(&args.out, &bundle.section)?;
    write_heads(args, &heads)?;
    Ok(outcome)
}

fn remember_phrases(args: &Args) -> Result<()> {
    let prompts = prompt_files::load(args.prompts.as_deref())?;
    let intents = intent_examples(&prompts);
    let (heard, written): (Vec<Example>, Vec<Example>) =
        intents.iter().enumerate().flat_map(examples).partition(|example| example.heard);
    let mut bundle = Bundle::read(&args.out)?;
    let encoder = load_encoder(&mut bundle, (Engine::default(), args.threads))?;
    let read = |examples: Vec<Example>| -> Result<Vec<(String, Vec<f32>)>> {
        let texts: Vec<String> = examples.into_iter().map(|example| example.text).collect();
        let meanings = embed(&encoder, &texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(texts.into_iter().zip(meanings).collect())
    };
    let (written, heard) = (read(written)?, read(heard)?);
    // Written and read back before the fit, which is to be that of a start: on meanings that were rounded.
    Phrases::write_heard(&args.out, &bundle.encoder, &heard)?;
    Phrases::write(&args.out, &bundle.encoder, &written, None)?;
    let key = fit_key(&bundle.encoder, &intents);
    let fit = bert::fit((&encoder, 1), &intents, (&args.out, &bundle.encoder), &key)?.fitted();
    Phrases::write(&args.out, &bundle.encoder, &written, Some((&key, &fit)))?;
    let (written, heard) = (written.len(), heard.len());
    println!("{written} phrases, {heard} heard messages and the fit on them are remembered in {}", args.out.display());
    Ok(())
}

/// Fits the reader of wishes, seals the folder, and prints what readers find of writers that they never saw.
fn fit_wishes(args: &Args) -> Result<()> {
    let sentences = wishes::read(&args.corpus)?;
    let reader = wishes::fit(&sentences.iter().collect::<Vec<_>>())?;
    let file = args.out.join(WISHES);
    std::fs::write(&file, reader.bytes()?).with_context(|| format!("cannot write {}", file.display()))?;
    bundle::seal(&args.out)?;
    println!("{}", Bundle::read(&args.out)?.version);
    println!("{} sentences; {}", sentences.len(), wishes::figures(&sentences)?);
    Ok(())
}

/// Features are the encoder's, so they are kept under its digest.
fn open_cache(args: &Args, bundle: &mut Bundle) -> Result<Cache> {
    let mut key = Sha256::new();
    key.update(&bundle.encoder);
    key.update(format!("{:?} {}", bundle.section.mood_layers, bundle.section.max_tokens));
    let encoder = load_encoder(bundle, (Engine::default(), args.threads))?;
    let folder = args.work.join("features");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(Cache { folder: Some(folder), key: bundle::hex(&key.finalize()), encoder })
}

/// Digest of the tensors that training starts from.
fn fingerprint(tensors: &HashMap<String, Tensor>) -> Result<String> {
    let mut digest = Sha256::new();
    for (name, tensor) in tensors.iter().collect::<BTreeMap<_, _>>() {
        digest.update(name.as_bytes());
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            digest.update(value.to_le_bytes());
        }
    }
    Ok(bundle::hex(&digest.finalize()))
}

/// Digest of our own training files: a changed corpus is another training.
fn corpus_digest(folders: &Folders<'_>) -> Result<String> {
    let mut digest = Sha256::new();
    for file in corpus::training_files().chain([counterfactual::FILE]) {
        digest.update(std::fs::read(folders.corpus.join(file)).with_context(|| format!("cannot read {file}"))?);
    }
    Ok(bundle::hex(&digest.finalize()))
}
