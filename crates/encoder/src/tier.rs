//! Which instructions the kernels use, and which of them this machine has.
//!
//! Knows nothing about the kernels themselves.

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Simd};

/// The instructions that an encoder's kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// AVX-512 with F, BW, VL, DQ and VNNI.
    Avx512Vnni,
    /// AVX2 with FMA.
    Avx2,
    /// Plain safe Rust, on every machine.
    Scalar,
}

impl Tier {
    /// The tiers of this machine, best first; the last is always [`Tier::Scalar`].
    #[must_use]
    pub fn available() -> Vec<Self> {
        [Self::Avx512Vnni, Self::Avx2, Self::Scalar].into_iter().filter(|tier| tier.runs_here()).collect()
    }

    /// The best tier of this machine.
    #[must_use]
    pub fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self::Scalar)
    }

    fn runs_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Avx512::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512Vnni | Self::Avx2 => false,
            Self::Scalar => true,
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Avx512Vnni => "avx512-vnni",
            Self::Avx2 => "avx2",
            Self::Scalar => "scalar",
        })
    }
}
