//! Tests of the whole decision on a small bot made for them.

mod decisions;
mod fixture;
mod invariants;
mod loading;
mod rendering;
