//! Before and behind the chat: signs of leaving, and invitations.

use crate::support::{Customer, Staff, TestApp, operate};
use serde_json::{Value, json};
use uuid::Uuid;

async fn post(app: &TestApp, path: &str, origin: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}{path}", app.origin)).header("origin", origin);
    let response = request.header("content-type", "text/plain").body(body.to_string()).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

async fn transcript(manager: &Staff, conversation: &Value) -> Value {
    manager.call("GET", &format!("/v1/transcripts/{}", conversation.as_str().unwrap()), None).await.1
}

fn trigger<'a>(figures: &'a Value, name: &str) -> &'a Value {
    figures["triggers"].as_array().unwrap().iter().find(|trigger| trigger["name"] == name).unwrap()
}

#[tokio::test]
async fn signs_of_leaving_are_weighed_told_and_remembered_while_a_person_has_it() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    let answer = customer.ask("What are your opening hours?").await;
    let judge = json!({ "type": "feedback", "id": Uuid::new_v4(), "seq": answer["seq"], "helpful": false });
    customer.socket.send(&judge).await;
    customer.wait_for("ack", |frame| frame["id"] == judge["id"]).await;
    // A thumbs down brings the offer of a person.
    customer.wait_for_state("offered").await;
    customer.ask("I will never order from you again").await;

    let turns = transcript(&manager, &customer.conversation()).await["turns"].clone();
    assert_eq!(turns[0]["trace"]["churn"]["band"], "low");
    let churn = turns.as_array().unwrap().last().unwrap()["trace"]["churn"].clone();
    let names: Vec<_> = churn["signals"].as_array().unwrap().iter().map(|signal| signal["name"].clone()).collect();
    assert!(names.contains(&json!("threat")) && names.contains(&json!("thumbs_down")), "{churn}");
    assert!(churn["score"].as_f64() > turns[0]["trace"]["churn"]["score"].as_f64());
    assert!(churn["signals"][0]["label"].is_string() && churn["bias"].is_f64());

    let (mut desk, snapshot) = manager.desk(&app).await;
    let card = &snapshot["cards"][0];
    assert_eq!((&card["churn"]["band"], &card["churn"]["score"]), (&churn["band"], &churn["score"]));
    let conversation = customer.conversation();
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    customer.wait_for_state("assigned").await;
    operate(&mut desk, json!({ "type": "open", "conversation": conversation })).await;
    let seq = customer.say("I mean it. I will never buy anything here again").await;
    let turn = desk.until("turn", Some(("seq", json!(seq)))).await;
    let threat = turn["trace"]["churn"]["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "threat");
    assert_eq!(threat.unwrap()["count"], 2, "what was said before a person came is not forgotten");
    assert_eq!(turn["trace"]["churn"]["band"], "high");
    let (_, snapshot) = manager.desk(&app).await;
    assert_eq!(snapshot["cards"][0]["churn"]["band"], "high");
    app.stop().await;
}

#[tokio::test]
async fn the_loader_brings_the_triggers_and_nothing_of_the_lookups() {
    let app = TestApp::start().await;
    let script = reqwest::get(format!("{}/widget.js", app.origin)).await.unwrap().text().await.unwrap();
    assert!(script.contains("\"returns_help\"") && script.contains("\"check\":true"), "{script}");
    assert!(!script.contains("__TRIGGERS__") && !script.contains("order_status"), "{script}");
    app.stop().await;
}

#[tokio::test]
async fn invitations_are_counted_by_arm_and_compared() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    for (arm, times) in [("shown", 3), ("held_out", 2)] {
        for _ in 0..times {
            let due = json!({ "trigger": "returns_help", "arm": arm });
            assert_eq!(post(&app, "/v1/invitations", &app.origin, &due).await.0, 204);
        }
    }
    let refused = [
        (app.origin.as_str(), json!({ "trigger": "nothing", "arm": "shown" }), 404),
        (app.origin.as_str(), json!({ "trigger": "returns_help", "arm": "lost" }), 400),
        (app.origin.as_str(), json!({ "trigger": "returns_help", "arm": "shown", "visitor": "7" }), 400),
        ("https://elsewhere.example", json!({ "trigger": "returns_help", "arm": "shown" }), 403),
    ];
    for (origin, body, status) in refused {
        assert_eq!(post(&app, "/v1/invitations", origin, &body).await.0, status, "{body}");
    }
    for invitation in [
        json!({ "trigger": "returns_help", "arm": "shown", "accepted": true }),
        json!({ "trigger": "returns_help", "arm": "held_out" }),
        json!({ "trigger": "unknown", "arm": "shown" }),
    ] {
        let hello = json!({ "type": "hello", "site": "default", "invitation": invitation });
        let mut customer = Customer::hello(&app, hello).await;
        customer.ask("How do I return something?").await;
    }
    // One who opened the chat and said nothing is no conversation.
    let silent = json!({ "trigger": "returns_help", "arm": "shown", "accepted": true });
    Customer::hello(&app, json!({ "type": "hello", "site": "default", "invitation": silent })).await;

    let (status, figures) = manager.call("GET", "/v1/invitations?days=1", None).await;
    assert_eq!(status, 200);
    let found = trigger(&figures, "returns_help");
    assert_eq!(found["shown"], json!({ "visits": 3, "conversations": 1, "accepted": 1, "handed_over": 0, "rated": 0 }));
    assert_eq!((&found["held_out"]["visits"], &found["held_out"]["conversations"]), (&json!(2), &json!(1)));
    assert!(found.get("effect").is_none(), "too few to tell");
    assert_eq!(trigger(&figures, "basket_idle")["shown"]["visits"], 0, "a trigger that was never due is there too");
    assert!(!figures.to_string().contains("unknown"));
    let dana = app.agent(&manager, "Dana").await;
    assert_eq!(dana.call("GET", "/v1/invitations", None).await.0, 403);
    app.stop().await;
}

#[tokio::test]
async fn an_order_is_asked_about_and_only_what_the_trigger_waits_for_is_told() {
    let app = TestApp::start_with(&["--with-demo"]).await;
    let ask = async |trigger: &str, number: &str| {
        post(&app, "/v1/invitations/check", &app.origin, &json!({ "trigger": trigger, "number": number })).await
    };
    assert_eq!(ask("order_late", "JT-1045").await, (200, json!({ "due": true })));
    for number in ["JT-1042", "JT-9999", "../../etc", ""] {
        assert_eq!(ask("order_late", number).await, (200, json!({ "due": false })), "{number}");
    }
    assert_eq!(ask("returns_help", "JT-1045").await.0, 404, "a trigger that asks for nothing");
    let body = json!({ "trigger": "order_late", "number": "JT-1045" });
    assert_eq!(post(&app, "/v1/invitations/check", "https://elsewhere.example", &body).await.0, 403);
    app.stop().await;
}
