//! Times rten on an ONNX file of a sentence encoder, as engines.py does with the other engines:
//!
//! `rten-side-by-side MODEL.onnx TOKENIZER.json TEXTS.json SECONDS` prints JSON. One thread, weights
//! packed when the file is opened; tokenizer, network and pooling are inside the measured time.

use rten::{ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use serde_json::{Value as Json, json};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokenizers::{PaddingParams, Tokenizer};

const LENGTHS: [usize; 5] = [8, 16, 32, 64, 128];
const SIZES: [usize; 3] = [1, 8, 32];
const WIDTH: usize = 384;

struct Encoder {
    tokenizer: Tokenizer,
    model: rten::Model,
    /// Inputs that the file asks for.
    inputs: Vec<(NodeId, &'static str)>,
    states: NodeId,
    options: RunOptions,
}

impl Encoder {
    fn open(model: &str, tokenizer: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let model = ModelOptions::with_all_ops().prepack_weights(true).load_file(model)?;
        let names = ["input_ids", "attention_mask", "token_type_ids"];
        let inputs = names.into_iter().filter_map(|name| Some((model.find_node(name)?, name))).collect();
        let states = *model.output_ids().first().ok_or("the model has no output")?;
        let mut tokenizer = Tokenizer::from_file(tokenizer)?;
        // Without a strategy the padding is to the longest text of the call.
        tokenizer.with_truncation(None)?.with_padding(Some(PaddingParams::default()));
        let options = RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(1))));
        Ok(Self { tokenizer, model, inputs, states, options })
    }

    /// Normalised means over the tokens of each text.
    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Box<dyn Error + Send + Sync>> {
        let found = self.tokenizer.encode_batch(texts.to_vec(), true)?;
        let tokens = found.first().map_or(0, |encoding| encoding.len());
        let value = |name: &str| {
            let of = |encoding: &tokenizers::Encoding| -> Vec<i32> {
                match name {
                    "input_ids" => encoding.get_ids().iter().map(|id| *id as i32).collect(),
                    "attention_mask" => encoding.get_attention_mask().iter().map(|one| *one as i32).collect(),
                    _ => vec![0; tokens],
                }
            };
            Value::from_shape([texts.len(), tokens], found.iter().flat_map(of).collect::<Vec<i32>>())
        };
        let mut inputs = Vec::new();
        for (node, name) in &self.inputs {
            inputs.push((*node, value(name)?.into()));
        }
        let [states] = self.model.run_n(inputs, [self.states], Some(self.options.clone()))?;
        let (_, states) = states.into_shape_vec::<f32, 3>()?;
        let means = found.iter().zip(states.chunks_exact(tokens * WIDTH)).map(|(encoding, rows)| {
            let mut mean = vec![0.0_f32; WIDTH];
            let mask = encoding.get_attention_mask();
            for (row, _) in rows.chunks_exact(WIDTH).zip(mask).filter(|(_, one)| **one == 1) {
                mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
            mean.iter_mut().for_each(|value| *value /= norm);
            mean
        });
        Ok(means.collect())
    }
}

/// One case: two calls unmeasured, then calls until the time is up.
fn measure(
    encoder: &Encoder,
    texts: &[&str],
    (tokens, size): (usize, usize),
    limit: Duration,
) -> Result<Json, Box<dyn Error + Send + Sync>> {
    let call = |number: usize| -> Vec<&str> {
        (0..size).map(|at| texts[(number * size + at) % texts.len()]).collect()
    };
    encoder.encode(&call(0))?;
    encoder.encode(&call(1))?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || begin.elapsed() < limit {
        let texts = call(2 + times.len());
        let started = Instant::now();
        std::hint::black_box(encoder.encode(&texts)?);
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let calls = times.len();
    times.sort_by(f64::total_cmp);
    let p50 = times[(calls - 1) / 2];
    Ok(json!({ "tokens": tokens, "size": size, "calls": calls, "p50_ms": p50,
        "texts_per_second": (calls * size) as f64 / seconds }))
}

fn strings(list: &Json) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, tokenizer, texts, seconds] = arguments.as_slice() else {
        return Err("usage: rten-side-by-side MODEL.onnx TOKENIZER.json TEXTS.json SECONDS".into());
    };
    let limit = Duration::from_secs_f64(seconds.parse()?);
    let encoder = Encoder::open(model, tokenizer)?;
    let texts: Json = serde_json::from_slice(&std::fs::read(texts)?)?;
    let mut cases = Vec::new();
    for tokens in LENGTHS {
        let texts = strings(&texts["lengths"][tokens.to_string()]);
        for size in SIZES {
            cases.push(measure(&encoder, &texts, (tokens, size), limit)?);
        }
    }
    let vectors = encoder.encode(&strings(&texts["check"]))?;
    println!("{}", json!({ "version": "rten 0.27.0", "cases": cases, "vectors": vectors }));
    Ok(())
}
