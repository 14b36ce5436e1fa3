//! The body of a small BERT on one core of a CPU: token ids in, means of layer states out.
//!
//! Products are int8 (weights symmetric per output channel, activations from lowest to highest per token, exact i32
//! sums), everything between them f32 and fused into the steps around it. Texts are packed without padding. The same
//! kernels are written once over the trait `simd::Simd` and compiled for each [`Tier`]. [`Table`] compares vectors of
//! f32 with the same instructions. The only crate of the project that may contain `unsafe`, and `simd` is the only
//! module of it that does. Knows nothing about tokenizers, files, heads or threads.

mod attention;
mod buffer;
mod encoder;
mod error;
mod layer;
mod model;
mod packed;
mod product;
mod rows;
#[expect(unsafe_code, reason = "instructions of the processor, and inner loops without checks")]
mod simd;
mod smoothing;
mod table;
mod tier;
mod weights;

#[cfg(test)]
mod tests;

pub use encoder::{Encoder, Part, Scratch, Tap, Text, Tops};
pub use error::Error;
pub use model::{ModelPeaks, Peaks};
pub use smoothing::smoothing;
pub use table::Table;
pub use tier::Tier;
pub use weights::{Config, EmbeddingWeights, LayerWeights, Linear, Matrix, Norm, Weights};
