//! Who a customer is: the business's signed word, and what it changes.

use crate::support::{Customer, Socket, TestApp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = "a secret of 32 bytes for the tests";

fn seconds() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// As a business's server signs.
pub(crate) fn signed(secret: &str, mut claims: Value, lives: i64) -> String {
    claims["exp"] = json!(seconds() + lives);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let body = format!("{}.{}", encode(&json!({ "alg": "HS256", "typ": "JWT" })), encode(&claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn hello(identity: &str) -> Value {
    json!({ "type": "hello", "site": "default", "locale": "en-GB", "identity": identity })
}

/// The customer as the latest turn of a conversation saw them.
async fn seen(manager: &crate::support::Staff, conversation: &Value) -> Value {
    let path = format!("/v1/transcripts/{}", conversation.as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    transcript["turns"].as_array().unwrap().last().unwrap()["trace"]["customer"].clone()
}

#[tokio::test]
async fn a_signed_customer_is_known_to_the_bot_and_at_the_desk() {
    let app = TestApp::start_with(&["--identity-secret", SECRET]).await;
    let manager = app.manager().await;
    let (_, snapshot) = manager.desk(&app).await;
    assert_eq!(snapshot["cards"], json!([]));
    let claims = json!({
        "sub": "cust-7", "name": "Ada Ng", "email": "ada@mail.example", "locale": "de-AT", "vip": true,
        "facts": { "plan": "Gold" },
    });
    let mut ada = Customer::hello(&app, hello(&signed(SECRET, claims.clone(), 300))).await;
    ada.ask("What are your opening hours?").await;
    let customer = seen(&manager, &ada.conversation()).await;
    assert_eq!(
        customer,
        json!({
            "name": "Ada Ng", "locale": "de-AT", "verified": true, "vip": true, "vulnerable": false, "contacts": 0,
            "facts": { "plan": "Gold", "email": "ada@mail.example" },
        })
    );
    let (_, snapshot) = manager.desk(&app).await;
    let card = &snapshot["cards"][0];
    assert_eq!((&card["customer"], &card["verified"]), (&json!("Ada Ng"), &json!(true)));
    let (_, list) = manager.call("GET", "/v1/transcripts", None).await;
    assert_eq!((&list["items"][0]["customer"], &list["items"][0]["verified"]), (&json!("Ada Ng"), &json!(true)));

    // The same browser without a token is still the same customer; another browser is one more visitor.
    let again = json!({ "type": "hello", "site": "default", "token": ada.token });
    drop(ada);
    let mut ada = Customer::hello(&app, again).await;
    ada.ask("Do you sell gift cards?").await;
    assert_eq!(seen(&manager, &ada.conversation()).await["verified"], true);
    let mut elsewhere = Customer::hello(&app, hello(&signed(SECRET, claims, 300))).await;
    assert_ne!(elsewhere.conversation(), ada.conversation());
    elsewhere.ask("What are your opening hours?").await;
    assert_eq!(seen(&manager, &elsewhere.conversation()).await["contacts"], 1, "one customer in two browsers");

    let mut stranger = app.customer().await;
    stranger.ask("What are your opening hours?").await;
    let unknown = seen(&manager, &stranger.conversation()).await;
    assert_eq!((&unknown["verified"], &unknown["contacts"]), (&json!(false), &json!(0)));
    app.stop().await;
}

#[tokio::test]
async fn nobody_reads_on_where_another_customer_left_off() {
    let app = TestApp::start_with(&["--identity-secret", SECRET]).await;
    let mut anonymous = app.customer().await;
    anonymous.ask("What are your opening hours?").await;
    let come = async |identity: &str| {
        let mut hello = hello(identity);
        hello["token"] = json!(anonymous.token);
        hello["conversation"] = anonymous.conversation();
        Customer::hello(&app, hello).await
    };
    let ada = come(&signed(SECRET, json!({ "sub": "ada" }), 60)).await;
    assert_eq!(ada.conversation(), anonymous.conversation(), "who signs in goes on where they were");
    assert!(ada.welcome["token"].is_null());
    let ben = come(&signed(SECRET, json!({ "sub": "ben" }), 60)).await;
    assert_ne!(ben.conversation(), ada.conversation());
    assert!(ben.welcome["token"].is_string() && ben.events.len() == 1, "a new visitor with an empty log");
    app.stop().await;
}

#[tokio::test]
async fn a_refused_token_is_told_and_the_chat_goes_on() {
    let app = TestApp::start_with(&["--identity-secret", SECRET]).await;
    let manager = app.manager().await;
    let ada = json!({ "sub": "ada", "name": "Ada" });
    let unsigned = format!("{}.", URL_SAFE_NO_PAD.encode(json!({ "alg": "none" }).to_string()));
    for (identity, reason) in [
        (signed(SECRET, ada.clone(), -3_600), "expired"),
        (signed(SECRET, ada.clone(), 7_200), "one hour"),
        (signed("another secret of 32 bytes for the tests", ada.clone(), 60), "signature"),
        (format!("{unsigned}{}.", URL_SAFE_NO_PAD.encode(ada.to_string())), "HS256"),
        ("nonsense".to_owned(), "JSON Web Token"),
    ] {
        let mut socket = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
        socket.send(&hello(&identity)).await;
        let welcome = socket.until("welcome", None).await;
        let error = socket.until("error", None).await;
        assert_eq!(error["code"], "identity");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains(reason) && !told.contains("Ada"), "{told}");
        socket.until("resumed", None).await;
        socket
            .send(&json!({ "type": "say", "id": uuid::Uuid::new_v4(), "text": "What are your opening hours?" }))
            .await;
        loop {
            let event = socket.until("event", None).await;
            if event["from"]["role"] == "bot" {
                break;
            }
        }
        assert_eq!(seen(&manager, &welcome["conversation"]).await["verified"], false);
    }
    app.stop().await;

    let without = TestApp::start().await;
    let mut socket = Socket::connect(&without, "/v1/chat", Some(&without.origin), None).await.unwrap();
    socket.send(&hello(&signed(SECRET, ada, 60))).await;
    let error = socket.until("error", None).await;
    assert!(error["message"].as_str().unwrap().contains("--identity-secret"), "{error}");
    without.stop().await;
}

/// The code of a fenced block of docs/identity.md.
fn example(language: &str) -> String {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/identity.md")).unwrap();
    let (_, code) = docs.split_once(&format!("```{language}\n")).unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_examples_of_the_documentation_sign_as_they_should() {
    let app = TestApp::start_with(&["--identity-secret", SECRET]).await;
    let manager = app.manager().await;
    for (program, flag, language) in [("node", "-e", "js"), ("python3", "-c", "python")] {
        let run = Command::new(program).args([flag, &example(language)]).env("CANDOR_IDENTITY_SECRET", SECRET).output();
        let Ok(output) = run else {
            println!("{program} is not here, so its example was not run");
            continue;
        };
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).unwrap();
        let mut ada = Customer::hello(&app, hello(token.trim())).await;
        ada.ask("What are your opening hours?").await;
        let customer = seen(&manager, &ada.conversation()).await;
        assert_eq!((&customer["name"], &customer["facts"]["plan"]), (&json!("Ada Ng"), &json!("Gold")), "{program}");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_upset_customer_hears_what_is_understood_in_the_tone_of_their_locale() {
    let app = TestApp::start_with(&["--identity-secret", SECRET]).await;
    let angry = "I am furious, this is outrageous and unacceptable! Where is my refund?";
    for (locale, opening) in [
        ("en-US", "I understand that you are waiting for your refund.\n\n"),
        ("de-AT", "I understand that you are waiting for your refund.\n\n"),
        ("fr", "From your message, I understand that you are waiting for your refund.\n\n"),
    ] {
        let token = signed(SECRET, json!({ "sub": locale, "locale": locale }), 60);
        let mut customer = Customer::hello(&app, hello(&token)).await;
        let reply = customer.ask(angry).await;
        let text = reply["text"].as_str().unwrap();
        assert!(text.starts_with(opening) && !text.contains('!'), "{locale}: {text}");
        let calm = customer.ask("What are your opening hours?").await;
        assert!(calm["text"].as_str().unwrap().starts_with("The shop is open"), "{calm}");
    }
    app.stop().await;
}
