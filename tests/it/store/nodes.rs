//! Several servers on one database: who sits where, who does what all would do, and what changed meanwhile.

use super::{Fixture, handing_over, hire, on_both, open, say};
use candor::clock::Clock;
use candor::domain::{AgentId, ConversationId, NodeId, Presence, Timestamp};
use candor::store::{Attempt, NEWEST_PAGE, NewDelivery, NewHandover, OutboxKind, OwnSeat, Store};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

on_both!(
    a_lease_has_one_holder_and_a_number_that_rises,
    three_nodes_share_the_outbox,
    who_was_away_too_long_cannot_say_how_it_ended,
    a_node_reads_the_seats_of_the_others,
    what_changed_is_found_by_id_and_by_time,
);

const A: NodeId = NodeId(Uuid::from_u128(0xa));
const B: NodeId = NodeId(Uuid::from_u128(0xb));
const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> Timestamp {
    Timestamp(seconds * 1000)
}

async fn a_lease_has_one_holder_and_a_number_that_rises(fixture: &Fixture) {
    let store = &fixture.store;
    let take = async |node, now| store.take_lease("upkeep", node, at(now), MINUTE).await.unwrap();
    assert_eq!(take(A, 0).await, Some(1));
    assert_eq!(take(B, 59).await, None);
    assert_eq!(take(A, 59).await, Some(1), "kept, until 119");
    assert_eq!(take(B, 118).await, None);
    assert_eq!(take(B, 119).await, Some(2), "its holder is gone");
    assert_eq!(take(A, 120).await, None, "and finds out");
    assert_eq!(store.take_lease("retention", A, at(120), MINUTE).await.unwrap(), Some(1), "another one");
    store.end_other_nodes().await.unwrap();
    assert_eq!(take(A, 121).await, Some(3));
    assert_eq!(take(A, 3_721).await, Some(3), "its clock is an hour ahead, and it ends");
    assert_eq!(take(B, 122).await, Some(4), "nobody waits for that hour");
}

/// Hands the fixture's conversation over, with so many deliveries that are due at once.
async fn deliver(fixture: &Fixture, count: u128) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let delivery = |id| NewDelivery { id: Uuid::from_u128(id), kind: OutboxKind::Webhook, payload: json!({}) };
    let handover = NewHandover { deliveries: (1..=count).map(delivery).collect(), ..NewHandover::default() };
    let seq = say(store, conversation, "a person, please").await;
    store.record_turn(handing_over(conversation, seq, at(1), handover)).await.unwrap();
}

async fn three_nodes_share_the_outbox(fixture: &Fixture) {
    deliver(fixture, 20).await;
    let claim = |most| fixture.store.claim_deliveries(at(5), MINUTE, most);
    let (a, b, c) = tokio::join!(claim(8), claim(8), claim(8));
    // What one is about to take another passes over, and finds at its next look.
    let rest = claim(20).await.unwrap();
    let claims: Vec<u128> =
        [a.unwrap(), b.unwrap(), c.unwrap(), rest].iter().flatten().map(|one| one.id.as_u128()).collect();
    assert_eq!(claims.len(), 20, "each once");
    assert_eq!(claims.into_iter().collect::<BTreeSet<_>>(), (1..=20).collect());
    assert!(claim(8).await.unwrap().is_empty());
    assert_eq!(fixture.store.next_delivery().await.unwrap(), Some(at(65)));
}

async fn who_was_away_too_long_cannot_say_how_it_ended(fixture: &Fixture) {
    deliver(fixture, 1).await;
    let store = &fixture.store;
    let claim = async |now| store.claim_deliveries(at(now), MINUTE, 8).await.unwrap();
    let slow = claim(5).await.remove(0);
    assert!(claim(64).await.is_empty());
    let next = claim(65).await.remove(0);
    assert_eq!((slow.claim, next.claim), (1, 2));
    assert!(!store.settle_delivery(slow.id, slow.claim, Attempt::Delivered(at(66))).await.unwrap());
    assert!(store.settle_delivery(next.id, next.claim, Attempt::PutBack(at(67))).await.unwrap());
    let again = claim(67).await.remove(0);
    assert_eq!((again.claim, again.attempts), (3, 0), "a cut is no failure");
    assert!(store.settle_delivery(again.id, again.claim, Attempt::Again(at(70))).await.unwrap());
    let last = claim(70).await.remove(0);
    assert_eq!((last.claim, last.attempts), (4, 1));
    assert!(store.settle_delivery(last.id, last.claim, Attempt::Delivered(at(71))).await.unwrap());
    assert_eq!(store.next_delivery().await.unwrap(), None);
}

async fn a_node_reads_the_seats_of_the_others(fixture: &Fixture) {
    let store = &fixture.store;
    let ada = hire(store, "ada@shop.example").await;
    let gone = AgentId(Uuid::from_u128(99));
    let seat = |agent_id, status, said| OwnSeat { agent_id, status, said };
    let elsewhere = async || store.seats_elsewhere(B).await.unwrap();
    store.save_seats(A, vec![seat(ada, Presence::Online, 0), seat(gone, Presence::Online, 0)], at(1)).await.unwrap();
    assert!(store.seats_elsewhere(A).await.unwrap().is_empty(), "not one's own");
    let seen = elsewhere().await;
    assert_eq!(seen.len(), 1, "nobody without an account");
    assert_eq!((seen[0].agent_id, seen[0].name.as_str()), (ada, "ada@shop.example"));
    assert_eq!((seen[0].node, seen[0].seen_at), (A, at(1)));
    store.save_seats(A, vec![seat(ada, Presence::Away, 3)], at(2)).await.unwrap();
    let seen = elsewhere().await;
    assert_eq!((seen[0].status, seen[0].said), (Presence::Away, 3));
    store.drop_seats(A, at(1)).await.unwrap();
    assert_eq!(elsewhere().await.len(), 1, "it has lived since");
    store.drop_seats(A, at(2)).await.unwrap();
    assert!(elsewhere().await.is_empty());
}

async fn newest(store: &Store, ids: &[ConversationId]) -> Vec<(ConversationId, i64)> {
    let mut newest = store.newest_events(ids).await.unwrap();
    newest.sort_unstable();
    newest
}

async fn what_changed_is_found_by_id_and_by_time(fixture: &Fixture) {
    let store = &fixture.store;
    let mut ids = Vec::new();
    for second in 1..=3_u8 {
        ids.push(open(store, vec![second + 10; 32], at(second.into()), false).await);
    }
    let unknown = ConversationId(Clock::System.id());
    assert_eq!(newest(store, &[ids[0], unknown, ids[2]]).await, [(ids[0], 1), (ids[2], 1)]);
    assert_eq!(newest(store, &[]).await, []);
    assert_eq!(newest(store, &vec![ids[1]; NEWEST_PAGE]).await, [(ids[1], 1)]);
    let rows = store.updated_since(at(2), None).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), ids[1..]);
    assert_eq!((rows[0].last_seq, rows[0].last_turn, rows[0].updated_at), (1, 0, at(2)));
    let rest = store.updated_since(at(2), Some((rows[0].updated_at, rows[0].id))).await.unwrap();
    assert_eq!(rest.len(), 1);
}
