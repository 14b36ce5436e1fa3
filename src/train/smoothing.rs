//! Smoothing of a model folder's layers: what their inputs reach is measured on turns of our own, and the weights are
//! rounded anew with the column factors that follow from it. Readings in int8 are several times nearer to those in f32
//! afterwards. Knows nothing about heads.

use super::corpus;
use crate::nlu::Engine;
use crate::nlu::bert::load_encoder;
use crate::nlu::bundle::{self, Bundle, ENCODER};
use crate::nlu::transformer::PARTS;
use crate::nlu::weights;
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

/// Turns on which inputs are measured.
const TURNS: usize = 512;

/// Smooths the layers that are not smoothed yet.
pub(crate) fn smooth(folder: &Path, corpus: &Path, threads: usize) -> Result<()> {
    let turns = corpus::turns_of(corpus, &corpus::TUNING)?;
    let texts: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).take(TURNS).collect();
    let mut bundle = Bundle::read(folder)?;
    let content = bundle.content(ENCODER);
    let refuse = |error| bundle.refuse(ENCODER, error);
    let mut factors = weights::read_stored(content).map_err(refuse)?.factors();
    let tensors: BTreeMap<String, Tensor> = weights::read(content).map_err(refuse)?.into_iter().collect();
    let smoothed = factors.len();
    let [query, key, value, .., widen, _, _] = PARTS;
    let encoder = load_encoder(&mut bundle, (Engine::default(), threads))?;
    for (layer, peaks) in encoder.measure(&texts)? {
        for (parts, peaks) in [(&[query, key, value][..], &peaks.attention), (&[widen], &peaks.widen)] {
            let names: Vec<String> = parts.iter().map(|part| format!("{layer}.{part}.weight")).collect();
            if names.iter().all(|name| factors.contains_key(name)) {
                continue;
            }
            let values = |name: &String| -> Result<Vec<f32>> {
                let tensor = tensors.get(name).with_context(|| format!("{name} is missing"))?;
                Ok(tensor.flatten_all()?.to_vec1()?)
            };
            let values = names.iter().map(values).collect::<Result<Vec<_>>>()?;
            let found = encoder::smoothing(&values.iter().map(Vec::as_slice).collect::<Vec<_>>(), peaks);
            factors.extend(names.into_iter().map(|name| (name, found.clone())));
        }
    }
    if factors.len() > smoothed {
        std::fs::write(folder.join(ENCODER), weights::write_compact(&tensors, &factors)?)?;
        bundle::seal(folder)?;
    }
    Ok(())
}
