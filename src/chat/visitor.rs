//! A customer arrives or returns: who they are and which conversation is theirs. What a client
//! names is only ever honoured if its token owns it, and who it says it is only if the business signed it.

use super::identity::{self, Identity, IdentityError};
use super::{Error, Result, invitation, turn};
use crate::app::App;
use crate::domain::{Author, Conversation, ConversationId, EventKind, Invitation, VisitorId};
use crate::store::{self, Appended, Guard, NewEvent, Opening};
use crate::token;
use serde_json::json;
use uuid::Uuid;

/// What a client says about itself when it connects.
#[derive(Clone, Debug, Default)]
pub struct Arrival {
    /// Token of an earlier visit.
    pub token: Option<String>,
    /// The business's signed word on who this is.
    pub identity: Option<String>,
    /// The conversation to continue.
    pub conversation: Option<ConversationId>,
    /// Start a new conversation though there is an old one.
    pub fresh: bool,
    /// Browser locale.
    pub locale: Option<String>,
    /// Address of the page.
    pub page: Option<String>,
    /// The invitation that was due on it.
    pub invitation: Option<Invitation>,
}

/// Where the customer is now.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who.
    pub visitor: VisitorId,
    /// A newly minted token; none if the client's own was accepted.
    pub token: Option<String>,
    /// The conversation.
    pub conversation: Conversation,
    /// Why the signed word was not taken; the visitor is then whoever they were before.
    pub refused: Option<IdentityError>,
    /// Whether mood is read in what they write.
    pub analysis: bool,
    /// The business has said who they are.
    pub is_known: bool,
}

/// Recognises or admits a visitor and finds or opens their conversation. An unknown token is not
/// an error: its holder is a new visitor. So is somebody who comes as another customer than the token's:
/// nobody reads on where somebody else left off.
///
/// # Errors
/// `IdentityRequired` if the business vouches for its customers and not for this one; if storage or the random
/// generator fails.
pub async fn enter(app: &App, arrival: Arrival) -> Result<Entry> {
    let (identity, refused) = match proven(app, arrival.identity.as_deref()) {
        Ok(identity) => (identity, None),
        Err(error) => (None, Some(error)),
    };
    let known = match &arrival.token {
        Some(token) => app.store.visitor(token::hash(token)).await?,
        None => None,
    };
    let is_other = |id: &str| identity.as_ref().is_some_and(|identity| identity.external_id != id);
    let known = known.filter(|visitor| !visitor.external_id.as_deref().is_some_and(is_other));
    let is_vouched_for = identity.is_some() || known.as_ref().is_some_and(|known| known.external_id.is_some());
    if app.config.require_identity && !is_vouched_for {
        return Err(Error::IdentityRequired);
    }
    let told = identity.filter(|told| !known.as_ref().is_some_and(|known| known.is(&told.external_id, &told.profile)));
    let (visitor, minted) = if let Some(visitor) = known {
        (visitor.id, None)
    } else {
        let token = token::mint()?;
        (app.store.create_visitor(token::hash(&token), app.clock.now()).await?, Some(token))
    };
    let is_news = told.is_some();
    if let Some(Identity { external_id, profile }) = told {
        app.store.identify(visitor, external_id, &profile).await?;
    }
    let continued = match (arrival.fresh, minted.is_some(), arrival.conversation) {
        (true, _, _) | (_, true, _) => None,
        (false, false, Some(named)) => {
            let found = app.store.conversation(named).await?;
            let is_theirs = |found: &Conversation| found.visitor_id == visitor && found.erased_at.is_none();
            found.filter(is_theirs).map(|conversation| conversation.id)
        }
        (false, false, None) => app.store.latest_conversation(visitor).await?,
    };
    let id = match continued {
        Some(id) => id,
        None => {
            let opening = Opening {
                visitor,
                locale: arrival.locale.map(|locale| limit(&locale, 35)),
                page: arrival.page.map(|page| limit(&page, 500)),
                disclosure: app.prompts().business().disclosure.version.clone(),
                demo: false,
                at: app.clock.now(),
            };
            let opened = app.store.open_conversation(opening).await?;
            if let Some(invitation) = arrival.invitation {
                invitation::note(app, opened, invitation).await?;
            }
            opened
        }
    };
    let conversation = app.store.conversation(id).await?.ok_or(store::Error::NotFound)?;
    if is_news {
        // The desk learns the name.
        turn::announce(app, id);
    }
    let analysis = app.store.may_read_mood(visitor).await?;
    Ok(Entry { visitor, token: minted, conversation, refused, analysis, is_known: is_vouched_for })
}

/// The identity that a token proves; none without a token.
fn proven(app: &App, token: Option<&str>) -> std::result::Result<Option<Identity>, IdentityError> {
    let Some(token) = token else { return Ok(None) };
    let secret = app.config.identity_secret.as_ref().ok_or(IdentityError::NotConfigured)?;
    identity::verify(secret.bytes(), token, app.clock.now()).map(Some)
}

/// A survey answer of a given kind, with the range that the kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Survey {
    /// Customer satisfaction, 1 to 5.
    Csat,
    /// Customer effort, 1 to 7.
    Ces,
    /// Net promoter score, 0 to 10.
    Nps,
}

impl Survey {
    fn name(self) -> &'static str {
        match self {
            Self::Csat => "csat",
            Self::Ces => "ces",
            Self::Nps => "nps",
        }
    }

    fn range(self) -> std::ops::RangeInclusive<i64> {
        match self {
            Self::Csat => 1..=5,
            Self::Ces => 1..=7,
            Self::Nps => 0..=10,
        }
    }
}

/// Stores a survey answer; it is possible while the conversation is open and after it was closed.
///
/// # Errors
/// `Field` if the score is out of the survey's range; storage errors.
pub async fn rate(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    survey: Survey,
    score: i64,
    comment: Option<String>,
) -> Result<Appended> {
    if !survey.range().contains(&score) {
        let range = survey.range();
        return Err(Error::Field("score", format!("{} is {} to {}", survey.name(), range.start(), range.end())));
    }
    let comment = match comment {
        Some(comment) if !comment.trim().is_empty() => Some(super::text::clean(&comment)?),
        _ => None,
    };
    let mut event = NewEvent::new(EventKind::Rating, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    event.text.clone_from(&comment);
    event.data = Some(json!({ "kind": survey.name(), "score": score }));
    let appended = app.store.rate(conversation, survey.name(), score, comment, event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

/// Stores thumbs up or down on one bot answer. A thumbs down is a turn of the customer's: the answer
/// to it follows on its own, see [`turn::answer_later`].
///
/// # Errors
/// `Field` if `seq` is not a bot message; storage errors.
pub async fn give_feedback(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    seq: i64,
    helpful: bool,
) -> Result<Appended> {
    let target = app.store.event(conversation, seq).await?;
    if !target.is_some_and(|event| event.author == Author::Bot && event.kind == EventKind::Message) {
        return Err(Error::Field("seq", "that is not an answer of the bot".to_owned()));
    }
    let mut event = NewEvent::new(EventKind::Feedback, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    event.data = Some(json!({ "of": seq, "helpful": helpful }));
    let appended = app.store.append(conversation, Guard::Exists, event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

/// Keeps a message that a customer leaves because nobody is there, with a way to answer. The
/// conversation stays in the queue with its priority.
///
/// # Errors
/// `Field` for an address that cannot be one; text and storage errors.
pub async fn leave_message(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    text: &str,
    email: Option<String>,
) -> Result<Appended> {
    let text = super::text::clean(text)?;
    let email = email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
    if let Some(email) = &email {
        super::accounts::check_email(email)?;
    }
    let mut event = NewEvent::new(EventKind::LeftMessage, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    event.text = Some(text);
    event.data = email.map(|email| json!({ "email": email }));
    let appended = app.store.append(conversation, Guard::Open, event).await?;
    if !appended.repeated {
        let mut thanks = NewEvent::new(EventKind::Message, Author::Bot, app.clock.now());
        let prompts = app.prompts();
        thanks.author_name = Some(prompts.business().bot_name.clone());
        thanks.text = Some(prompts.handoff().left_message_thanks.clone());
        // A person may have come in this very moment; then the bot has nothing to say. And whatever keeps it from its
        // thanks, the message is safe: nobody is to hear that it is not.
        match app.store.append(conversation, Guard::Unassigned, thanks).await {
            Ok(_) | Err(store::Error::NotOwner) => {}
            Err(error) => tracing::warn!(%conversation, %error, "a left message was stored without the bot's thanks"),
        }
    }
    turn::announce(app, conversation);
    Ok(appended)
}

/// The beginning of what a browser reported about itself: such values are hostile text too.
fn limit(reported: &str, chars: usize) -> String {
    reported.chars().filter(|letter| !letter.is_control()).take(chars).collect()
}
