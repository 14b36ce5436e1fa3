//! A customer attaches a file, what the bot says to that, and who may have it back. The file is on the disk before the event that tells of it is
//! stored: what a crash leaves between the two is nobody's, and is removed later ([`sweep`]).

use super::{Error, Result, text, turn};
use crate::app::{App, Bot, Shared};
use crate::attachment::{Directory, clean};
use crate::dialogue::DialogueState;
use crate::domain::{
    ActionKind, Analysis, Attachment, AttachmentKind, Author, Conversation, ConversationId, Event, EventKind, Mood,
    State, TurnRecord,
};
use crate::store::{self, Appended, BotMessage, NewEvent, TurnWrite};
use serde_json::json;
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Bytes of a file at most.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Files of one conversation at most.
const MAX_FILES: i64 = 50;
/// Bytes of them together, as they are stored.
const MAX_TOGETHER: i64 = 100 * 1024 * 1024;
/// Pictures that are decoded at a time: each may take a quarter of a gigabyte.
const DECODED: usize = 2;
/// Characters of a name at most, without its ending.
const NAME: usize = 100;
/// Marks what the bot says about a file.
const SAID: &str = "file_said";
/// A file that is nobody's by then was not on its way.
const ON_ITS_WAY: Duration = Duration::from_secs(3600);
/// How many are asked for at a time.
const ASKED: usize = 500;

/// Where files go, and room for looking into them.
#[derive(Debug)]
pub struct Attachments {
    directory: Directory,
    room: Semaphore,
}

impl Attachments {
    /// Files in this directory.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self { directory, room: Semaphore::new(DECODED) }
    }

    async fn on_disk<T: Send + 'static>(&self, work: impl FnOnce(Directory) -> T + Send + 'static) -> Result<T> {
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || work(directory)).await.map_err(|_| Error::Files("interrupted".to_owned()))
    }

    async fn remove(&self, ids: Vec<Uuid>) {
        let count = ids.len();
        let removed = self.on_disk(move |directory| ids.iter().try_for_each(|id| directory.remove(*id))).await;
        match removed {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, count, "attached files could not be removed yet"),
            Err(error) => tracing::error!(%error, count, "attached files could not be removed yet"),
        }
    }
}

/// Keeps what may be kept of a file, and says in the conversation that it is there. What is done about it follows on its
/// own, see [`turn::answer_later`].
///
/// # Errors
/// `Store(NotFound)` where no files are taken; `Field` for one that is refused or one too many; `Closed`; `Conflict`;
/// `Files` if the disk refuses; storage errors.
pub async fn attach(
    app: &Shared,
    conversation: ConversationId,
    client_id: Uuid,
    name: &str,
    bytes: Vec<u8>,
) -> Result<Appended> {
    let attachments = app.attachments.as_ref().ok_or(store::Error::NotFound)?;
    let attached = app.store.attached(conversation).await?;
    if attached.files >= MAX_FILES || attached.bytes >= MAX_TOGETHER {
        return Err(Error::Field("file", "this conversation has as many files as it may have".to_owned()));
    }
    let id = app.clock.id();
    let looking = attachments.room.acquire().await.map_err(|_| store::Error::Busy)?;
    let kept: Result<(AttachmentKind, i64)> = attachments
        .on_disk(move |directory| {
            let (kind, kept) = clean(&bytes).map_err(|why| Error::Field("file", why.to_string()))?;
            directory.write(id, &kept).map_err(|error| Error::Files(error.to_string()))?;
            Ok((kind, i64::try_from(kept.len()).unwrap_or(i64::MAX)))
        })
        .await?;
    drop(looking);
    let (kind, bytes) = kept?;
    let at = app.clock.now();
    let name = clean_name(name, kind);
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, at);
    event.client_id = Some(client_id);
    event.text = Some(name.clone());
    event.data = Some(json!({ "attachment": { "id": id, "kind": kind, "bytes": bytes } }));
    let attachment = Attachment { id, conversation_id: conversation, kind, name, bytes, at };
    let appended = app.store.attach(attachment, event).await;
    // Where it is not certain that nothing was stored, `sweep` finds out.
    let is_unused = match &appended {
        Ok(appended) => appended.repeated,
        Err(error) => matches!(
            error,
            store::Error::NotFound | store::Error::Closed | store::Error::Conflict | store::Error::NotOwner
        ),
    };
    if is_unused {
        attachments.remove(vec![id]).await;
    }
    let appended = appended?;
    turn::announce(app, conversation);
    turn::answer_later(app, conversation);
    Ok(appended)
}

/// What follows a file, which the bot does not look into: it says so, once for several, and remembers what it did before.
///
/// # Errors
/// Storage errors.
pub(super) async fn acknowledge(
    app: &App,
    bot: &Bot,
    conversation: &Conversation,
    memory: &DialogueState,
    event: &Event,
) -> Result<TurnWrite> {
    let near = app.store.events_after(event.conversation_id, event.seq - 2).await?;
    let is_said = near.iter().any(|near| near.data.as_ref().is_some_and(|data| data.get(SAID).is_some()));
    let text = bot.prompts.handoff().attachment.clone().filter(|_| conversation.state == State::Bot && !is_said);
    let name = bot.prompts.business().bot_name.clone();
    let record = TurnRecord {
        conversation_id: event.conversation_id,
        seq: event.seq,
        at: app.clock.now(),
        source: Analysis::unread().source,
        mood: Mood::Neutral,
        negative: 0.0,
        positive: 0.0,
        frustration: 0.0,
        intent: None,
        action: if text.is_some() { ActionKind::Reply } else { ActionKind::Silent },
        reasons: Vec::new(),
        trace: json!({ "attachment": true }),
        words: None,
    };
    let reply = text.map(|text| BotMessage { name, text, data: json!({ SAID: true }) });
    Ok(TurnWrite { record, reply, next: None, dialogue: serde_json::to_value(memory).unwrap_or_default(), churn: None })
}

/// The bytes of a stored file.
///
/// # Errors
/// `Store(NotFound)` where no files are kept; `Files` if it cannot be read.
pub async fn read(app: &App, id: Uuid) -> Result<Vec<u8>> {
    let attachments = app.attachments.as_ref().ok_or(store::Error::NotFound)?;
    let read = attachments.on_disk(move |directory| directory.read(id)).await?;
    read.map_err(|error| Error::Files(error.to_string()))
}

/// Removes the files of a conversation that was erased; those that the disk keeps are tried again by [`sweep`].
pub(super) async fn remove(app: &App, ids: Vec<Uuid>) {
    if let Some(attachments) = &app.attachments
        && !ids.is_empty()
    {
        attachments.remove(ids).await;
    }
}

/// Removes the files that are nobody's: of conversations that were deleted, and what a crash left.
///
/// # Errors
/// If the directory or the database cannot be read.
pub async fn sweep(app: &App) -> Result<()> {
    let Some(attachments) = &app.attachments else { return Ok(()) };
    let listed = attachments.on_disk(|directory| directory.list()).await?;
    let listed = listed.map_err(|error| Error::Files(error.to_string()))?;
    let before = app.clock.now().before(ON_ITS_WAY).0;
    let is_old = |id: &Uuid| {
        let written = id.get_timestamp().map_or(0, |stamp| stamp.to_unix().0);
        i64::try_from(written).unwrap_or(i64::MAX) < before / 1000
    };
    let old: Vec<Uuid> = listed.into_iter().filter(is_old).collect();
    let mut gone = 0;
    for some in old.chunks(ASKED) {
        let known = app.store.known_attachments(some).await?;
        let nobodys: Vec<Uuid> = some.iter().filter(|id| !known.contains(id)).copied().collect();
        gone += nobodys.len();
        attachments.remove(nobodys).await;
    }
    if gone > 0 {
        tracing::info!(count = gone, "attached files that were nobody's were removed");
    }
    Ok(())
}

/// A name for people: nothing of a path, no signs that are not seen, and the ending of what the file is.
fn clean_name(name: &str, kind: AttachmentKind) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = last.rsplit_once('.').map_or(last, |(stem, _)| stem);
    let seen = text::clean(stem).unwrap_or_default();
    let seen: String = seen.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME).collect();
    let stem = seen.trim().trim_matches('.');
    format!("{}.{}", if stem.is_empty() { "file" } else { stem }, kind.ending())
}

#[cfg(test)]
mod tests {
    use super::clean_name;
    use crate::domain::AttachmentKind::{Jpeg, Pdf};

    #[test]
    fn names_end_as_what_the_file_is_and_hide_nothing() {
        for (given, name) in [
            ("holiday.JPEG", "holiday.jpg"),
            ("C:\\Users\\ada\\bag.png", "bag.jpg"),
            ("../../etc/passwd", "passwd.jpg"),
            ("photo.html", "photo.jpg"),
            ("gpj\u{202e}.exe", "gpj.jpg"),
            ("a\u{0}b\n.jpg", "ab.jpg"),
            ("", "file.jpg"),
            ("...", "file.jpg"),
            ("Überweisung 3.5.pdf", "Überweisung 3.5.jpg"),
        ] {
            assert_eq!(clean_name(given, Jpeg), name);
        }
        assert_eq!(clean_name("bill", Pdf), "bill.pdf");
        assert_eq!(clean_name(&"x".repeat(300), Pdf).len(), 104);
    }
}
