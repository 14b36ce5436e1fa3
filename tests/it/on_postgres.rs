//! A whole conversation on PostgreSQL, from the first word to the transcript, with a restart in the middle.

use crate::postgres::TestDatabase;
use crate::support::{Customer, TestApp, operate};
use serde_json::json;
use uuid::Uuid;

#[tokio::test]
async fn a_whole_conversation_is_led_on_a_server() {
    let Some(database) = TestDatabase::create().await else { return };
    let app = TestApp::start_on_server(&database.url).await;
    assert!(!format!("{:?}", app.app.config.database).contains("user="), "settings of an address are not shown");
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    let (mut desk, _) = dana.desk(&app).await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    assert_eq!(customer.ask("What are your opening hours?").await["from"]["role"], "bot");
    let frame = json!({ "type": "say", "id": Uuid::new_v4(), "text": "A jar of marmalade (naïve café) broke" });
    let mut acks = Vec::new();
    for _ in 0..2 {
        customer.socket.send(&frame).await;
        acks.push(customer.wait_for("ack", |ack| ack["id"] == frame["id"]).await["seq"].clone());
    }
    assert_eq!(acks[0], acks[1], "a repeated frame is one message");
    customer.say("I want to talk to a real person please").await;
    assert_eq!(customer.wait_for_state("queued").await["position"], 1);

    assert_eq!(operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await["type"], "ack");
    assert_eq!(customer.wait_for_state("assigned").await["agent"]["name"], "Dana");
    operate(&mut desk, json!({ "type": "say", "conversation": conversation, "text": "Hi, Dana here." })).await;
    customer.wait_for_event(|event| event["from"]["role"] == "agent").await;

    let (token, after, epoch) = (customer.token.clone(), customer.last_seq(), customer.welcome["epoch"].clone());
    let seen = customer.events;
    drop(customer.socket);
    app.stop().await;
    let app = TestApp::start_on_server(&database.url).await;
    let hello = json!({
        "type": "hello", "site": "default", "token": token, "after": after, "conversation": conversation, "epoch": epoch,
    });
    let mut customer = Customer::hello(&app, hello).await;
    customer.events.splice(..0, seen);
    assert_eq!(customer.welcome["epoch"], epoch, "the same history after a restart");
    let (mut desk, snapshot) = dana.again(&app).desk(&app).await;
    assert_eq!(snapshot["cards"][0]["state"], "assigned");
    operate(&mut desk, json!({ "type": "close", "conversation": conversation })).await;
    customer.wait_for_state("closed").await;
    let rate = json!({ "type": "rate", "id": Uuid::new_v4(), "kind": "csat", "score": 4, "comment": "quick" });
    customer.socket.send(&rate).await;
    customer.wait_for("ack", |frame| frame["id"] == rate["id"]).await;

    let manager = manager.again(&app);
    let (status, found) = manager.call("GET", "/v1/transcripts?q=CAFE%20marmal", None).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["items"][0]["conversation"], conversation, "{found}");
    let (_, nothing) = manager.call("GET", "/v1/transcripts?q=honey", None).await;
    assert_eq!(nothing["items"], json!([]));
    let (_, transcript) =
        manager.call("GET", &format!("/v1/transcripts/{}", conversation.as_str().unwrap()), None).await;
    assert!(transcript.to_string().contains("Hi, Dana here."), "{transcript}");
    let (_, figures) = manager.call("GET", "/v1/figures?days=1", None).await;
    assert_eq!((&figures["conversations"], &figures["handed_over"]), (&json!(1), &json!(1)));
    assert_eq!(figures["csat"]["by_score"], json!([0, 0, 0, 1, 0]));
    app.stop().await;
    database.drop().await;
}
