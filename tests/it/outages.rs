//! What sockets do while the database cannot be read for a moment, and when somebody's rights end: the first must not
//! look like the second, nor the second be missed.

use crate::support::{Customer, Socket, TestApp, operate};
use candor::bus::Signal;
use candor::clock::Clock;
use candor::domain::{ConversationId, Timestamp};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

#[tokio::test]
async fn a_database_that_does_not_answer_signs_nobody_out() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let customer = app.customer().await;
    let (mut desk, snapshot) = manager.desk(&app).await;
    app.app.store.close().await;
    desk.send(&json!({ "type": "ping", "version": snapshot["version"] })).await;
    let pong = desk.until("pong", None).await;
    assert_eq!(pong["version"], snapshot["version"]);

    // A card that could not be read is one that the desk lacks.
    let conversation: ConversationId = serde_json::from_value(customer.conversation()).unwrap();
    app.app.bus.publish(&Signal::Changed(conversation));
    tokio::time::sleep(Duration::from_millis(200)).await;
    desk.send(&json!({ "type": "ping", "version": snapshot["version"] })).await;
    let pong = desk.until("pong", None).await;
    assert!(pong["version"].as_u64() > snapshot["version"].as_u64(), "{pong}");
    app.app.stop.cancel();
}

#[tokio::test]
async fn who_cannot_be_let_in_comes_back_at_a_moment_of_their_own() {
    let app = TestApp::start().await;
    app.app.store.close().await;
    let mut waits = Vec::new();
    for _ in 0..8 {
        let mut socket = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
        socket.send(&json!({ "type": "hello", "site": "default" })).await;
        let busy = socket.next().await.unwrap();
        assert_eq!((&busy["type"], &busy["id"]), (&json!("busy"), &Value::Null));
        waits.push(busy["retry_after_ms"].as_u64().unwrap());
    }
    assert!(waits.iter().all(|wait| (2_000..=10_000).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 4, "not all at once: {waits:?}");
    app.app.stop.cancel();
}

#[tokio::test]
async fn an_expired_session_ends_a_desk_that_never_pings() {
    let clock = Clock::manual(Timestamp(1_795_348_800_000));
    let app = TestApp::start_on(TempDir::new().unwrap(), &["--models", "/nonexistent"], clock).await;
    let manager = app.manager().await;
    let customer = app.customer().await;
    let (mut desk, _) = manager.desk(&app).await;
    let note = json!({ "type": "note", "conversation": customer.conversation(), "text": "in time" });
    app.app.clock.advance(Duration::from_secs(11 * 3_600));
    assert_eq!(operate(&mut desk, note.clone()).await["type"], "ack", "it is good for twelve hours");
    app.app.clock.advance(Duration::from_secs(3_700));
    let mut late = note;
    late["id"] = json!(Uuid::new_v4());
    desk.send(&late).await;
    let code = loop {
        match desk.next().await {
            Ok(frame) => assert_ne!(frame["type"], "ack", "it was still served"),
            Err(code) => break code,
        }
    };
    assert_eq!(code, 4003);
    app.stop().await;
}

#[tokio::test]
async fn an_account_that_is_closed_during_the_handshake_gets_no_desk() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    let mut desk = Socket::connect(&app, "/v1/desk", Some(&app.origin), Some(&dana.cookie)).await.unwrap();
    let path = format!("/v1/agents/{}", dana.id);
    let (status, _) = manager.call("PATCH", &path, Some(&json!({ "active": false }))).await;
    assert_eq!(status, 200);
    desk.send(&json!({ "type": "hello" })).await;
    assert_eq!(desk.next().await, Err(4003), "nothing is shown");
    assert_eq!(app.customer().await.welcome["open"], false, "and nobody is there");
    app.stop().await;
}

#[tokio::test]
async fn a_reset_that_answers_a_ping_is_brought_to_an_end() {
    let app = TestApp::start().await;
    let mut customer: Customer = app.customer().await;
    customer.ask("Hello").await;
    let last = customer.last_seq();
    customer.socket.send(&json!({ "type": "ping", "seq": 1_000 })).await;
    let mut kinds = Vec::new();
    loop {
        let frame = customer.socket.next().await.unwrap();
        if frame["type"] == "resumed" {
            assert_eq!(frame["seq"].as_i64(), Some(last));
        }
        kinds.push(frame["type"].as_str().unwrap().to_owned());
        if frame["type"] == "pong" {
            break;
        }
    }
    kinds.dedup();
    assert_eq!(kinds, ["reset", "event", "resumed", "pong"]);
    app.stop().await;
}
