//! The committed sentence encoder against PyTorch on the same weights: `tests/golden/make.py` wrote
//! what that says.

use crate::nlu::bert::{embedding, load_encoder};
use crate::nlu::bundle::Bundle;
use crate::nlu::encoder::{Encoder, Engine, Wanted};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::path::{Path, PathBuf};

/// Least cosine in f32: the order of additions is all that differs.
const EXACT: f32 = 0.9999;
/// Least cosine in int8.
const ROUNDED: f32 = 0.99;

#[derive(serde::Deserialize)]
struct Golden {
    text: String,
    windows: usize,
    meaning: String,
}

impl Golden {
    fn meaning(&self) -> Vec<f32> {
        let bytes = BASE64_STANDARD.decode(&self.meaning).unwrap();
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
    }
}

fn read(file: &Path) -> Vec<Golden> {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn open(folder: &Path, engine: Engine) -> Encoder {
    load_encoder(&mut Bundle::read(folder).unwrap(), (engine, 0)).unwrap()
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// In double width, so that the figure is the vectors' and not the sum's.
fn cosine(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    let dot = |left: &[f32], right: &[f32]| {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum::<f64>()
    };
    (dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()) as f32
}

/// The lowest cosine with PyTorch, and its text.
fn compare(encoder: &Encoder, golden: &[Golden]) -> (f32, String) {
    let texts: Vec<&str> = golden.iter().map(|one| one.text.as_str()).collect();
    for one in golden {
        let windows = encoder.tokenizer().windows(&one.text).unwrap().len();
        assert_eq!(windows, one.windows, "{:?} is read in other windows", one.text);
    }
    let found = encoder.encode(&texts, Wanted::Meaning).unwrap();
    let cosines = golden.iter().zip(&found).map(|(one, found)| cosine(&one.meaning(), embedding(&found.meaning)));
    let cosines: Vec<f32> = cosines.collect();
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    let (lowest, one) = cosines.into_iter().zip(golden).min_by(|left, right| left.0.total_cmp(&right.0)).unwrap();
    let (engine, count) = (encoder.engine(), golden.len());
    println!("{engine}: {count} texts, cosine with PyTorch {lowest:.6} at the lowest, {mean:.6} on average");
    (lowest, one.text.clone())
}

fn check(folder: &Path, golden: &[Golden]) {
    let tiers = encoder::Tier::available().into_iter().map(|tier| (Engine::Int8(tier), ROUNDED));
    for (engine, least) in std::iter::once((Engine::Reference, EXACT)).chain(tiers) {
        let (lowest, text) = compare(&open(folder, engine), golden);
        assert!(lowest >= least, "{engine:?}: cosine {lowest} for {text:?}");
    }
}

#[test]
fn every_engine_says_what_pytorch_says_on_the_same_weights() {
    let golden = read(&in_repository("tests/golden/meaning.json"));
    assert!(golden.len() >= 40 && golden.iter().any(|one| one.windows > 1));
    check(&in_repository("models/support-minilm"), &golden);
}

#[test]
#[ignore = "reads the file that CANDOR_GOLDEN names, made by tests/golden/make.py for the model in CANDOR_GOLDEN_MODEL"]
fn every_engine_says_what_pytorch_says_on_a_file_of_texts() {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let folder = named("CANDOR_GOLDEN_MODEL").unwrap_or_else(|| in_repository("models/support-minilm"));
    check(&folder, &read(&named("CANDOR_GOLDEN").unwrap()));
}
