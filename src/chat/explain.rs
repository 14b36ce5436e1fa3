//! Which words carried a turn's frustration, looked for once its answer is stored and said. What is
//! lost on the way, to a stop or a crash, is the explanation alone. Decides nothing.

use crate::app::{Bot, Shared};
use crate::bus::Signal;
use crate::dialogue::DialogueState;
use crate::domain::{Event, TurnRecord};
use crate::telemetry;
use std::sync::Arc;
use std::time::Duration;

/// How long the model may take; under load it gets to this last.
const DEADLINE: Duration = Duration::from_secs(20);

/// Looks for the words of a turn in the background, if its frustration calls for it. `memory` is the
/// bot's before the turn: the words are weighed in the same context.
pub fn later(app: &Shared, bot: &Bot, turn: &TurnRecord, event: &Event, memory: &DialogueState) {
    let Some(text) = event.text.clone().filter(|_| is_wanted(bot, turn)) else {
        return;
    };
    let (conversation, seq, context) = (turn.conversation_id, turn.seq, memory.context());
    let (own, nlu, intents) = (Arc::clone(app), bot.nlu.clone(), Arc::clone(&bot.intents));
    app.tasks.spawn(async move {
        let words = tokio::select! {
            () = own.stop.cancelled() => return,
            words = nlu.explain(&intents, &text, &context, DEADLINE) => words,
        };
        let outcome = match words {
            Ok(words) if words.is_empty() => "nothing",
            Ok(words) => match own.store.record_words(conversation, seq, words).await {
                Ok(()) => {
                    own.bus.publish(&Signal::Explained(conversation, seq));
                    "stored"
                }
                Err(error) => {
                    tracing::warn!(%conversation, %error, "the words of a turn could not be stored");
                    "failed"
                }
            },
            Err(error) => {
                tracing::debug!(%conversation, %error, "the words of a turn were not found");
                "failed"
            }
        };
        metrics::counter!(telemetry::EXPLANATIONS, "outcome" => outcome).increment(1);
    });
}

/// Whether somebody may ask why, and whoever read the turn is there to say.
fn is_wanted(bot: &Bot, turn: &TurnRecord) -> bool {
    let (status, prompts) = (bot.nlu.status(), &bot.prompts);
    let same = status.source == turn.source && turn.trace["analysis"]["version"] == status.version.as_str();
    let frustrated = turn.frustration >= f64::from(prompts.policy().explain.frustration);
    same && (frustrated || turn.reasons.iter().any(|reason| reason.code == "frustration"))
}
