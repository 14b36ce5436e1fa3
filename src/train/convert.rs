//! From a sentence-transformers BERT folder to candor's compact encoder files.

use crate::nlu::bundle::{CONFIG, ENCODER, Section, TOKENIZER};
use crate::nlu::weights;
use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// What stands before all names where the file has more than the encoder in it.
const FAMILIES: [&str; 2] = ["bert.", "roberta."];
/// The parts that are read.
const PARTS: [&str; 2] = ["embeddings.", "encoder."];

/// Writes `config.json`, `encoder.safetensors` and `tokenizer.json` into `out`.
///
/// Only embeddings and layers are taken: mean pooling uses no pooler, nothing here guesses words, and
/// position ids are counted, not stored.
pub(crate) fn convert(source: &Path, out: &Path, section: &Section) -> Result<()> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let weights_file = source.join("model.safetensors");
    let stored = candle_core::safetensors::load(&weights_file, &Device::Cpu)
        .with_context(|| format!("cannot read {}", weights_file.display()))?;
    let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
    for (name, tensor) in stored {
        let own = FAMILIES.iter().find_map(|family| name.strip_prefix(family)).unwrap_or(&name);
        if PARTS.iter().any(|part| own.starts_with(part)) && !own.ends_with("position_ids") {
            tensors.insert(own.to_owned(), tensor.to_dtype(DType::F32)?);
        }
    }
    ensure!(tensors.contains_key("embeddings.word_embeddings.weight"), "{} is not a BERT", weights_file.display());
    std::fs::write(out.join(ENCODER), weights::write_compact(&tensors, &weights::Factors::new())?)?;

    let config = std::fs::read(source.join(CONFIG)).context("cannot read the encoder's config.json")?;
    let mut config: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&config)?;
    for unused in ["_name_or_path", "architectures", "gradient_checkpointing", "transformers_version", "use_cache"] {
        config.remove(unused);
    }
    config.insert("candor".to_owned(), serde_json::to_value(section)?);
    std::fs::write(out.join(CONFIG), serde_json::to_string_pretty(&config)? + "\n")?;
    std::fs::copy(source.join(TOKENIZER), out.join(TOKENIZER)).context("cannot copy tokenizer.json")?;
    Ok(())
}

/// Number of layers of the encoder in a folder.
pub(crate) fn depth(source: &Path) -> Result<usize> {
    size(source, "num_hidden_layers")
}

/// Width of the encoder in a folder.
pub(crate) fn width(source: &Path) -> Result<usize> {
    size(source, "hidden_size")
}

fn size(source: &Path, name: &str) -> Result<usize> {
    let file = source.join(CONFIG);
    let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let config: serde_json::Value = serde_json::from_slice(&text)?;
    let value = config.get(name).and_then(serde_json::Value::as_u64);
    Ok(usize::try_from(value.with_context(|| format!("{} has no {name}", file.display()))?)?)
}
