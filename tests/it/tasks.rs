//! A return started in the chat, over a restart and against the demo shop's own endpoints; and what
//! a thumbs down brings.

use crate::support::{Customer, TestApp};
use serde_json::{Value, json};
use uuid::Uuid;

fn labels(message: &Value) -> Vec<&str> {
    message["options"]
        .as_array()
        .map_or_else(Vec::new, |options| options.iter().filter_map(|option| option["label"].as_str()).collect())
}

fn text(message: &Value) -> &str {
    message["text"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_return_is_started_over_several_turns_and_a_restart() {
    let app = TestApp::start_with(&["--with-demo"]).await;
    let mut customer: Customer = app.customer().await;
    let asked = customer.ask("start a return for JT-1048").await;
    assert_eq!(labels(&asked).len(), 3, "the order's items are the buttons: {asked}");
    let item = labels(&asked)[0].to_owned();
    let aside = customer.ask("how soon do you refund?").await;
    assert!(text(&aside).contains("working days") && text(&aside).contains("Which item"), "{aside}");
    let app = app.restart_with(&["--with-demo"]).await;
    let mut customer = customer.resume(&app).await;
    assert!(labels(&customer.ask(&item).await).contains(&"Too big"));
    let confirm = customer.ask("Too big").await;
    assert!(text(&confirm).contains(&item) && text(&confirm).contains("Too big"), "{confirm}");
    let done = customer.ask("yes").await;
    assert!(text(&done).contains("Your return is started") && text(&done).contains("https://"), "{done}");
    app.stop().await;
}

#[tokio::test]
async fn an_order_that_is_not_there_yet_has_nothing_to_send_back() {
    let app = TestApp::start_with(&["--with-demo"]).await;
    let mut customer = app.customer().await;
    let told = customer.ask("start a return for JT-1043").await;
    assert!(text(&told).contains("not been delivered") && text(&told).contains("another order"), "{told}");
    let left = customer.ask("never mind").await;
    assert!(text(&left).contains("no return was started"), "{left}");
    app.stop().await;
}

#[tokio::test]
async fn a_thumbs_down_offers_a_person_once() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    let answer = customer.ask("what are your opening hours?").await;
    let thumb =
        |helpful: bool| json!({ "type": "feedback", "id": Uuid::new_v4(), "seq": answer["seq"], "helpful": helpful });
    customer.socket.send(&thumb(true)).await;
    customer.socket.send(&thumb(false)).await;
    let offer = customer.wait_for_state("offered").await;
    assert_eq!(offer["reason"], "low_rating");
    customer.socket.send(&thumb(false)).await;
    let seq = customer.last_seq();
    customer.ask("No, keep going").await;
    let since = customer.events.iter().filter(|event| event["seq"].as_i64() > Some(seq));
    let said = since.filter(|event| event["from"]["role"] == "bot").count();
    assert_eq!(said, 1, "the offer stood already");
    app.stop().await;
}
