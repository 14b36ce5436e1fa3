//! What a model is made of, as the caller hands it over: sizes, int8 matrices, vectors.
//!
//! Checks that everything fits together. Knows nothing about packing or running.

use crate::Error;

/// Sizes of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Width of a token's state.
    pub hidden: usize,
    /// Attention heads; they share the width evenly.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub intermediate: usize,
    /// Words that have an embedding.
    pub vocabulary: usize,
    /// Rows of the table of positions.
    pub positions: usize,
    /// Row of the first token's position: 0 for BERT, 2 for the XLM-R family.
    pub position_offset: usize,
    /// Added to the variance in layer normalisation.
    pub epsilon: f32,
}

/// Largest width whose sums cannot leave i32, at any step: a level is no further than 255 from that of zero and a
/// weight no larger than 128, and 255 * 128 * 2^16 < 2^31.
const WIDEST: usize = 1 << 16;

impl Config {
    /// Values of a head.
    pub(crate) fn head(&self) -> usize {
        self.hidden / self.heads
    }

    /// Most tokens of a text.
    pub(crate) fn longest(&self) -> usize {
        self.positions - self.position_offset
    }

    fn check(&self) -> Result<(), Error> {
        let within = |what: &'static str, value: usize, most: usize| {
            if value == 0 || value > most { Err(Error::Setting { what, value }) } else { Ok(()) }
        };
        within("hidden", self.hidden, WIDEST)?;
        within("intermediate", self.intermediate, WIDEST)?;
        within("heads", self.heads, self.hidden)?;
        within("vocabulary", self.vocabulary, u32::MAX as usize)?;
        within("positions", self.positions, u32::MAX as usize)?;
        if !self.hidden.is_multiple_of(self.heads) {
            return Err(Error::Setting { what: "heads", value: self.heads });
        }
        if self.position_offset >= self.positions {
            return Err(Error::Setting { what: "position_offset", value: self.position_offset });
        }
        if !self.epsilon.is_finite() || self.epsilon < 0.0 {
            return Err(Error::NotFinite { what: "epsilon".to_owned() });
        }
        Ok(())
    }
}

/// A matrix as int8 with a scale for each row and, where its inputs are smoothed, a factor for each column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows: outputs of a linear part, words of a table.
    pub rows: usize,
    /// Columns: inputs of a linear part, width of a table.
    pub columns: usize,
    /// Row after row.
    pub values: Vec<i8>,
    /// One per row; a value stands for itself times its row's scale, and its column's factor if there is one.
    pub scales: Vec<f32>,
    /// One per column, above 0: what an input is multiplied with before it is rounded. Empty for 1 everywhere.
    pub factors: Vec<f32>,
}

impl Matrix {
    /// Rounds each row to 255 levels of its own range, after its values are divided by their columns' `factors` (empty
    /// for none).
    ///
    /// # Panics
    /// If there are fewer values than rows times columns, or some factors but not one for each column.
    #[must_use]
    pub fn from_f32(rows: usize, columns: usize, values: &[f32], factors: &[f32]) -> Self {
        assert!(factors.is_empty() || factors.len() == columns, "one factor for each column");
        let mut matrix = Self { rows, columns, factors: factors.to_vec(), ..Self::default() };
        let mut divided = vec![0.0_f32; columns];
        for row in 0..rows {
            divided.copy_from_slice(&values[row * columns..][..columns]);
            divided.iter_mut().zip(factors).for_each(|(value, factor)| *value /= factor);
            let largest = divided.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            matrix.scales.push(scale);
            matrix.values.extend(divided.iter().map(|value| (value / scale).round().clamp(-127.0, 127.0) as i8));
        }
        matrix
    }

    /// The values that it stands for, row after row.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.values.len());
        for (row, scale) in self.values.chunks_exact(self.columns.max(1)).zip(&self.scales) {
            let start = values.len();
            values.extend(row.iter().map(|level| f32::from(*level) * scale));
            values[start..].iter_mut().zip(&self.factors).for_each(|(value, factor)| *value *= factor);
        }
        values
    }

    /// One row, and what its values are multiplied with.
    pub(crate) fn row(&self, row: usize) -> (&[i8], f32) {
        (&self.values[row * self.columns..][..self.columns], self.scales[row])
    }

    fn check(&self, what: &str, rows: usize, columns: usize) -> Result<(), Error> {
        size(format!("{what}: rows"), rows, self.rows)?;
        size(format!("{what}: columns"), columns, self.columns)?;
        size(format!("{what}: values"), rows * columns, self.values.len())?;
        vector(&format!("{what}: scales"), rows, &self.scales)?;
        if self.factors.is_empty() { Ok(()) } else { vector(&format!("{what}: factors"), columns, &self.factors) }
    }
}

/// A linear part: outputs are `weight` times inputs, plus `bias`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// Outputs by inputs.
    pub weight: Matrix,
    /// One per output.
    pub bias: Vec<f32>,
}

impl Linear {
    fn check(&self, what: &str, outputs: usize, inputs: usize) -> Result<(), Error> {
        self.weight.check(what, outputs, inputs)?;
        vector(&format!("{what}: bias"), outputs, &self.bias)
    }
}

/// A layer normalisation's own weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Norm {
    /// Multiplied with the normalised values.
    pub scale: Vec<f32>,
    /// Added after that.
    pub shift: Vec<f32>,
}

impl Norm {
    fn check(&self, what: &str, width: usize) -> Result<(), Error> {
        vector(&format!("{what}: scale"), width, &self.scale)?;
        vector(&format!("{what}: shift"), width, &self.shift)
    }
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerWeights {
    /// Queries.
    pub query: Linear,
    /// Keys.
    pub key: Linear,
    /// Values.
    pub value: Linear,
    /// What the heads found, brought together.
    pub attended: Linear,
    /// After attention and its residual.
    pub attention_norm: Norm,
    /// Into the feed-forward part.
    pub widen: Linear,
    /// Out of it.
    pub narrow: Linear,
    /// After the feed-forward part and its residual.
    pub norm: Norm,
}

impl LayerWeights {
    fn check(&self, what: &str, config: &Config) -> Result<(), Error> {
        let (width, wide) = (config.hidden, config.intermediate);
        let four = [&self.query, &self.key, &self.value, &self.attended];
        for (name, linear) in ["query", "key", "value", "attended"].into_iter().zip(four) {
            linear.check(&format!("{what}: {name}"), width, width)?;
        }
        for (name, linear) in [("key", &self.key), ("value", &self.value)] {
            if linear.weight.factors != self.query.weight.factors {
                return Err(Error::Factors { what: format!("{what}: {name}") });
            }
        }
        self.attention_norm.check(&format!("{what}: attention norm"), width)?;
        self.widen.check(&format!("{what}: widen"), wide, width)?;
        self.narrow.check(&format!("{what}: narrow"), width, wide)?;
        self.norm.check(&format!("{what}: norm"), width)
    }
}

/// What turns token ids into the first states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddingWeights {
    /// One row per word.
    pub words: Matrix,
    /// One row per position.
    pub positions: Matrix,
    /// Row 0 of the token types, the only one used.
    pub token_type: Vec<f32>,
    /// After the sum of the three.
    pub norm: Norm,
}

/// All weights of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Ids to states.
    pub embeddings: EmbeddingWeights,
    /// Layers that every text goes through.
    pub trunk: Vec<LayerWeights>,
    /// Branches that each start from the trunk's output.
    pub tops: Vec<Vec<LayerWeights>>,
}

impl Weights {
    pub(crate) fn check(&self, config: &Config) -> Result<(), Error> {
        config.check()?;
        let Config { hidden, vocabulary, positions, .. } = *config;
        let embeddings = &self.embeddings;
        embeddings.words.check("words", vocabulary, hidden)?;
        embeddings.positions.check("positions", positions, hidden)?;
        for (name, table) in [("words", &embeddings.words), ("positions", &embeddings.positions)] {
            if !table.factors.is_empty() {
                return Err(Error::Factors { what: name.to_owned() });
            }
        }
        vector("token type", hidden, &embeddings.token_type)?;
        embeddings.norm.check("embedding norm", hidden)?;
        for (at, layer) in self.trunk.iter().enumerate() {
            layer.check(&format!("trunk layer {at}"), config)?;
        }
        for (top, layers) in self.tops.iter().enumerate() {
            for (at, layer) in layers.iter().enumerate() {
                layer.check(&format!("top {top} layer {at}"), config)?;
            }
        }
        Ok(())
    }
}

fn size(what: String, expected: usize, found: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Shape { what, expected, found }) }
}

fn vector(what: &str, expected: usize, values: &[f32]) -> Result<(), Error> {
    size(what.to_owned(), expected, values.len())?;
    if values.iter().all(|value| value.is_finite()) { Ok(()) } else { Err(Error::NotFinite { what: what.to_owned() }) }
}
