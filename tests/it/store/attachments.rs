//! Whose files are whose.

use crate::store::{AT, Fixture, on_both, open, said};
use candor::clock::Clock;
use candor::domain::{Attachment, AttachmentKind, Author, ConversationId, EventKind, Timestamp};
use candor::store::{Attached, Error, NewEvent};
use serde_json::json;
use uuid::Uuid;

on_both!(a_file_is_added_once_and_belongs_to_one_visitor, files_go_with_their_conversation);

fn file(conversation: ConversationId) -> (Attachment, NewEvent) {
    let id = Clock::System.id();
    let (kind, name) = (AttachmentKind::Png, "bag.png".to_owned());
    let mut event = NewEvent::new(EventKind::Message, Author::Customer, AT);
    event.client_id = Some(Clock::System.id());
    event.text = Some(name.clone());
    event.data = Some(json!({ "attachment": { "id": id } }));
    (Attachment { id, conversation_id: conversation, kind, name, bytes: 70, at: AT }, event)
}

async fn a_file_is_added_once_and_belongs_to_one_visitor(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let visitor = store.conversation(conversation).await.unwrap().unwrap().visitor_id;
    let (first, told) = file(conversation);
    let added = store.attach(first.clone(), told.clone()).await.unwrap();
    // Written anew it is another file, under the same client id.
    let (mut second, mut repeated) = file(conversation);
    (second.bytes, repeated.client_id) = (71, told.client_id);
    let again = store.attach(second.clone(), repeated).await.unwrap();
    assert_eq!((again.seq, again.repeated), (added.seq, true));
    assert_eq!(store.attached(conversation).await.unwrap(), Attached { files: 1, bytes: 70 });
    assert_eq!(store.attachments_in(conversation).await.unwrap(), [first.id]);
    assert_eq!(store.attachment(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.attachment_of(visitor, first.id).await.unwrap(), Some(first.clone()));
    let other = open(store, vec![7; 32], AT, false).await;
    let stranger = store.conversation(other).await.unwrap().unwrap().visitor_id;
    assert_eq!(store.attachment_of(stranger, first.id).await.unwrap(), None);
    assert_eq!(store.known_attachments(&[second.id, first.id]).await.unwrap(), [first.id]);
    assert_eq!(store.attached(other).await.unwrap(), Attached { files: 0, bytes: 0 });

    let (third, mut event) = file(conversation);
    let said = said("words", Clock::System.id());
    event.client_id = said.client_id;
    store.append(conversation, candor::store::Guard::Open, said).await.unwrap();
    assert!(matches!(store.attach(third, event).await, Err(Error::Conflict)));
    let (nowhere, event) = file(ConversationId(Uuid::nil()));
    assert!(matches!(store.attach(nowhere, event).await, Err(Error::NotFound)));
}

async fn files_go_with_their_conversation(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let (first, told) = file(conversation);
    store.attach(first.clone(), told).await.unwrap();
    let other = open(store, vec![7; 32], AT, false).await;
    let (second, told) = file(other);
    store.attach(second.clone(), told).await.unwrap();
    store.erase(conversation, Clock::System.id(), "Gone.".to_owned(), AT).await.unwrap();
    let (late, told) = file(conversation);
    assert!(matches!(store.attach(late, told).await, Err(Error::Closed)));
    assert_eq!(store.known_attachments(&[first.id, second.id]).await.unwrap(), [second.id]);
    let after = Timestamp(AT.0 + 1);
    store.forget_before(after, after).await.unwrap();
    assert_eq!(store.known_attachments(&[first.id, second.id]).await.unwrap(), Vec::<Uuid>::new());
}
