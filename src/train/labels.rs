//! A user's own labels: the heads for sentiment and frustration move from the shipped ones towards
//! them, and the calibration with them. The layers stay as they are, so this takes seconds.
//!
//! The heads learn what is to be added to the shipped scores, under a pull to zero: few labels
//! change little, many change much.

use super::cache::Cache;
use super::calibrate;
use super::corpus::Turn;
use super::fit::{Loss, Rows as FitRows, fit, scores};
use super::recipe::{seen, select};
use crate::measure::labels::{Level, NEUTRAL};
use crate::measure::rows::{Columns, Row, read};
use crate::nlu::bundle::Section;
use crate::nlu::heads::{Dense, Heads};
use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use std::path::Path;

/// Fewer labels of a kind than this say nothing.
const FEWEST: usize = 20;
/// One in so many labels is kept for the calibration.
const HELD: usize = 3;
/// Pull of what is added to zero, against the summed loss: some hundred labels outweigh it.
const PULL: f64 = 300.0;

/// Adapts heads and calibration to a labelled file; says what was done.
pub(crate) fn adapt(cache: &Cache, heads: &mut Heads, section: &mut Section, file: &Path) -> Result<String> {
    let rows = read(file, &Columns::default())?;
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let polar: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].sentiment.is_some()).collect();
    let moody: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].frustration.is_some()).collect();
    ensure!(
        polar.len().max(moody.len()) >= FEWEST,
        "{} has {} sentiment and {} frustration labels; at least {FEWEST} of one kind are needed",
        file.display(),
        polar.len(),
        moody.len()
    );
    let features = cache.features("labels", &texts)?;
    let mut said = Vec::new();
    if polar.len() >= FEWEST {
        let class = |row: &Row| (0..3).map(|class| f32::from(u8::from(row.sentiment == Some(class)))).collect();
        let (learn, hold) = deal(&polar);
        add(&mut heads.sentiment, &features, &rows, &learn, &class, Loss::Softmax)?;
        let found = scores(&heads.sentiment, &select(&features, &hold)?)?.to_vec2()?;
        let truth: Vec<usize> = hold.iter().filter_map(|at| rows[*at].sentiment).collect();
        if (0..3).all(|class| truth.contains(&class)) {
            calibrate::rescale(&mut heads.sentiment, calibrate::choose_temperature(&found, &truth));
        }
        said.push(format!("{} sentiment labels", polar.len()));
    }
    if moody.len() >= FEWEST {
        let frustrated = |row: &Row| row.frustration.is_some_and(|level| level.is_frustrated());
        let (learn, hold) = deal(&moody);
        let target = |row: &Row| vec![f32::from(u8::from(frustrated(row)))];
        add(&mut heads.frustration, &features, &rows, &learn, &target, Loss::Sigmoid)?;
        let turn = |at: &usize| Turn {
            text: rows[*at].text.clone(),
            sentiment: rows[*at].sentiment.unwrap_or(NEUTRAL),
            frustration: rows[*at].frustration.unwrap_or(Level::None),
            earlier: Vec::new(),
            heard: Vec::new(),
        };
        let held: Vec<Turn> = hold.iter().map(turn).collect();
        let seen = seen(cache, heads, &held, &select(&features, &hold)?)?;
        let truth: Vec<bool> = hold.iter().map(|at| frustrated(&rows[*at])).collect();
        if truth.contains(&true) && truth.contains(&false) {
            let before = section.frustration.clone();
            section.frustration = calibrate::fit_context(&seen, &truth, &before);
            let rows = calibrate::gather(&seen, &section.frustration);
            let found: Vec<f32> = rows.iter().map(|row| section.frustration.probability(row)).collect();
            section.thresholds.frustration = calibrate::choose_threshold(&found, &truth);
        }
        said.push(format!("{} frustration labels", moody.len()));
    }
    Ok(said.join(" and "))
}

/// Two thirds to learn from, one third to calibrate on.
fn deal(rows: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (hold, learn): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(place, _)| place % HELD == 0);
    let bare = |rows: Vec<(usize, &usize)>| rows.into_iter().map(|(_, row)| *row).collect();
    (bare(learn), bare(hold))
}

/// Adds to a head what the chosen rows teach beyond it.
fn add(
    head: &mut Dense,
    features: &Tensor,
    rows: &[Row],
    chosen: &[usize],
    target: &dyn Fn(&Row) -> Vec<f32>,
    loss: Loss,
) -> Result<()> {
    let inputs = select(features, chosen)?;
    let known = scores(head, &inputs)?;
    let targets: Vec<f32> = chosen.iter().flat_map(|at| target(&rows[*at])).collect();
    let targets = Tensor::from_vec(targets, known.shape(), &Device::Cpu)?;
    let weights = vec![1.0; chosen.len()];
    let rows = FitRows { inputs: &inputs, targets: &targets, weights: &weights, known: Some(&known) };
    let added = fit(&rows, loss, PULL, || ())?;
    head.weight.iter_mut().zip(added.weight).for_each(|(weight, added)| *weight += added);
    head.bias.iter_mut().zip(added.bias).for_each(|(bias, added)| *bias += added);
    Ok(())
}
