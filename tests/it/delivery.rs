//! What a customer's client may rely on: durable acks, one place for a message however often it is
//! sent, a log without gaps, and resume.

use crate::support::{Customer, TestApp, operate};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn the_notice_comes_first_and_is_logged() {
    let app = TestApp::start().await;
    let customer = app.customer().await;
    let disclosure = &customer.welcome["disclosure"];
    assert!(disclosure["text"].as_str().unwrap().contains("not a human"));
    assert_eq!(customer.events[0]["kind"], "disclosure");
    assert_eq!(customer.events[0]["version"], disclosure["version"]);
    app.stop().await;
}

#[tokio::test]
async fn a_message_that_is_sent_again_keeps_its_place() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    let say = json!({ "type": "say", "id": Uuid::new_v4(), "text": "Hello there" });
    customer.socket.send(&say).await;
    let first = customer.wait_for("ack", |_| true).await;
    customer.socket.send(&say).await;
    let second = customer.wait_for("ack", |_| true).await;
    assert_eq!((&first["seq"], &first["at"]), (&second["seq"], &second["at"]));

    let mut changed = say.clone();
    changed["text"] = json!("Something else");
    customer.socket.send(&changed).await;
    let refused = customer.wait_for("error", |_| true).await;
    assert_eq!((&refused["code"], &refused["id"]), (&json!("conflict"), &say["id"]));

    customer.wait_for_event(|event| event["from"]["role"] == "bot").await;
    let before = customer.events.clone();
    assert_eq!(customer.resume(&app).await.events, before, "everything had been seen");
    app.stop().await;
}

#[tokio::test]
async fn a_client_that_drops_sees_every_event_once_and_in_order() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    // Five different questions: asked the same again and again, the bot rightly gives up.
    let prompts = app.app.prompts();
    let questions = prompts.intents().iter().filter(|intent| intent.answer.is_some() && !intent.failure);
    let questions: Vec<String> = questions.take(5).map(|intent| intent.examples[0].clone()).collect();
    for question in &questions {
        customer.say(question).await;
        customer = customer.resume(&app).await;
    }
    let answers = |customer: &Customer| customer.events.iter().filter(|event| event["from"]["role"] == "bot").count();
    while answers(&customer) < 5 {
        customer.wait_for("event", |event| event["from"]["role"] == "bot").await;
    }
    let fresh = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": customer.token })).await;
    assert_eq!(fresh.events, customer.events, "a client that starts from nothing has the same log");
    app.stop().await;
}

#[tokio::test]
async fn a_restart_loses_nothing_and_answers_what_it_owed() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    customer.say("What are your opening hours?").await;
    let app = app.restart().await;
    let token = customer.token.clone();
    let mut back = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": token })).await;
    assert_eq!(back.welcome["conversation"], customer.welcome["conversation"]);
    assert_eq!(back.welcome["epoch"], customer.welcome["epoch"]);
    back.wait_for_event(|event| event["from"]["role"] == "bot").await;
    app.stop().await;
}

#[tokio::test]
async fn a_foreign_epoch_or_a_future_seq_starts_over() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    customer.ask("Hello").await;
    for (after, epoch) in [(2, json!("another history")), (10_000, customer.welcome["epoch"].clone())] {
        let hello = json!({
            "type": "hello", "site": "default", "token": customer.token, "after": after, "epoch": epoch,
            "conversation": customer.conversation(),
        });
        let again = Customer::hello(&app, hello).await;
        assert_eq!(again.events[0]["seq"], 1, "the whole log was sent");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_pong_names_the_newest_event() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    customer.ask("Hello").await;
    customer.socket.send(&json!({ "type": "ping" })).await;
    let pong = customer.wait_for("pong", |_| true).await;
    assert_eq!(pong["seq"].as_i64(), Some(customer.last_seq()));
    app.stop().await;
}

#[tokio::test]
async fn a_conversation_belongs_to_its_token() {
    let app = TestApp::start().await;
    let mut owner = app.customer().await;
    owner.ask("Hello").await;
    let thief = json!({ "type": "hello", "site": "default", "conversation": owner.conversation() });
    assert_ne!(Customer::hello(&app, thief).await.conversation(), owner.conversation(), "no token");
    let stranger = app.customer().await;
    let thief = json!({
        "type": "hello", "site": "default", "token": stranger.token, "conversation": owner.conversation(),
    });
    assert_ne!(Customer::hello(&app, thief).await.conversation(), owner.conversation(), "somebody else's token");
    app.stop().await;
}

#[tokio::test]
async fn what_staff_write_among_themselves_never_reaches_the_customer() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    customer.ask("Hello").await;
    let (mut desk, _) = manager.desk(&app).await;
    let note = json!({ "type": "note", "conversation": customer.conversation(), "text": "secret: be careful" });
    assert_eq!(operate(&mut desk, note).await["type"], "ack");
    let hidden = customer.wait_for_event(|event| event["kind"] == "hidden").await;
    assert_eq!(hidden.as_object().unwrap().keys().collect::<Vec<_>>(), ["kind", "seq", "type"]);
    let again = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": customer.token })).await;
    assert!(!json!(again.events).to_string().contains("secret"));
    app.stop().await;
}

#[tokio::test]
async fn a_conversation_whose_time_is_over_is_gone_everywhere() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    customer.ask("Something about a marmalade umbrella").await;
    let store = &app.app.store;
    let now = app.app.clock.now();
    let (before, after) = (now.before(Duration::from_secs(3600)), now.after(Duration::from_secs(1)));
    assert_eq!(store.forget_before(before, before).await.unwrap().over, 0);
    assert_eq!(store.forget_before(after, before).await.unwrap().over, 1);
    for query in ["", "?q=marmalade"] {
        let (_, found) = manager.call("GET", &format!("/v1/transcripts{query}"), None).await;
        assert_eq!(found["items"], json!([]), "{query}");
    }
    let hello = json!({ "type": "hello", "site": "default", "token": customer.token });
    assert_ne!(Customer::hello(&app, hello).await.conversation(), customer.conversation());
    app.stop().await;
}
