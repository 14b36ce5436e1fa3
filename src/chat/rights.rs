//! What customers do with their own conversation: end it, go on with it, have it deleted, object to the reading of
//! their mood, and see what is kept of them. Whose it is was settled when they came in.

use super::{Result, attachments, queue, turn};
use crate::app::App;
use crate::dialogue::prompts::HandledBy;
use crate::domain::{
    Author, Conversation, ConversationId, Event, EventKind, TurnRecord, Visibility, VisitorId, time::DAY_MS,
};
use crate::store::{Appended, Change, KnownVisitor, NewEvent, NextSurvey, Rating, is_last_page};
use uuid::Uuid;

/// Ends a conversation, whoever has it.
///
/// # Errors
/// `Closed` if it is over already; storage errors.
pub async fn end(app: &App, conversation: ConversationId, client_id: Uuid) -> Result<Appended> {
    let survey = survey(app, conversation).await?;
    let text = app.prompts().handoff().ended.clone();
    change(app, conversation, client_id, Change::End { survey }, text).await
}

/// Goes on with a closed conversation, which the bot takes up.
///
/// # Errors
/// `NotOwner` if it is not closed or was erased; storage errors.
pub async fn reopen(app: &App, conversation: ConversationId, client_id: Uuid) -> Result<Appended> {
    let prompts = app.prompts();
    let disclosure = prompts.business().disclosure.version.clone();
    change(app, conversation, client_id, Change::Reopen { disclosure }, prompts.handoff().reopened.clone()).await
}

async fn change(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    change: Change,
    text: String,
) -> Result<Appended> {
    let appended = app.store.change_by_customer(conversation, client_id, change, text, app.clock.now()).await?;
    turn::announce(app, conversation);
    queue::announce(app);
    Ok(appended)
}

/// Deletes what was said in a conversation, read from it and told about it.
///
/// # Errors
/// `NotOwner` where the business does not let customers delete; storage errors.
pub async fn erase(app: &App, conversation: ConversationId, client_id: Uuid) -> Result<Appended> {
    let prompts = app.prompts();
    if !prompts.business().customers_may_erase {
        return Err(crate::store::Error::NotOwner.into());
    }
    let text = prompts.handoff().ended.clone();
    let files = app.store.attachments_in(conversation).await?;
    let appended = app.store.erase(conversation, client_id, text, app.clock.now()).await?;
    attachments::remove(app, files).await;
    turn::announce(app, conversation);
    queue::announce(app);
    Ok(appended)
}

/// Stops or allows the reading of mood in what the customer writes from now on. Staff find a note of it in the log.
///
/// # Errors
/// Storage errors.
pub async fn allow_analysis(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    allowed: bool,
) -> Result<Appended> {
    let said = if allowed { "allows the reading of mood again" } else { "objects to the reading of their mood" };
    let mut event = NewEvent::new(EventKind::Note, Author::System, app.clock.now());
    event.visibility = Visibility::Staff;
    event.client_id = Some(client_id);
    event.text = Some(format!("The customer {said}."));
    let appended = app.store.object(conversation, !allowed, event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

/// The survey that follows the end: none where nothing was said or one was asked before. The net promoter score goes
/// first, because it is due so seldom; satisfaction is what remains.
///
/// # Errors
/// `NotFound`; storage errors.
pub(super) async fn survey(app: &App, conversation: ConversationId) -> Result<Option<NextSurvey>> {
    let facts = app.store.survey_facts(conversation).await?;
    if facts.asked || facts.conversations == 0 {
        return Ok(None);
    }
    let prompts = app.prompts();
    let handoff = prompts.handoff();
    if let Some(nps) = &handoff.surveys.nps {
        let rested = facts
            .promoter_asked_at
            .is_none_or(|asked| app.clock.now().since(asked) >= i64::from(nps.every_days) * DAY_MS);
        if rested && facts.conversations >= i64::from(nps.from_conversation) {
            return Ok(Some(NextSurvey { kind: "nps", question: nps.question.clone() }));
        }
    }
    let is_meant = |after: HandledBy| match after {
        HandledBy::Bot => !facts.handed_over,
        HandledBy::Person => facts.handed_over,
        HandledBy::Anybody => true,
    };
    let effort = handoff.surveys.ces.as_ref().filter(|ces| is_meant(ces.after));
    let (kind, question) = effort.map_or(("csat", &handoff.rate), |ces| ("ces", &ces.question));
    Ok(Some(NextSurvey { kind, question: question.clone() }))
}

/// Everything that is kept of a customer, but for what staff noted among themselves.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Who they are, once for each browser.
    pub browsers: Vec<KnownVisitor>,
    /// Their conversations, oldest first.
    pub conversations: Vec<KeptConversation>,
}

/// One conversation with all that belongs to it.
#[derive(Clone, Debug)]
pub struct KeptConversation {
    /// When, where and what became of it.
    pub conversation: Conversation,
    /// Its log.
    pub events: Vec<Event>,
    /// What was read in the customer's messages.
    pub turns: Vec<TurnRecord>,
    /// Answers to surveys.
    pub ratings: Vec<Rating>,
}

/// Collects what is kept of a visitor and, where the business has said who that is, of the customer in all browsers.
///
/// # Errors
/// Storage errors.
pub async fn everything(app: &App, visitor: VisitorId) -> Result<Kept> {
    let browsers = app.store.browsers_of(visitor).await?;
    let mut conversations = Vec::new();
    for browser in &browsers {
        for conversation in app.store.conversations_of(browser.id).await? {
            let (events, turns) = (log_of(app, conversation.id).await?, turns_of(app, conversation.id).await?);
            let ratings = app.store.ratings(conversation.id).await?;
            conversations.push(KeptConversation { conversation, events, turns, ratings });
        }
    }
    Ok(Kept { browsers, conversations })
}

async fn log_of(app: &App, conversation: ConversationId) -> Result<Vec<Event>> {
    let mut log: Vec<Event> = Vec::new();
    loop {
        let page = app.store.events_after(conversation, log.last().map_or(0, |event| event.seq)).await?;
        let is_last = is_last_page(&page);
        log.extend(page);
        if is_last {
            return Ok(log);
        }
    }
}

async fn turns_of(app: &App, conversation: ConversationId) -> Result<Vec<TurnRecord>> {
    let mut turns: Vec<TurnRecord> = Vec::new();
    loop {
        let page = app.store.turns_after(conversation, turns.last().map_or(0, |turn| turn.seq)).await?;
        if page.is_empty() {
            return Ok(turns);
        }
        turns.extend(page);
    }
}
