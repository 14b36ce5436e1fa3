//! Signs of leaving, weighed after each customer turn and told in the turn's trace.

use super::Result;
use crate::app::App;
use crate::dialogue::{ChurnTurn, Decision, LookupOutcome, Prompts, Turn, answer_name, churn_risk};
use crate::domain::{Band, ChurnRisk, ConversationId};
use serde_json::json;

/// Weighs the signs after a decided turn; none if the prompts do not ask for it. `outcome` is what the
/// decision's lookup brought.
///
/// # Errors
/// Storage errors.
pub(super) async fn weigh(
    app: &App,
    prompts: &Prompts,
    conversation: ConversationId,
    turn: &Turn<'_>,
    decision: &mut Decision,
    outcome: Option<&LookupOutcome>,
) -> Result<Option<ChurnRisk>> {
    if prompts.churn().is_none() {
        return Ok(None);
    }
    let (before, thumbs_down) = app.store.churn(conversation).await?;
    let lookup = decision.reply.lookup().map(|(name, _)| name);
    let answer = lookup.and_then(|name| Some((name, answer_name(prompts.lookup(name)?, outcome?))));
    let looked_up = answer.as_ref().map(|(name, answer)| (*name, answer.as_str()));
    let risk = churn_risk(&ChurnTurn { turn, decision, looked_up, thumbs_down }, before.as_ref(), prompts);
    if let (Some(risk), Some(trace)) = (&risk, decision.trace.as_object_mut()) {
        trace.insert("churn".to_owned(), json!(risk));
    }
    Ok(risk)
}

/// What a hand-over gains in the queue by it, in points of priority.
pub(super) fn bonus(prompts: &Prompts, risk: Option<&ChurnRisk>) -> i64 {
    let high = risk.is_some_and(|risk| risk.band == Band::High);
    prompts.churn().filter(|_| high).map_or(0, |churn| i64::from(churn.priority_bonus))
}
