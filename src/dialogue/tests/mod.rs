//! Tests of the whole decision on a small bot made for them.

mod churn;
mod decisions;
mod dialogues;
mod explained;
mod fixture;
mod forgetting;
mod invariants;
mod invitations;
mod languages;
mod loading;
mod rendering;
mod slots;
mod summary;
mod tasks;
mod thresholds;
mod tone;
mod triggers;
mod wishes;
