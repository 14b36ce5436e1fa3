//! Where an interrupted training goes on: a file of tensors, and a small JSON file that names it
//! and is written last, so that a stop at any moment leaves a whole checkpoint.

use super::optimiser::AdamW;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor, safetensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const INDEX: &str = "checkpoint.json";

/// How far a training has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    #[serde(skip)]
    folder: Option<PathBuf>,
    key: String,
    /// Steps that are done.
    pub(crate) step: usize,
    file: String,
    /// Development score and file of the best epoch so far.
    best: Option<(f64, String)>,
    #[serde(skip)]
    best_values: Option<HashMap<String, Tensor>>,
}

impl Checkpoint {
    /// What `folder` holds for this key, or a fresh start.
    pub(crate) fn open(folder: Option<&Path>, key: &str) -> Result<Self> {
        let fresh = Self { folder: folder.map(Path::to_owned), key: key.to_owned(), ..Self::default() };
        let Some(folder) = folder else { return Ok(fresh) };
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let Ok(text) = std::fs::read(folder.join(INDEX)) else { return Ok(fresh) };
        let found: Self = serde_json::from_slice(&text).with_context(|| format!("{INDEX} is damaged"))?;
        if found.key != key {
            eprintln!("the checkpoint in {} is of another training and is left aside", folder.display());
            return Ok(fresh);
        }
        let best_values = found.best.as_ref().map(|(_, file)| load(&folder.join(file))).transpose()?;
        Ok(Self { folder: fresh.folder, best_values, ..found })
    }

    /// The optimiser's state, if a step was done.
    pub(crate) fn state(&self) -> Result<Option<HashMap<String, Tensor>>> {
        let Some(folder) = self.folder.as_ref().filter(|_| self.step > 0) else { return Ok(None) };
        load(&folder.join(&self.file)).map(Some)
    }

    /// Writes the state after `step` steps and removes the one before it.
    pub(crate) fn write(&mut self, optimiser: &AdamW) -> Result<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        let before = std::mem::replace(&mut self.file, format!("checkpoint-{}.safetensors", self.step));
        save(&optimiser.state()?, &folder.join(&self.file))?;
        let index = folder.join(format!("{INDEX}.new"));
        std::fs::write(&index, serde_json::to_vec(self)?).context("cannot write the checkpoint")?;
        std::fs::rename(&index, folder.join(INDEX)).context("cannot write the checkpoint")?;
        if !before.is_empty() && before != self.file {
            // What is left over only takes space.
            drop(std::fs::remove_file(folder.join(before)));
        }
        Ok(())
    }

    /// Keeps the variables if no epoch before scored as high.
    pub(crate) fn judge(&mut self, score: f64, optimiser: &AdamW) -> Result<()> {
        if self.best.as_ref().is_some_and(|(best, _)| *best >= score) {
            return Ok(());
        }
        let values = values(optimiser)?;
        let file = format!("best-{}.safetensors", self.step);
        if let Some(folder) = &self.folder {
            save(&values, &folder.join(&file))?;
        }
        self.best = Some((score, file));
        self.best_values = Some(values);
        Ok(())
    }

    /// The variables of the best epoch; the present ones if none was judged.
    pub(crate) fn best(self, optimiser: &AdamW) -> Result<HashMap<String, Tensor>> {
        self.best_values.map_or_else(|| values(optimiser), Ok)
    }
}

fn values(optimiser: &AdamW) -> Result<HashMap<String, Tensor>> {
    optimiser.variables().map(|(name, var)| Ok((name.clone(), var.as_tensor().copy()?))).collect()
}

fn save(tensors: &HashMap<String, Tensor>, file: &Path) -> Result<()> {
    safetensors::save(tensors, file).with_context(|| format!("cannot write {}", file.display()))
}

fn load(file: &Path) -> Result<HashMap<String, Tensor>> {
    safetensors::load(file, &Device::Cpu).with_context(|| format!("cannot read {}", file.display()))
}
