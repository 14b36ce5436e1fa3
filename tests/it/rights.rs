//! What customers may do for themselves: end, go on, delete, object, and see what is kept of them. And what a manager
//! learns of a page that embeds the chat.

use crate::support::{Customer, Socket, TestApp, operate, write_prompts};
use serde_json::{Value, json};
use uuid::Uuid;

/// Sends an operation and returns its answer.
async fn ask_for(customer: &mut Customer, mut frame: Value) -> Value {
    let id = json!(Uuid::new_v4());
    frame["id"] = id.clone();
    customer.socket.send(&frame).await;
    loop {
        let answer = customer.socket.next().await.unwrap();
        if answer["type"] == "event" {
            customer.events.push(answer);
        } else if answer["id"] == id {
            return answer;
        }
    }
}

async fn kept(app: &TestApp, token: &str) -> (u16, Value) {
    let request = reqwest::Client::new().get(format!("{}/v1/me", app.origin)).bearer_auth(token);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test]
async fn a_customer_ends_the_chat_is_asked_once_and_goes_on() {
    let app = TestApp::start().await;
    let mut ada = app.customer().await;
    ada.ask("What are your opening hours?").await;
    assert_eq!(ask_for(&mut ada, json!({ "type": "end" })).await["type"], "ack");
    let closed = ada.wait_for_state("closed").await;
    assert_eq!((&closed["reason"], &closed["from"]["role"]), (&json!("ended"), &json!("customer")));
    assert_eq!(closed["survey"]["kind"], "ces", "the bot alone was there");
    assert_eq!(ask_for(&mut ada, json!({ "type": "end" })).await["code"], "closed");
    let rated = ask_for(&mut ada, json!({ "type": "rate", "kind": "ces", "score": 6 })).await;
    assert_eq!(rated["type"], "ack");

    assert_eq!(ask_for(&mut ada, json!({ "type": "reopen" })).await["type"], "ack");
    let reopened = ada.wait_for_event(|event| event["reason"] == "reopened").await;
    assert_eq!(reopened["state"], "bot");
    assert!(reopened["reason_text"].as_str().unwrap().contains("not a human"), "{reopened}");
    assert_eq!(ask_for(&mut ada, json!({ "type": "reopen" })).await["code"], "forbidden");
    let seq = ada.say("Do you sell gift cards?").await;
    ada.wait_for_event(|event| event["from"]["role"] == "bot" && event["seq"].as_i64() > Some(seq)).await;
    ask_for(&mut ada, json!({ "type": "end" })).await;
    let again = ada.wait_for_event(|event| event["state"] == "closed" && event["seq"].as_i64() > Some(seq)).await;
    assert_eq!(again["survey"], Value::Null, "nobody is asked twice");
    let resumed = ada.resume(&app).await;
    assert_eq!(resumed.welcome["state"], "closed");
    app.stop().await;
}

#[tokio::test]
async fn what_was_said_is_deleted_for_everybody_and_nothing_comes_back() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let mut ada = app.customer().await;
    assert_eq!(ada.welcome["erase"], true);
    ada.ask("My number is JT-1042, where is it?").await;
    ask_for(&mut ada, json!({ "type": "human" })).await;
    ada.wait_for_state("queued").await;
    let conversation = ada.conversation();
    let claimed = operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    assert_eq!(claimed["type"], "ack");
    // Of two tabs both hear of it.
    let hello = json!({ "type": "hello", "site": "default", "token": ada.token, "conversation": conversation });
    let mut tab = Customer::hello(&app, hello.clone()).await;
    assert_eq!(ask_for(&mut ada, json!({ "type": "erase" })).await["type"], "ack");
    let gone = tab.wait_for_event(|event| event["reason"] == "erased").await;
    assert_eq!((&gone["state"], &gone["survey"]), (&json!("closed"), &Value::Null));
    desk.until("gone", Some(("conversation", conversation.clone()))).await;
    let path = format!("/v1/transcripts/{}", conversation.as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    assert!(!transcript.to_string().contains("1042"), "{transcript}");
    let (_, found) = manager.call("GET", "/v1/transcripts?q=1042", None).await;
    assert_eq!(found["items"], json!([]));
    assert_eq!(kept(&app, &ada.token).await.1["conversations"], json!([]));
    let say = operate(&mut desk, json!({ "type": "note", "conversation": conversation, "text": "late" })).await;
    assert_eq!(say["code"], "forbidden");

    let back = Customer::hello(&app, hello).await;
    assert_ne!(back.conversation(), conversation, "who names it begins another");
    assert_eq!(back.events.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn where_records_must_be_kept_nobody_deletes_them() {
    let kept_by_law = |text: String| text.replace("customers_may_erase = true", "customers_may_erase = false");
    let prompts = write_prompts("business.toml", kept_by_law);
    let app = TestApp::start_with(&["--prompts", prompts.path().to_str().unwrap()]).await;
    let mut ada = app.customer().await;
    assert_eq!(ada.welcome["erase"], false);
    ada.say("My number is JT-1042").await;
    assert_eq!(ask_for(&mut ada, json!({ "type": "erase" })).await["code"], "forbidden");
    assert!(kept(&app, &ada.token).await.1.to_string().contains("1042"));
    app.stop().await;
}

#[tokio::test]
async fn an_objection_stops_the_reading_of_mood_and_staff_know_of_it() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut ada = app.customer().await;
    assert_eq!(ada.welcome["analysis"], true);
    let furious = "This is a disgrace, I am furious and disgusted, terrible, useless";
    ada.ask(furious).await;
    assert_eq!(ask_for(&mut ada, json!({ "type": "analysis", "allowed": false })).await["type"], "ack");
    let seq = ada.say(furious).await;
    ada.wait_for_event(|event| event["from"]["role"] == "bot" && event["seq"].as_i64() > Some(seq)).await;
    let path = format!("/v1/transcripts/{}", ada.conversation().as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    let turns = transcript["turns"].as_array().unwrap();
    let moods: Vec<_> = turns.iter().map(|turn| (turn["mood"].clone(), turn["negative"].clone())).collect();
    assert!(moods[0].1.as_f64() > Some(0.3), "{moods:?}");
    assert_eq!(moods[1], (json!("neutral"), json!(0.0)));
    assert_eq!(turns[1]["trace"]["customer"]["objects"], true);
    assert!(transcript.to_string().contains("objects to the reading of their mood"));
    assert_eq!(ada.events.iter().filter(|event| event["kind"] == "hidden").count(), 1, "a note for staff");
    let (status, all) = kept(&app, &ada.token).await;
    assert_eq!(status, 200);
    assert!(all["browsers"][0]["objected_at"].is_i64(), "{all}");
    let ada = ada.resume(&app).await;
    assert_eq!(ada.welcome["analysis"], false);
    app.stop().await;
}

#[tokio::test]
async fn a_customer_sees_what_is_kept_and_nobody_elses() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let (mut ada, mut ben) = (app.customer().await, app.customer().await);
    ada.ask("What are your opening hours?").await;
    ben.ask("My own secret").await;
    let conversation = ada.conversation();
    operate(&mut desk, json!({ "type": "note", "conversation": conversation, "text": "among ourselves" })).await;
    let (_, all) = kept(&app, &ada.token).await;
    let told = all.to_string();
    assert!(told.contains("opening hours") && !told.contains("secret") && !told.contains("ourselves"), "{told}");
    assert_eq!(all["conversations"][0]["readings"][0]["mood"], "neutral");
    for token in ["", "nonsense", &manager.cookie] {
        assert_eq!(kept(&app, token).await.0, 401);
    }
    let client = reqwest::Client::new();
    let answer = client.get(format!("{}/v1/me", app.origin)).bearer_auth(&ada.token).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(kept(&app, &ada.token).await.0);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    app.stop().await;
}

#[tokio::test]
async fn where_customers_have_to_be_vouched_for_a_stranger_is_told_so() {
    let flags = ["--identity-secret", "a secret of 32 bytes for the tests", "--require-identity"];
    let app = TestApp::start_with(&flags).await;
    let mut socket = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    socket.send(&json!({ "type": "hello", "site": "default" })).await;
    assert_eq!(socket.until("error", None).await["code"], "identity_required");
    assert_eq!(socket.next().await, Err(4003));
    app.stop().await;
}

#[tokio::test]
async fn a_manager_learns_how_far_a_page_has_come() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let steps = async |origin: &str| {
        let path = format!("/v1/install?origin={}", origin.replace(':', "%3A").replace('/', "%2F"));
        manager.call("GET", &path, None).await
    };
    let (status, found) = steps("https://shop.example").await;
    assert_eq!((status, &found["allowed"], &found["loader_at"]), (200, &json!(true), &Value::Null));
    let client = reqwest::Client::new();
    let get = async |path: &str, referrer: &str| {
        client.get(format!("{}{path}", app.origin)).header("referer", referrer).send().await.unwrap().status()
    };
    assert_eq!(get("/widget.js", "https://shop.example/").await, 200);
    assert_eq!(get("/chat/?site=default&host=https%3A%2F%2Fshop.example", "").await, 200);
    assert_eq!(get("/chat/?host=https%3A%2F%2Fother.example", "").await, 200);
    let hello = json!({ "type": "hello", "site": "default", "page": "https://shop.example/coats" });
    let _ada = Customer::hello(&app, hello).await;
    let (_, found) = steps("https://shop.example/coats").await;
    assert_eq!(found["origin"], "https://shop.example");
    for step in ["loader_at", "chat_at", "socket_at"] {
        assert!(found[step].is_i64(), "{step}: {found}");
    }
    assert_eq!(found["refused_at"], Value::Null);
    let (_, other) = steps("https://other.example").await;
    assert_eq!((&other["allowed"], other["refused_at"].is_i64()), (&json!(false), true));
    assert_eq!(steps("nonsense").await.0, 422);
    let agent = app.agent(&manager, "Dana").await;
    assert_eq!(agent.call("GET", "/v1/install?origin=https%3A%2F%2Fshop.example", None).await.0, 403);
    app.stop().await;
}
