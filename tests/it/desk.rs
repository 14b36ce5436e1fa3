//! From the bot to a person and back: the queue, claims, ownership, accounts, and what managers read.

use crate::support::{Socket, TestApp, operate};
use serde_json::{Value, json};
use uuid::Uuid;

async fn card(desk: &mut Socket, conversation: &Value, state: &str) -> Value {
    loop {
        let frame = desk.until("card", None).await;
        if frame["card"]["conversation"] == *conversation && frame["card"]["state"] == state {
            return frame["card"].clone();
        }
    }
}

#[tokio::test]
async fn a_customer_who_asks_gets_a_person_and_the_bot_falls_silent() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    let (mut desk, snapshot) = dana.desk(&app).await;
    assert_eq!(snapshot["me"]["name"], "Dana");

    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.ask("Hello").await;
    customer.say("I want to talk to a real person please").await;
    let queued = customer.wait_for_state("queued").await;
    assert_eq!((&queued["reason"], &queued["position"]), (&json!("request_human"), &json!(1)));

    let waiting = card(&mut desk, &conversation, "queued").await;
    assert_eq!(waiting["reason"]["code"], "request_human");
    assert!(waiting["queued_at"].is_i64() && waiting["mood"].is_string());

    let claim = json!({ "type": "claim", "conversation": conversation });
    assert_eq!(operate(&mut desk, claim.clone()).await["type"], "ack");
    assert_eq!(customer.wait_for_state("assigned").await["agent"]["name"], "Dana");
    let (mut rival, _) = manager.desk(&app).await;
    assert_eq!(operate(&mut rival, claim).await["code"], "forbidden", "one owner");
    let intrusion = json!({ "type": "say", "conversation": conversation, "text": "me too" });
    assert_eq!(operate(&mut rival, intrusion).await["code"], "forbidden");

    let answer = json!({ "type": "say", "conversation": conversation, "text": "Hi, Dana here." });
    operate(&mut desk, answer).await;
    let heard = customer.wait_for_event(|event| event["from"]["role"] == "agent").await;
    assert_eq!((&heard["from"]["name"], &heard["text"]), (&json!("Dana"), &json!("Hi, Dana here.")));

    // Opened before the customer speaks: a reading that is there already would come before the ack.
    operate(&mut desk, json!({ "type": "open", "conversation": conversation })).await;
    let seq = customer.say("What are your opening hours?").await;
    let turn = desk.until("turn", Some(("seq", json!(seq)))).await;
    assert_eq!(turn["action"], "silent", "the turn is read for the desk, and the bot says nothing");

    operate(&mut desk, json!({ "type": "return_to_bot", "conversation": conversation })).await;
    customer.wait_for_event(|event| event["kind"] == "state" && event["state"] == "bot").await;
    let reply = customer.ask("What are your opening hours?").await;
    assert_eq!(reply["from"]["role"], "bot");
    assert!(customer.events.iter().all(|event| event.get("said").is_none()), "how it was made is for staff");
    app.stop().await;
}

#[tokio::test]
async fn the_button_works_in_one_step_and_closing_asks_for_a_rating() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    assert_eq!(customer.wait_for_state("queued").await["reason"], "button");
    card(&mut desk, &conversation, "queued").await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    operate(&mut desk, json!({ "type": "close", "conversation": conversation })).await;
    customer.wait_for_state("closed").await;

    let rate = json!({ "type": "rate", "id": Uuid::new_v4(), "kind": "csat", "score": 4, "comment": "quick" });
    customer.socket.send(&rate).await;
    customer.wait_for("ack", |frame| frame["id"] == rate["id"]).await;
    customer.socket.send(&json!({ "type": "say", "id": Uuid::new_v4(), "text": "one more thing" })).await;
    assert_eq!(customer.wait_for("error", |_| true).await["code"], "closed");

    let (_, figures) = manager.call("GET", "/v1/figures?days=1", None).await;
    assert_eq!((&figures["conversations"], &figures["handed_over"]), (&json!(1), &json!(1)));
    assert_eq!(figures["csat"], json!({ "mean": 4.0, "count": 1, "by_score": [0, 0, 0, 1, 0] }));
    app.stop().await;
}

#[tokio::test]
async fn nobody_there_is_said_and_a_message_can_be_left() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    assert_eq!(customer.welcome["open"], false);
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    assert_eq!(customer.wait_for_state("queued").await["open"], false);
    let leave = json!({ "type": "leave", "id": Uuid::new_v4(), "email": "kim@mail.example", "text": "call me" });
    customer.socket.send(&leave).await;
    customer.wait_for("ack", |frame| frame["id"] == leave["id"]).await;
    let manager = app.manager().await;
    let (_, snapshot) = manager.desk(&app).await;
    assert_eq!(snapshot["cards"][0]["state"], "queued", "it waits for whoever comes");
    let path = format!("/v1/transcripts/{}", customer.conversation().as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    let left = transcript["events"].as_array().unwrap().iter().find(|event| event["kind"] == "left_message").unwrap();
    assert_eq!((&left["email"], &left["text"]), (&json!("kim@mail.example"), &json!("call me")));
    app.stop().await;
}

#[tokio::test]
async fn a_manager_finds_and_reads_a_transcript_with_its_decisions() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    customer.ask("Do you repair marmalade-coloured umbrellas?").await;
    customer.say("I want to speak to a human").await;
    customer.wait_for_state("queued").await;
    let other = app.customer().await;
    drop(other);

    let (_, all) = manager.call("GET", "/v1/transcripts", None).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "a chat in which nobody spoke is no transcript");
    for (query, hits) in [
        ("q=marmalade", 1),
        ("q=marmal", 1),
        ("q=umbrellas%20marmalade", 1),
        ("q=%22marmalade%22%20OR%20x*", 0),
        ("state=queued", 1),
        ("state=closed", 0),
        ("reason=request_human", 1),
        ("reason=request_human&q=marmalade&state=queued", 1),
    ] {
        let (status, found) = manager.call("GET", &format!("/v1/transcripts?{query}"), None).await;
        assert_eq!((status, found["items"].as_array().unwrap().len()), (200, hits), "{query}");
    }
    let (_, found) = manager.call("GET", "/v1/transcripts?q=marmalade", None).await;
    let snippet = found["items"][0]["snippet"].as_array().unwrap();
    assert!(snippet.iter().any(|part| part["hit"] == true && part["text"] == "marmalade"));
    assert_eq!(manager.call("GET", "/v1/transcripts?state=nonsense", None).await.0, 400);

    let id = customer.conversation();
    let (_, transcript) = manager.call("GET", &format!("/v1/transcripts/{}", id.as_str().unwrap()), None).await;
    let last = transcript["turns"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["action"], &last["reasons"][0]["code"]), (&json!("handoff"), &json!("request_human")));
    assert!(last["trace"].is_object());
    assert_eq!(manager.call("GET", &format!("/v1/transcripts/{}", Uuid::new_v4()), None).await.0, 404);
    app.stop().await;
}

#[tokio::test]
async fn roles_hold_and_a_closed_account_is_out_at_once() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    for path in ["/v1/transcripts", "/v1/figures", "/v1/agents"] {
        assert_eq!(dana.call("GET", path, None).await.0, 403, "{path}");
    }
    assert_eq!(dana.call("DELETE", "/v1/demo", None).await.0, 403);
    let twin = json!({ "email": "dana@shop.example", "name": "Twin", "role": "agent", "password": "another long one" });
    assert_eq!(manager.call("POST", "/v1/agents", Some(&twin)).await.0, 409);
    let weak = json!({ "email": "x@shop.example", "name": "X", "role": "agent", "password": "short" });
    let (status, problem) = manager.call("POST", "/v1/agents", Some(&weak)).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("password")));

    let (mut desk, _) = dana.desk(&app).await;
    let path = format!("/v1/agents/{}", dana.id);
    assert_eq!(manager.call("PATCH", &path, Some(&json!({ "active": false }))).await.0, 200);
    let code = loop {
        if let Err(code) = desk.next().await {
            break code;
        }
    };
    assert_eq!(code, 4003, "the open desk is closed");
    assert_eq!(dana.call("GET", "/v1/session", None).await.0, 401);
    let own = format!("/v1/agents/{}", manager.id);
    let (status, problem) = manager.call("PATCH", &own, Some(&json!({ "active": false }))).await;
    assert_eq!((status, &problem["detail"]), (409, &json!("there must be at least one manager")));
    app.stop().await;
}

#[tokio::test]
async fn the_setup_link_works_once() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    assert_eq!(manager.call("GET", "/v1/session", None).await.1["agent"]["role"], "manager");
    assert!(candor::chat::accounts::open_setup(&app.app).await.unwrap().is_none(), "there is a manager");
    let app = app.restart().await;
    assert!(app.path("candor.db").exists());
    app.stop().await;
}
