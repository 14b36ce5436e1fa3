//! `candor train`.
use crate::nlu::{bundle, encoder::Encoder, tokenize::Tokenizer, weights};
use crate::train::{cache::Cache, convert, data};
use std::path::PathBuf;
/// Options.
#[derive(clap::Args)]
pub struct Args {
    /// a
    #[arg(long)]
    pub encoder: PathBuf,
    /// b
    #[arg(long)]
    pub data: PathBuf,
    /// c
    #[arg(long)]
    pub out: PathBuf,
    /// d
    #[arg(long)]
    pub cache: PathBuf,
    /// e
    #[arg(long, value_delimiter=',')]
    pub sets: Vec<String>,
}
/// Runs.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let layers = [2, 3, 4, 5, 6];
    convert::convert(&args.encoder, &args.out, "support-minilm", 1, &layers)?;
    std::fs::create_dir_all(&args.cache)?;
    let bytes = std::fs::read(args.out.join(bundle::ENCODER))?;
    println!("encoder {} bytes", bytes.len());
    let tensors = weights::read(&bytes)?;
    let config = serde_json::from_slice(&std::fs::read(args.out.join(bundle::CONFIG))?)?;
    let tok = Tokenizer::read(&std::fs::read(args.out.join(bundle::TOKENIZER))?, 256).map_err(anyhow::Error::msg)?;
    let encoder = Encoder::load(tensors, &config, tok, &layers, 0)?;
    let cache = Cache { folder: Some(args.cache.clone()), key: "exp".to_owned(), encoder };
    for set in &args.sets {
        let start = std::time::Instant::now();
        let texts: Vec<String> = match set.as_str() {
            "ge_train" => data::goemotions(&args.data, "train")?.into_iter().map(|r| r.text).collect(),
            "ge_dev" => data::goemotions(&args.data, "dev")?.into_iter().map(|r| r.text).collect(),
            "ge_test" => data::goemotions(&args.data, "test")?.into_iter().map(|r| r.text).collect(),
            "uci" => data::uci(&args.data)?.into_iter().map(|r| r.text).collect(),
            "sst2" => data::sst2(&args.data)?.into_iter().map(|r| r.text).collect(),
            "tweets" => data::tweets(&args.data)?.into_iter().map(|r| r.text).collect(),
            "b_train" => data::banking77(&args.data, "train")?.into_iter().map(|r| r.0).collect(),
            "b_test" => data::banking77(&args.data, "test")?.into_iter().map(|r| r.0).collect(),
            other => data::support(std::path::Path::new(other))?.into_iter().map(|r| r.text).collect(),
        };
        let name = set.rsplit('/').next().unwrap_or(set);
        let f = cache.features(name, &texts)?;
        println!("{set} {:?} {:?}", f.dims(), start.elapsed());
    }
    Ok(())
}
