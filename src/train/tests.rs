//! Fine-tuning on a tiny random encoder: every weight learns, an interrupted run ends as an
//! uninterrupted one, and what was trained is what is served.

use super::network::{Example, Network, Shape};
use super::tune::{Material, Settings, tune};
use crate::domain::analysis::EMOTIONS;
use crate::nlu::bert::{load_encoder, load_reference};
use crate::nlu::bundle::{self, Bundle, ENCODER};
use crate::nlu::encoder::{Engine, MOOD_LAYERS, Wanted};
use crate::nlu::heads::Dense;
use crate::nlu::tests::write_tiny;
use crate::nlu::weights;
use candle_core::Tensor;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const TEXTS: [&str; 6] =
    ["where is my order", "refund", "i want a refund", "when are you open", "my order is open", "are you my refund"];

struct Tiny {
    shape: Shape,
    start: HashMap<String, Tensor>,
    states: Vec<Tensor>,
    lanes: Vec<rayon::ThreadPool>,
}

fn tiny(folder: &Path) -> Tiny {
    write_tiny(folder);
    let mut bundle = Bundle::read(folder).unwrap();
    let start = weights::read(bundle.content(ENCODER)).unwrap();
    let shape = Shape {
        config: bundle.bert.clone(),
        shared: bundle.section.shared_layers,
        pooled: bundle.section.mood_layers.clone(),
        dropout: 0.1,
        feature_dropout: 0.1,
    };
    let (tokenizer, reference) = load_reference(&mut bundle, 1).unwrap();
    let ids: Vec<Vec<u32>> = TEXTS.iter().map(|text| tokenizer.windows(text).unwrap().swap_remove(0)).collect();
    let states = reference.shared_states(&ids).unwrap();
    let lane = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    Tiny { shape, start, states, lanes: (0..2).map(lane).collect() }
}

/// All tasks occur, and none in every row.
fn examples() -> Vec<Example> {
    let example = |(at, text): (usize, &&str)| Example {
        text: (*text).to_owned(),
        emotions: (at % 2 == 0).then(|| vec![at % EMOTIONS.len()]),
        sentiment: (at != 1).then_some(([0.2, 0.3, 0.5], 1.0)),
        frustration: (at > 1).then_some((f32::from(u8::from(at % 2 == 0)), 2.0)),
    };
    TEXTS.iter().enumerate().map(example).collect()
}

fn settings() -> Settings {
    Settings { epochs: 2, batch: 2, rate: 1e-3, head_rate: 1e-2, decay: 0.01, checkpoint: 2, seed: 5 }
}

fn run(tiny: &Tiny, folder: Option<&Path>, limit: Option<usize>) -> HashMap<String, Tensor> {
    let material = Material { examples: &examples(), states: &tiny.states };
    let judge = |_: &Network<'_>| Ok(0.0);
    tune(&tiny.shape, &tiny.start, &material, &settings(), &tiny.lanes, judge, (folder, "key", limit)).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_trainable_weight_moves() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = tiny(folder.path());
    let before = tiny.shape.variables(&tiny.start).unwrap();
    // The heads start at zero and let nothing through to the layers in the very first step.
    let after = run(&tiny, None, None);
    assert_eq!(before.len(), after.len());
    for (name, var) in before {
        let (before, after) = (values(var.as_tensor()), values(&after[&name]));
        // A key's bias moves every score of a query alike, which softmax takes away again.
        if !name.ends_with("key.bias") {
            assert!(
                before.iter().zip(&after).any(|(before, after)| (before - after).abs() > 1e-7),
                "{name} stood still"
            );
        }
    }
}

#[test]
fn an_interrupted_run_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = tiny(folder.path());
    let whole = run(&tiny, Some(&folder.path().join("whole")), None);
    // Stopped between two checkpoints: the steps after the last one are done again.
    let parts = folder.path().join("parts");
    run(&tiny, Some(&parts), Some(3));
    run(&tiny, Some(&parts), Some(5));
    let resumed = run(&tiny, Some(&parts), None);
    for (name, tensor) in &whole {
        assert_eq!(values(tensor), values(&resumed[name]), "{name}");
    }
    let other = Material { examples: &examples(), states: &tiny.states };
    let settings = Settings { seed: 6, ..settings() };
    let seeded =
        tune(&tiny.shape, &tiny.start, &other, &settings, &tiny.lanes, |_| Ok(0.0), (Some(&parts), "other key", None));
    assert_ne!(values(&seeded.unwrap()["sentiment.weight"]), values(&whole["sentiment.weight"]));
}

#[test]
fn what_was_trained_is_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = tiny(folder.path());
    let trained = run(&tiny, None, None);
    let network = Network::new(&tiny.shape, |name| trained.get(name).cloned()).unwrap();
    let expected = network.scores(&tiny.states.iter().collect::<Vec<_>>(), None).unwrap()[1].to_vec2::<f32>().unwrap();

    let layers = trained.iter().filter(|(name, _)| name.starts_with(MOOD_LAYERS));
    let stored: BTreeMap<String, Tensor> =
        tiny.start.iter().chain(layers).map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    std::fs::write(folder.path().join(ENCODER), weights::write_compact(&stored, &weights::Factors::new()).unwrap())
        .unwrap();
    bundle::seal(folder.path()).unwrap();
    let encoder = load_encoder(&mut Bundle::read(folder.path()).unwrap(), (Engine::Reference, 1)).unwrap();
    let head = Dense { weight: values(&trained["sentiment.weight"]), bias: values(&trained["sentiment.bias"]) };
    for (features, expected) in encoder.encode(&TEXTS, Wanted::Both).unwrap().iter().zip(expected) {
        assert_eq!(features.meaning.len(), 2 * tiny.shape.config.hidden_size);
        for (found, expected) in head.apply(&features.mood).iter().zip(expected) {
            // The layers are rounded to 255 levels when they are stored.
            assert!((found - expected).abs() < 0.02, "{found} and {expected}");
        }
    }
}
