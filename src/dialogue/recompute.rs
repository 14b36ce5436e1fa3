//! Makes a stored decision again from its trace, to prove that the trace holds what decided.
//!
//! From the trace come the memory before, the owner, the button, the customer, the analysis and the
//! thresholds; from the caller the text, which a trace does not hold, and the prompts, whose rules
//! and answers must be those of the same version.

use super::policy::Policy;
use super::{Decision, DialogueState, Prompts, decide};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{Analysis, Customer, Evidence, Gist, State};
use serde::Deserialize;
use serde_json::Value;

/// Why a decision cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The prompts are others than those that decided.
    #[error("the decision was made with the prompts {stored}, these are {given}")]
    OtherPrompts {
        /// Version in the trace.
        stored: String,
        /// Version of the prompts given.
        given: String,
    },
    /// The trace lacks something: it was stored by another version of the program, or damaged.
    #[error("the trace does not hold a whole decision: {0}")]
    Incomplete(#[from] serde_json::Error),
}

/// Everything but the customer's text that a decision was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// Version of the prompts that decided.
    pub prompts: String,
    /// Who owned the conversation.
    pub state: State,
    /// The customer pressed the button for a person.
    pub button: bool,
    /// The customer gave the bot's last answer a thumbs down.
    pub rated_low: bool,
    /// Who wrote.
    pub customer: Customer,
    /// What the bot remembered.
    pub before: DialogueState,
    /// Every threshold.
    pub thresholds: Policy,
    /// The reading, with its scores as they were compared.
    pub analysis: Analysis,
}

/// The parts of a trace that are stored in the form that they are read in.
#[derive(Deserialize)]
struct Stored {
    prompts: String,
    state: State,
    button: bool,
    #[serde(default)]
    rated_low: bool,
    customer: Customer,
    before: DialogueState,
    thresholds: Policy,
}

/// The parts of the stored analysis that are not an [`Analysis`]'s own.
#[derive(Deserialize)]
struct Extra {
    emotions: Vec<Emotion>,
    alone: Option<f32>,
    gist: Option<Gist>,
}

#[derive(Deserialize)]
struct Emotion {
    name: String,
    probability: f32,
}

/// The decision again: the same action, reply, intent, reasons, mood, memory and trace. `text` is the
/// customer's, as stored in the log.
///
/// # Errors
/// If the prompts are of another version, or the trace is incomplete.
pub fn recompute(trace: &Value, text: &str, prompts: &Prompts) -> Result<Decision, RecomputeError> {
    let inputs = inputs(trace)?;
    if inputs.prompts != prompts.version() {
        let given = prompts.version().to_owned();
        return Err(RecomputeError::OtherPrompts { stored: inputs.prompts, given });
    }
    let analysis = &inputs.analysis;
    let turn = inputs.before.turn(text, inputs.button, inputs.state, &inputs.customer);
    let turn = if inputs.rated_low { turn.rated_low() } else { turn };
    if inputs.thresholds == *prompts.policy() {
        return Ok(decide(&turn, analysis, prompts));
    }
    Ok(decide(&turn, analysis, &prompts.clone().with_policy(inputs.thresholds)))
}

/// What a stored decision was made from.
///
/// # Errors
/// If the trace was stored by another version of the program, or is damaged; with the field at fault.
pub fn inputs(trace: &Value) -> Result<Inputs, serde_json::Error> {
    let Stored { prompts, state, button, rated_low, customer, before, thresholds } = Stored::deserialize(trace)?;
    let analysis = analysis(trace.get("analysis").cloned().unwrap_or_default())?;
    Ok(Inputs { prompts, state, button, rated_low, customer, before, thresholds, analysis })
}

/// The stored analysis: emotions in their order again, and the evidence as far as memory keeps it.
fn analysis(mut stored: Value) -> Result<Analysis, serde_json::Error> {
    let extra = Extra::deserialize(&stored)?;
    let score = |name: &&str| {
        let found = extra.emotions.iter().find(|emotion| emotion.name == **name);
        found.map_or(0.0, |emotion| emotion.probability)
    };
    stored["emotions"] = EMOTIONS.iter().map(score).collect();
    let mut analysis = Analysis::deserialize(stored)?;
    analysis.evidence = extra.alone.zip(extra.gist).map(|(alone, gist)| Evidence {
        score: 0.0,
        cues: Vec::new(),
        meaning: gist.values(),
        alone,
    });
    Ok(analysis)
}
