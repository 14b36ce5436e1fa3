//! Whole models on every tier: against plain formulas in f64, against one another, and against themselves
//! in other company.

#![expect(clippy::unwrap_used, reason = "helpers of tests are outside their functions")]

mod model;

use encoder::{Config, Encoder, Error, Linear, Matrix, Part, Scratch, Tap, Text, Tier, Tops, Weights, smoothing};
use model::{Noise, all_taps, cosine, reference};
use proptest::prelude::*;

const MINILM: Config = Config {
    hidden: 384,
    heads: 12,
    intermediate: 1536,
    vocabulary: 300,
    positions: 512,
    position_offset: 0,
    epsilon: 1e-12,
};

const TINY: Config =
    Config { hidden: 20, heads: 2, intermediate: 37, vocabulary: 11, positions: 12, position_offset: 2, epsilon: 1e-5 };

/// How far means of layer states of two tiers may be apart. A rounding difference of f32 can move an activation to the
/// next of 256 levels, no further.
const TOLERANCE: f32 = 0.05;

fn encoders(config: Config, weights: &Weights, taps: &[Tap]) -> Vec<Encoder> {
    let tiers = if cfg!(miri) { vec![Tier::Scalar] } else { Tier::available() };
    tiers.into_iter().map(|tier| Encoder::new(config, weights.clone(), taps, tier).unwrap()).collect()
}

fn apart(a: &[Vec<Vec<f32>>], b: &[Vec<Vec<f32>>]) -> f32 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.fold(0.0, |most, (a, b)| {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).fold(most, |most, (a, b)| most.max((a - b).abs()))
    })
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn means_are_those_of_the_formulas() {
    let weights = Noise(1).weights(&MINILM, 4, &[2, 2], 1.0);
    let taps = all_taps(&weights);
    let ids: Vec<Vec<u32>> = [3, 16, 40].iter().map(|count| Noise(*count).ids(&MINILM, *count as usize)).collect();
    let tops = [Tops::one(0).and(Tops::one(1)), Tops::one(1), Tops::NONE];
    let texts: Vec<Text<'_>> = ids.iter().zip(tops).map(|(ids, tops)| Text { ids, tops }).collect();
    let expected: Vec<Vec<Vec<f64>>> = texts.iter().map(|text| reference(&MINILM, &weights, &taps, *text)).collect();
    let mut all = Vec::new();
    for encoder in encoders(MINILM, &weights, &taps) {
        let found = encoder.run(&texts, &mut Scratch::new()).unwrap();
        let mut lowest = 1.0_f64;
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert_eq!(found.len(), expected.len());
            if !found.is_empty() {
                lowest = lowest.min(cosine(found, expected));
            }
        }
        println!("{}: lowest cosine {lowest:.5}, {} bytes", encoder.tier(), encoder.bytes());
        assert!(lowest > 0.999, "{}: {lowest}", encoder.tier());
        all.push(found);
    }
    for other in &all[1..] {
        println!("tiers apart {}", apart(&all[0], other));
        assert!(apart(&all[0], other) < TOLERANCE);
    }
}

/// A model some of whose values are far larger than the others, as they are in a trained BERT.
fn weights_with_outliers(config: &Config) -> Weights {
    let mut weights = Noise(5).weights(config, 2, &[1], 1.0);
    let Weights { embeddings, trunk, tops } = &mut weights;
    let layers = trunk.iter_mut().chain(tops.iter_mut().flatten());
    let norms = layers.flat_map(|layer| [&mut layer.attention_norm, &mut layer.norm]);
    for norm in std::iter::once(&mut embeddings.norm).chain(norms) {
        for place in [3, 70, 201] {
            norm.scale[place] *= 30.0;
        }
    }
    let layers = trunk.iter_mut().chain(tops.iter_mut().flatten());
    for linear in layers.flat_map(|layer| [&mut layer.query, &mut layer.key, &mut layer.value, &mut layer.widen]) {
        for row in linear.weight.values.chunks_exact_mut(config.hidden) {
            [3, 70, 201].iter().for_each(|place| row[*place] /= 30);
        }
    }
    weights
}

/// Smooths linear parts that read the same.
fn smooth(parts: &mut [&mut Linear], peaks: &[f32]) {
    let weights: Vec<Vec<f32>> = parts.iter().map(|part| part.weight.to_f32()).collect();
    let factors = smoothing(&weights.iter().map(Vec::as_slice).collect::<Vec<_>>(), peaks);
    for (part, weights) in parts.iter_mut().zip(&weights) {
        part.weight = Matrix::from_f32(part.weight.rows, part.weight.columns, weights, &factors);
    }
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn measured_peaks_bring_means_nearer_to_the_formulas() {
    let mut weights = weights_with_outliers(&MINILM);
    let taps = all_taps(&weights);
    let ids: Vec<Vec<u32>> = (0..8).map(|seed| Noise(seed).ids(&MINILM, 12)).collect();
    let texts: Vec<Text<'_>> = ids.iter().map(|ids| Text { ids, tops: Tops::one(0) }).collect();
    let (typical, unseen) = texts.split_at(6);
    let expected: Vec<Vec<Vec<f64>>> = unseen.iter().map(|text| reference(&MINILM, &weights, &taps, *text)).collect();
    let distance = |weights: &Weights| -> Vec<f64> {
        let one = |encoder: &Encoder| {
            let found = encoder.run(unseen, &mut Scratch::new()).unwrap();
            let pairs = found.iter().flatten().zip(expected.iter().flatten());
            pairs.map(|(found, expected)| 1.0 - cosine(found, expected)).sum()
        };
        encoders(MINILM, weights, &taps).iter().map(one).collect()
    };
    let before = distance(&weights);
    let peaks = encoders(MINILM, &weights, &taps)[0].measure(typical, &mut Scratch::new()).unwrap();
    assert!(peaks.trunk[0].attention[3] > 5.0 * peaks.trunk[0].attention[4], "an outlier is seen");
    let tops = weights.tops.iter_mut().flatten().zip(peaks.tops.into_iter().flatten());
    for (layer, peaks) in weights.trunk.iter_mut().zip(peaks.trunk).chain(tops) {
        smooth(&mut [&mut layer.query, &mut layer.key, &mut layer.value], &peaks.attention);
        smooth(&mut [&mut layer.widen], &peaks.widen);
    }
    for (before, after) in before.iter().zip(distance(&weights)) {
        println!("distance from the formulas: {before:.5} without peaks, {after:.5} with");
        assert!(after < 0.7 * before, "{after} is not well below {before}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 48 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_shapes_agree_on_every_tier(
        size in 1_usize..40, heads in 1_usize..4, intermediate in 1_usize..150, trunk in 0_usize..3, offset in 0_usize..3,
        lengths in prop::collection::vec(1_usize..30, 1..5), seed: u64,
    ) {
        // Of fewer than four values a normalised row is all sign: a rounding can turn it over.
        let hidden = size.max(4) * heads;
        let config = Config { hidden, heads, intermediate, vocabulary: 30, positions: 32, position_offset: offset, epsilon: 1e-5 };
        let mut noise = Noise(seed);
        let mut weights = noise.weights(&config, trunk, &[1, 0, 2], 0.7);
        for layer in weights.trunk.iter_mut().filter(|_| seed.is_multiple_of(2)) {
            let peaks: Vec<f32> = noise.values(hidden, 1.0).iter().map(|value| 3.0 + value.abs()).collect();
            smooth(&mut [&mut layer.query, &mut layer.key, &mut layer.value], &peaks);
            smooth(&mut [&mut layer.widen], &peaks);
        }
        let taps = all_taps(&weights);
        let ids: Vec<Vec<u32>> = lengths.iter().map(|length| noise.ids(&config, *length)).collect();
        let choose = |choice: u64| (0..3).filter(|top| choice & 1 << top != 0).fold(Tops::NONE, |all, top| all.and(Tops::one(top)));
        let texts: Vec<Text<'_>> = ids.iter().map(|ids| Text { ids, tops: choose(noise.draw()) }).collect();
        let all = encoders(config, &weights, &taps);
        let found: Vec<_> = all.iter().map(|encoder| encoder.run(&texts, &mut Scratch::new()).unwrap()).collect();
        for other in &found[1..] {
            prop_assert!(apart(&found[0], other) < 0.2, "{}", apart(&found[0], other));
        }
        for (text, found) in texts.iter().zip(&found[0]) {
            for (expected, found) in reference(&config, &weights, &taps, *text).iter().zip(found) {
                prop_assert_eq!(expected.len(), found.len());
                prop_assert!(found.is_empty() || cosine(found, expected) > 0.95, "{}", cosine(found, expected));
            }
        }
    }

    #[test]
    fn a_text_does_not_depend_on_its_company(
        lengths in prop::collection::vec((1_usize..=30, 0_u64..8), 1..12), seed: u64, turn in 0_usize..12,
    ) {
        let config = Config { hidden: 48, heads: 3, intermediate: 100, vocabulary: 30, positions: 32, position_offset: 2, epsilon: 1e-5 };
        let mut noise = Noise(seed);
        let weights = noise.weights(&config, 2, &[1, 2, 0], 1.0);
        let taps = all_taps(&weights);
        let ids: Vec<(Vec<u32>, Tops)> = lengths.iter().map(|(length, tops)| {
            let tops = (0..3).filter(|top| tops & 1 << top != 0).fold(Tops::NONE, |all, top| all.and(Tops::one(top)));
            (noise.ids(&config, *length), tops)
        }).collect();
        let mut texts: Vec<Text<'_>> = ids.iter().map(|(ids, tops)| Text { ids, tops: *tops }).collect();
        for encoder in encoders(config, &weights, &taps) {
            let mut scratch = Scratch::new();
            let together = encoder.run(&texts, &mut scratch).unwrap();
            for (text, together) in texts.iter().zip(&together) {
                let alone = encoder.run(&[*text], &mut scratch).unwrap();
                prop_assert_eq!(&alone[0], together);
                for (tap, mean) in taps.iter().zip(together) {
                    let wanted = match tap.part { Part::Trunk => true, Part::Top(top) => text.tops.contains(top) };
                    prop_assert_eq!(mean.len(), if wanted { config.hidden } else { 0 });
                }
            }
            let turn = turn % texts.len();
            texts.rotate_left(turn);
            let mut turned = encoder.run(&texts, &mut scratch).unwrap();
            texts.rotate_right(turn);
            turned.rotate_right(turn);
            prop_assert_eq!(turned, together);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "hours")]
fn many_texts_go_in_groups_and_a_scratch_is_reused() {
    let config = Config { hidden: 64, heads: 4, intermediate: 96, positions: 300, ..MINILM };
    let weights = Noise(5).weights(&config, 2, &[1], 1.0);
    let taps = all_taps(&weights);
    let ids: Vec<Vec<u32>> =
        [1, 300, 7, 127, 128, 129, 64, 2].iter().map(|count| Noise(3).ids(&config, *count)).collect();
    let mut texts: Vec<Text<'_>> = ids.iter().map(|ids| Text { ids, tops: Tops::one(0) }).collect();
    texts[3].tops = Tops::NONE;
    for encoder in encoders(config, &weights, &taps) {
        let mut scratch = Scratch::new();
        let first = encoder.run(&texts, &mut scratch).unwrap();
        let held = scratch.bytes();
        assert_eq!(first, encoder.run(&texts, &mut scratch).unwrap());
        assert_eq!(held, scratch.bytes(), "a second run of the same size needs no more");
        for (text, first) in texts.iter().zip(&first) {
            assert_eq!(&encoder.run(&[*text], &mut scratch).unwrap()[0], first);
        }
    }
}

#[test]
fn every_length_up_to_the_positions_is_read() {
    let weights = Noise(6).weights(&TINY, 1, &[1], 1.0);
    let taps = all_taps(&weights);
    for encoder in encoders(TINY, &weights, &taps) {
        let mut scratch = Scratch::new();
        for length in 1..=10 {
            let ids = Noise(length).ids(&TINY, length as usize);
            let text = Text { ids: &ids, tops: Tops::one(0) };
            let found = encoder.run(&[text], &mut scratch).unwrap();
            for (found, expected) in found[0].iter().zip(reference(&TINY, &weights, &taps, text)) {
                assert!(cosine(found, &expected) > 0.97, "{} tokens: {}", length, cosine(found, &expected));
            }
        }
    }
}

#[test]
fn extreme_weights_give_finite_means_on_every_tier() {
    let mut all = Vec::new();
    for (zero, outlier, size) in [(true, 0.0, 1.0), (false, 1e4, 1.0), (false, 0.0, 300.0), (false, 1e6, 1e-6)] {
        let mut weights = Noise(8).weights(&TINY, 2, &[], size);
        if zero {
            for layer in &mut weights.trunk {
                layer.query.weight.values.fill(0);
                layer.widen.weight.values.fill(0);
                layer.norm.scale.fill(0.0);
                layer.norm.shift.fill(0.0);
            }
            weights.embeddings.words = Matrix::from_f32(TINY.vocabulary, TINY.hidden, &[0.0; 11 * 20], &[]);
        }
        weights.trunk[0].widen.bias[3] = outlier;
        weights.trunk[0].attended.bias[1] = -outlier;
        weights.trunk[1].attention_norm.shift[2] = outlier;
        weights.trunk[0].key.weight.values.fill(127);
        weights.trunk[1].narrow.weight.values.fill(-127);
        let taps = all_taps(&weights);
        for encoder in encoders(TINY, &weights, &taps) {
            let ids = [0, 10, 3, 3, 7];
            let found = encoder.run(&[Text { ids: &ids, tops: Tops::NONE }], &mut Scratch::new()).unwrap();
            assert!(found.iter().flatten().flatten().all(|value| value.is_finite()), "{found:?}");
            all.push(found);
        }
    }
    assert!(!all.is_empty());
}

#[test]
fn what_does_not_fit_is_refused() {
    let weights = Noise(9).weights(&TINY, 1, &[1], 1.0);
    let new = |config: Config, weights: &Weights, taps: &[Tap]| {
        Encoder::new(config, weights.clone(), taps, Tier::Scalar).map(|encoder| encoder.tier())
    };
    assert_eq!(new(TINY, &weights, &[]), Ok(Tier::Scalar));
    for (part, layer) in [(Part::Trunk, 1), (Part::Top(0), 1), (Part::Top(1), 0)] {
        let taps = [Tap { part: Part::Trunk, layer: 0 }, Tap { part, layer }];
        assert_eq!(new(TINY, &weights, &taps), Err(Error::UnknownTap { tap: 1 }));
    }
    let heads = Config { heads: 3, ..TINY };
    assert_eq!(new(heads, &weights, &[]), Err(Error::Setting { what: "heads", value: 3 }));
    let offset = Config { position_offset: 12, ..TINY };
    assert_eq!(new(offset, &weights, &[]), Err(Error::Setting { what: "position_offset", value: 12 }));
    let wide = Config { hidden: 1 << 17, ..TINY };
    assert_eq!(new(wide, &weights, &[]), Err(Error::Setting { what: "hidden", value: 1 << 17 }));
    let mut short = weights.clone();
    short.trunk[0].narrow.bias.pop();
    let what = "trunk layer 0: narrow: bias".to_owned();
    assert_eq!(new(TINY, &short, &[]), Err(Error::Shape { what, expected: 20, found: 19 }));
    let mut infinite = weights.clone();
    infinite.tops[0][0].norm.scale[0] = f32::INFINITY;
    let what = "top 0 layer 0: norm: scale".to_owned();
    assert_eq!(new(TINY, &infinite, &[]), Err(Error::NotFinite { what }));
    for tier in [Tier::Avx512Vnni, Tier::Avx2, Tier::Scalar] {
        let here = Encoder::new(TINY, weights.clone(), &[], tier).map(|encoder| encoder.tier());
        let expected = if Tier::available().contains(&tier) { Ok(tier) } else { Err(Error::Unavailable(tier)) };
        assert_eq!(here, expected);
    }
}

#[test]
fn texts_that_cannot_be_read_are_refused() {
    let weights = Noise(9).weights(&TINY, 1, &[1], 1.0);
    let encoder = Encoder::new(TINY, weights, &[], if cfg!(miri) { Tier::Scalar } else { Tier::best() }).unwrap();
    let run = |ids: &[u32], tops: Tops| {
        let good = Text { ids: &[1], tops: Tops::NONE };
        encoder.run(&[good, Text { ids, tops }], &mut Scratch::new()).map(|means| means.len())
    };
    assert_eq!(run(&[0; 10], Tops::one(0)), Ok(2));
    assert_eq!(run(&[], Tops::NONE), Err(Error::Empty { text: 1 }));
    assert_eq!(run(&[0; 11], Tops::NONE), Err(Error::TooLong { text: 1, tokens: 11, most: 10 }));
    assert_eq!(run(&[0, 11], Tops::NONE), Err(Error::UnknownId { text: 1, id: 11 }));
    assert_eq!(run(&[0], Tops::one(1)), Err(Error::UnknownTop { text: 1 }));
    assert_eq!(run(&[0], Tops::one(31)), Err(Error::UnknownTop { text: 1 }));
    assert_eq!(encoder.run(&[], &mut Scratch::new()), Ok(Vec::new()));
}

#[test]
fn an_encoder_serves_several_threads() {
    let weights = Noise(9).weights(&TINY, 1, &[], 1.0);
    let encoder = Encoder::new(
        TINY,
        weights,
        &[Tap { part: Part::Trunk, layer: 0 }],
        if cfg!(miri) { Tier::Scalar } else { Tier::best() },
    )
    .unwrap();
    let run = || encoder.run(&[Text { ids: &[1, 2, 3], tops: Tops::NONE }], &mut Scratch::new()).unwrap();
    let first = run();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), first));
    });
}
