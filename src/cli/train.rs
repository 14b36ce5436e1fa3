//! `candor train`: makes a model folder from a base encoder and data, or measures one.

use crate::nlu::bert::{embed, load_encoder};
use crate::nlu::bundle::{self, Bundle, ENCODER, HEADS};
use crate::nlu::heads::Heads;
use crate::nlu::phrases::Phrases;
use crate::nlu::weights;
use crate::prompt_files;
use crate::train::cache::Cache;
use crate::train::{convert, evaluate, recipe};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Name of the model that this recipe makes.
const NAME: &str = "support-minilm";
/// Counts up with each training that is published.
const REVISION: u32 = 1;
/// Layers whose features the heads read.
const POOLED_LAYERS: [usize; 5] = [2, 3, 4, 5, 6];

/// Options of `candor train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the base encoder (all-MiniLM-L6-v2): model.safetensors, config.json, tokenizer.json
    #[arg(long, required_unless_present_any = ["evaluate", "phrases"])]
    pub encoder: Option<PathBuf>,
    /// Folder with the public data sets, one folder each
    #[arg(long, required_unless_present = "phrases")]
    pub data: Option<PathBuf>,
    /// Folder with our own support messages (support-a.jsonl and so on)
    #[arg(long, default_value = "models/data")]
    pub corpus: PathBuf,
    /// The model folder: written, or with --evaluate read
    #[arg(long, default_value = "models/support-minilm")]
    pub out: PathBuf,
    /// Folder for computed features, so that a second run takes seconds
    #[arg(long)]
    pub cache: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// CPU threads, 0 for all cores
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Train nothing: print the figures of the model in --out
    #[arg(long)]
    pub evaluate: bool,
    /// Train nothing: compute the embeddings of the prompts' example phrases once and keep them in --out,
    /// so that the server starts sooner
    #[arg(long, conflicts_with = "evaluate")]
    pub phrases: bool,
    /// With --phrases: the folder of the prompts, instead of the built-in ones
    #[arg(long, requires = "phrases")]
    pub prompts: Option<PathBuf>,
}

/// Trains and measures, or only measures.
///
/// # Errors
/// If a file cannot be read or written, or the model folder is refused.
pub fn run(args: &Args) -> Result<()> {
    let Some(data) = args.data.as_ref().filter(|_| !args.phrases) else {
        return remember_phrases(args);
    };
    if let Some(folder) = &args.cache {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    if let (Some(encoder), false) = (&args.encoder, args.evaluate) {
        convert::convert(encoder, &args.out, NAME, REVISION, &POOLED_LAYERS)?;
        // The manifest must cover a heads file; the one written here is replaced below.
        std::fs::write(args.out.join(HEADS), b"")?;
        bundle::seal(&args.out)?;
        let cache = open_cache(args, &mut Bundle::read(&args.out)?)?;
        let heads = recipe::train(&cache, data, &args.corpus, args.seed)?;
        std::fs::write(args.out.join(HEADS), weights::write(&heads.tensors()?, false)?)?;
        bundle::seal(&args.out)?;
    }
    let mut bundle = Bundle::read(&args.out)?;
    println!("{}", bundle.version);
    let heads = weights::read(&bundle.take(HEADS)).map_err(|error| bundle.refuse(HEADS, error))?;
    let cache = open_cache(args, &mut bundle)?;
    let width = cache.encoder.hidden() * bundle.section.pooled_layers.len();
    let heads = Heads::from_tensors(heads, width).map_err(|reason| bundle.refuse(HEADS, reason))?;
    evaluate::evaluate(&cache, &heads, data, &args.corpus)
}

fn remember_phrases(args: &Args) -> Result<()> {
    let prompts = prompt_files::load(args.prompts.as_deref())?;
    let phrases: Vec<&str> = prompts.intents().iter().flat_map(|intent| &intent.examples).map(String::as_str).collect();
    let mut bundle = Bundle::read(&args.out)?;
    let encoder = load_encoder(&mut bundle, args.threads)?;
    let embeddings = embed(&encoder, &phrases)?;
    let remembered: Vec<(&str, Vec<f32>)> = phrases.into_iter().zip(embeddings).collect();
    Phrases::write(&args.out, &bundle.encoder, &remembered)?;
    println!("{} phrases are remembered in {}", remembered.len(), args.out.display());
    Ok(())
}

/// Features are the encoder's, so they are kept under its digest.
fn open_cache(args: &Args, bundle: &mut Bundle) -> Result<Cache> {
    let mut key = Sha256::new();
    key.update(std::fs::read(encoder_file(&args.out))?);
    key.update(format!("{:?} {}", bundle.section.pooled_layers, bundle.section.max_tokens));
    let encoder = load_encoder(bundle, args.threads)?;
    Ok(Cache { folder: args.cache.clone(), key: bundle::hex(&key.finalize()), encoder })
}

fn encoder_file(folder: &Path) -> PathBuf {
    folder.join(ENCODER)
}
