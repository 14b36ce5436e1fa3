//! Time of a run on each tier of this machine: six layers of MiniLM's size with random weights.
//!
//! `cargo bench --bench encoder`; the names are tier/texts x tokens.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nothing better to do than stop")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use encoder::{
    Config, EmbeddingWeights, Encoder, LayerWeights, Linear, Matrix, Norm, Part, Scratch, Tap, Text, Tier, Tops,
    Weights,
};
use std::hint::black_box;
use std::time::Duration;

const CONFIG: Config = Config {
    hidden: 384,
    heads: 12,
    intermediate: 1536,
    vocabulary: 30_522,
    positions: 512,
    position_offset: 0,
    epsilon: 1e-12,
};

/// Texts by tokens.
const SHAPES: [(usize, usize); 8] = [(1, 8), (1, 16), (1, 32), (1, 64), (1, 128), (1, 512), (8, 16), (32, 16)];

/// Uniform values around 0, the same in each run.
struct Noise(u64);

impl Noise {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn values(&mut self, count: usize, size: f32) -> Vec<f32> {
        (0..count).map(|_| (self.draw() as f32 / (1_u64 << 30) as f32 - 1.0) * size).collect()
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        let values = self.values(rows * columns, 0.08);
        Matrix::from_f32(rows, columns, &values, &[])
    }

    fn linear(&mut self, outputs: usize, inputs: usize) -> Linear {
        Linear { weight: self.matrix(outputs, inputs), bias: self.values(outputs, 0.1) }
    }

    fn norm(&mut self) -> Norm {
        Norm { scale: vec![1.0; CONFIG.hidden], shift: self.values(CONFIG.hidden, 0.1) }
    }

    fn layer(&mut self) -> LayerWeights {
        let (width, wide) = (CONFIG.hidden, CONFIG.intermediate);
        LayerWeights {
            query: self.linear(width, width),
            key: self.linear(width, width),
            value: self.linear(width, width),
            attended: self.linear(width, width),
            attention_norm: self.norm(),
            widen: self.linear(wide, width),
            narrow: self.linear(width, wide),
            norm: self.norm(),
        }
    }
}

fn weights() -> Weights {
    let mut noise = Noise(7);
    let embeddings = EmbeddingWeights {
        words: noise.matrix(CONFIG.vocabulary, CONFIG.hidden),
        positions: noise.matrix(CONFIG.positions, CONFIG.hidden),
        token_type: noise.values(CONFIG.hidden, 0.1),
        norm: noise.norm(),
    };
    Weights { embeddings, trunk: (0..6).map(|_| noise.layer()).collect(), tops: Vec::new() }
}

fn runs(criterion: &mut Criterion) {
    let weights = weights();
    for tier in Tier::available() {
        let taps = [Tap { part: Part::Trunk, layer: 5 }];
        let encoder = Encoder::new(CONFIG, weights.clone(), &taps, tier).unwrap();
        let mut group = criterion.benchmark_group(tier.to_string());
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(30);
        for (texts, tokens) in SHAPES {
            // The plain tier is a reference, not a choice: two sizes say enough.
            if tier == Tier::Scalar && (texts, tokens) != (1, 16) {
                continue;
            }
            let mut noise = Noise(11);
            let ids: Vec<Vec<u32>> = (0..texts)
                .map(|_| (0..tokens).map(|_| (noise.draw() % CONFIG.vocabulary as u64) as u32).collect())
                .collect();
            let batch: Vec<Text<'_>> = ids.iter().map(|ids| Text { ids, tops: Tops::NONE }).collect();
            let mut scratch = Scratch::new();
            group.bench_function(BenchmarkId::from_parameter(format!("{texts}x{tokens}")), |bencher| {
                bencher.iter(|| encoder.run(black_box(&batch), &mut scratch).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, runs);
criterion_main!(benches);
