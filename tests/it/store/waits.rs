//! Waits for a person, and what leaves the server because of them.

use super::{Fixture, claim, handing_over, hire, on_both, say};
use candor::clock::Clock;
use candor::domain::{Author, EventKind, State, Timestamp};
use candor::store::{Attempt, Guard, NewDelivery, NewEvent, NewHandover, OpenWait, OutboxKind, PastWait, Waiting};
use serde_json::json;
use std::time::Duration;

on_both!(
    a_wait_is_told_once_and_ends_with_a_person,
    a_delivery_is_tried_until_it_is_settled,
    saying_so_and_claiming_at_once
);

const MINUTE: Duration = Duration::from_secs(60);

fn delivery() -> NewDelivery {
    NewDelivery { id: Clock::System.id(), kind: OutboxKind::Webhook, payload: json!({ "what": "urgent", "n": 1.5 }) }
}

fn handover(late_at: i64) -> NewHandover {
    NewHandover {
        ahead: Some(3),
        staffed: true,
        late_at: Some(Timestamp(late_at)),
        remind_at: Some(Timestamp(late_at)),
        deliveries: vec![delivery()],
    }
}

fn late_words(at: i64) -> NewEvent {
    let mut event = NewEvent::new(EventKind::Message, Author::Bot, Timestamp(at));
    event.text = Some("It takes longer.".to_owned());
    event
}

async fn a_wait_is_told_once_and_ends_with_a_person(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let seq = say(store, conversation, "a person, please").await;
    store.record_turn(handing_over(conversation, seq, Timestamp(2_000), handover(5_000))).await.unwrap();
    assert!(store.late_waits(Timestamp(4_999)).await.unwrap().is_empty());
    let wait = store.late_waits(Timestamp(5_000)).await.unwrap().remove(0);
    let expected = Waiting {
        conversation_id: conversation,
        seq: wait.seq,
        reason: "asked".to_owned(),
        queued_at: Timestamp(2_000),
        reminders: 0,
    };
    assert_eq!(wait, expected);
    assert_eq!(store.unattended(Timestamp(5_000)).await.unwrap(), [expected]);
    let open_wait = async || store.open_wait(conversation).await.unwrap();
    let promised = OpenWait { queued_at: Timestamp(2_000), late_at: Some(Timestamp(5_000)) };
    assert_eq!(open_wait().await, Some(promised));
    assert!(store.say_late(&wait, late_words(5_000)).await.unwrap());
    assert!(!store.say_late(&wait, late_words(5_001)).await.unwrap(), "once");
    assert!(store.late_waits(Timestamp(6_000)).await.unwrap().is_empty());
    let again = Some(Timestamp(9_000));
    assert!(store.remind(&wait, vec![delivery()], again, Timestamp(5_000)).await.unwrap());
    assert!(!store.remind(&wait, vec![delivery()], again, Timestamp(5_000)).await.unwrap(), "somebody else did it");
    assert!(store.unattended(Timestamp(8_999)).await.unwrap().is_empty());
    assert_eq!(store.unattended(Timestamp(9_000)).await.unwrap()[0].reminders, 1);
    assert_eq!(store.claim_deliveries(Timestamp(9_000), MINUTE, 10).await.unwrap().len(), 2);

    let agent = hire(store, "ada@shop.example").await;
    claim(store, conversation, agent).await;
    assert_eq!(open_wait().await, None);
    assert!(store.unattended(Timestamp(9_000)).await.unwrap().is_empty());
    // The claim's clock stands at one second, before the queue's: the wait is counted as it was stored.
    assert_eq!(store.recent_waits(Timestamp(0)).await.unwrap(), [PastWait { ahead: 3, waited: -1_000 }]);
    assert!(store.recent_waits(Timestamp(2_001)).await.unwrap().is_empty());
    let mut answer = NewEvent::new(EventKind::Message, Author::Agent, Timestamp(12_000));
    answer.text = Some("Here I am".to_owned());
    store.append(conversation, Guard::OwnedBy(agent), answer).await.unwrap();
    let figures = store.figures(Timestamp(0), Timestamp(1)).await.unwrap();
    assert_eq!(figures.person_response_ms, [10_000]);
}

async fn a_delivery_is_tried_until_it_is_settled(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    assert_eq!(store.next_delivery().await.unwrap(), None);
    let seq = say(store, conversation, "a person, please").await;
    let begun = handover(5_000);
    let sent = begun.deliveries[0].clone();
    store.record_turn(handing_over(conversation, seq, Timestamp(2_000), begun)).await.unwrap();
    assert_eq!(store.next_delivery().await.unwrap(), Some(Timestamp(2_000)));
    let claim = async |now| store.claim_deliveries(Timestamp(now), MINUTE, 10).await.unwrap();
    assert!(claim(1_999).await.is_empty());
    let due = claim(2_000).await.remove(0);
    assert_eq!((due.id, due.kind, &due.payload, due.attempts), (sent.id, sent.kind, &sent.payload, 0));
    assert!(store.settle_delivery(due.id, due.claim, Attempt::Again(Timestamp(3_000))).await.unwrap());
    assert_eq!(store.next_delivery().await.unwrap(), Some(Timestamp(3_000)));
    let due = claim(3_000).await.remove(0);
    assert_eq!(due.attempts, 1);
    assert!(store.settle_delivery(due.id, due.claim, Attempt::Delivered(Timestamp(3_001))).await.unwrap());
    assert_eq!(store.next_delivery().await.unwrap(), None);
    assert!(store.settle_delivery(due.id, due.claim, Attempt::GivenUp).await.unwrap());
    assert_eq!(store.next_delivery().await.unwrap(), None);
}

/// Both write the same hand-over and the same conversation.
async fn saying_so_and_claiming_at_once(fixture: &Fixture) {
    let store = &fixture.store;
    let agent = hire(store, "ada@shop.example").await;
    for number in 0..10_u8 {
        let conversation = super::open(store, vec![number + 2; 32], Timestamp(0), false).await;
        let seq = say(store, conversation, "a person, please").await;
        store.record_turn(handing_over(conversation, seq, Timestamp(2_000), handover(5_000))).await.unwrap();
        let wait = store.late_waits(Timestamp(5_000)).await.unwrap();
        let wait = wait.into_iter().find(|wait| wait.conversation_id == conversation).unwrap();
        let (told, ()) = tokio::join!(store.say_late(&wait, late_words(5_000)), claim(store, conversation, agent));
        let events = store.events_after(conversation, wait.seq).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        let expected = if told.unwrap() { vec![EventKind::Message, EventKind::State] } else { vec![EventKind::State] };
        assert_eq!(kinds, expected, "nobody is told to wait after a person came");
        assert_eq!(store.conversation(conversation).await.unwrap().unwrap().state, State::Assigned);
    }
}
