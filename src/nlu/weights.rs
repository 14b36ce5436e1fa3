//! The compact weight format: each matrix as int8 with one f32 scale per row, vectors as f32, in a
//! safetensors file.
//!
//! A quarter of the size of f32, and the cosine of a sentence embedding against the f32 weights
//! stays above 0.999 because every row keeps its own range. Knows nothing about layers or names.

use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};

/// Suffix of the tensor that holds a matrix's row scales.
const SCALE: &str = ".scale";

/// Why a weight file was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WeightError {
    /// Not a safetensors file, or cut short.
    #[error("not a readable safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor has a type or shape that this format does not use.
    #[error("tensor {name}: {reason}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The tensor library refused.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Reads a compact file into f32 tensors, all of them in memory at full width.
///
/// # Errors
/// If the file is not in the format, or a matrix lacks its scales.
pub(crate) fn read(bytes: &[u8]) -> Result<HashMap<String, Tensor>, WeightError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        if name.ends_with(SCALE) {
            continue;
        }
        let values = match (view.dtype(), view.shape()) {
            (Dtype::F32, _) => floats(&view),
            (Dtype::I8, &[rows, columns]) => {
                let scales = file.tensor(&format!("{name}{SCALE}"))?;
                if scales.dtype() != Dtype::F32 || scales.shape() != [rows] {
                    return Err(refuse(&name, "its row scales have the wrong type or length"));
                }
                dequantise(view.data(), &floats(&scales), columns)
            }
            (kind, shape) => {
                return Err(refuse(&name, &format!("unexpected type {kind:?} with shape {shape:?}")));
            }
        };
        let tensor = Tensor::from_vec(values, view.shape(), &Device::Cpu)?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// Writes f32 tensors in the compact form: two-dimensional ones as int8 rows, others as they are.
///
/// # Errors
/// If a tensor is not f32 or the file cannot be assembled.
pub(crate) fn write(tensors: &BTreeMap<String, Tensor>, compact: bool) -> Result<Vec<u8>, WeightError> {
    let mut buffers: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in tensors {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        match tensor.dims() {
            &[rows, columns] if compact => {
                let (levels, scales) = quantise(&values, columns);
                buffers.push((name.clone(), Dtype::I8, vec![rows, columns], levels));
                buffers.push((format!("{name}{SCALE}"), Dtype::F32, vec![rows], bytes(&scales)));
            }
            shape => buffers.push((name.clone(), Dtype::F32, shape.to_vec(), bytes(&values))),
        }
    }
    let mut views = BTreeMap::new();
    for (name, kind, shape, data) in &buffers {
        views.insert(name.as_str(), TensorView::new(*kind, shape.clone(), data)?);
    }
    Ok(safetensors::serialize(views, None)?)
}

/// Rounds each row of `columns` values to 255 levels of its own range.
fn quantise(values: &[f32], columns: usize) -> (Vec<u8>, Vec<f32>) {
    let mut levels = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / columns.max(1));
    for row in values.chunks(columns.max(1)) {
        let largest = row.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        scales.push(scale);
        levels.extend(row.iter().map(|value| (value / scale).round().clamp(-127.0, 127.0) as i8 as u8));
    }
    (levels, scales)
}

fn dequantise(levels: &[u8], scales: &[f32], columns: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(levels.len());
    for (row, scale) in levels.chunks(columns.max(1)).zip(scales) {
        values.extend(row.iter().map(|level| f32::from(*level as i8) * scale));
    }
    values
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    view.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn refuse(name: &str, reason: &str) -> WeightError {
    WeightError::Tensor { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BTreeMap<String, Tensor> {
        let matrix = Tensor::from_vec(vec![0.5_f32, -1.0, 0.25, 100.0, 0.0, -50.0], (2, 3), &Device::Cpu);
        let vector = Tensor::from_vec(vec![1.5_f32, -2.25], 2, &Device::Cpu);
        BTreeMap::from([("m".to_owned(), matrix.unwrap()), ("v".to_owned(), vector.unwrap())])
    }

    #[test]
    fn each_row_keeps_its_own_range() {
        let file = write(&sample(), true).unwrap();
        let back = read(&file).unwrap();
        let matrix = back["m"].to_vec2::<f32>().unwrap();
        let expected = [[0.5, -1.0, 0.25], [100.0, 0.0, -50.0]];
        for (row, (got, want)) in matrix.iter().zip(expected).enumerate() {
            let step = [1.0 / 127.0, 100.0 / 127.0][row];
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() <= step / 2.0 + 1e-6, "row {row}: {got} for {want}");
            }
        }
        assert_eq!(back["v"].to_vec1::<f32>().unwrap(), [1.5, -2.25], "vectors stay exact");
    }

    #[test]
    fn a_matrix_without_scales_is_refused() {
        let data = [1_u8, 2, 3, 4];
        let view = TensorView::new(Dtype::I8, vec![2, 2], &data).unwrap();
        let file = safetensors::serialize(BTreeMap::from([("m", view)]), None).unwrap();
        assert!(read(&file).is_err());
    }

    #[test]
    fn a_file_that_was_cut_short_is_refused() {
        let file = write(&sample(), true).unwrap();
        assert!(read(&file[..file.len() - 3]).is_err());
    }
}
