//! What customers are asked before their first message.

use crate::identity::signed;
use crate::support::{Customer, TestApp, write_prompts};
use serde_json::{Value, json};
use uuid::Uuid;

const ASKED: &str = r#"
[pre_chat]
intro = "So that a person can answer you later."
[[pre_chat.fields]]
name = "name"
label = "Your name"
kind = "text"
[[pre_chat.fields]]
name = "email"
label = "Email"
kind = "email"
required = true
[[pre_chat.fields]]
name = "topic"
label = "About"
kind = "choice"
options = ["An order", "A return"]

[disclosure]"#;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A server whose business asks these questions.
async fn start(flags: &[&str]) -> (TestApp, tempfile::TempDir) {
    let prompts = write_prompts("business.toml", |text| text.replacen("\n[disclosure]", ASKED, 1));
    let flags = [&["--prompts", prompts.path().to_str().unwrap()], flags].concat();
    (TestApp::start_with(&flags).await, prompts)
}

async fn answer(customer: &mut Customer, answers: Value) -> Value {
    let id = json!(Uuid::new_v4());
    customer.socket.send(&json!({ "type": "pre_chat", "id": id, "answers": answers })).await;
    loop {
        let frame = customer.socket.next().await.unwrap();
        if frame["id"] == id && frame["type"] != "event" {
            return frame;
        }
    }
}

#[tokio::test]
async fn it_is_asked_before_the_first_message_and_not_again() {
    let (app, _prompts) = start(&[]).await;
    let mut ada = app.customer().await;
    let asked = &ada.welcome["pre_chat"];
    assert_eq!(asked["intro"], "So that a person can answer you later.");
    assert_eq!(asked["fields"][2]["options"], json!(["An order", "A return"]));
    assert_eq!(answer(&mut ada, json!({ "name": "Ada" })).await["code"], "invalid", "the address is required");
    assert_eq!(answer(&mut ada, json!({ "email": "ada@shop.example", "vip": "yes" })).await["code"], "invalid");
    let stored = answer(&mut ada, json!({ "email": "ada@shop.example", "topic": "A return" })).await;
    assert_eq!(stored["type"], "ack");

    let manager = app.manager().await;
    let path = format!("/v1/transcripts/{}", ada.conversation().as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    let told = transcript["events"].as_array().unwrap().iter().find(|event| event["kind"] == "note").unwrap();
    assert_eq!(
        (&told["from"]["role"], &told["text"]),
        (&json!("customer"), &json!("Email: ada@shop.example\nAbout: A return"))
    );
    assert_eq!(told["pre_chat"][0], json!({ "name": "email", "label": "Email", "said": "ada@shop.example" }));
    let back = ada.resume(&app).await;
    assert_eq!(back.welcome.get("pre_chat"), None);
    let mut bob = app.customer().await;
    bob.ask("What are your opening hours?").await;
    assert_eq!(bob.resume(&app).await.welcome.get("pre_chat"), None, "who has begun is not held up");
    app.stop().await;
}

#[tokio::test]
async fn nobody_is_asked_where_nothing_is_and_no_answer_is_taken() {
    let app = TestApp::start().await;
    let mut ada = app.customer().await;
    assert_eq!(ada.welcome.get("pre_chat"), None);
    assert_eq!(answer(&mut ada, json!({ "email": "ada@shop.example" })).await["code"], "invalid");
    app.stop().await;
}

#[tokio::test]
async fn whom_the_business_knows_is_not_asked() {
    let (app, _prompts) = start(&["--identity-secret", SECRET]).await;
    let token = signed(SECRET, json!({ "sub": "cust-7" }), 300);
    let hello = json!({ "type": "hello", "site": "default", "identity": token });
    assert_eq!(Customer::hello(&app, hello).await.welcome.get("pre_chat"), None);
    app.stop().await;
}
