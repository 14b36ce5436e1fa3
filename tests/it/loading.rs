//! A server whose model is still being loaded, or cannot be.

use crate::support::{Line, TestApp, UNLOADED};
use candor::clock::Clock;
use candor::domain::Source;
use candor::serve;
use clap::Parser as _;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::net::TcpListener;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/support-minilm");

async fn readyz(app: &TestApp) -> (u16, Value) {
    let response = reqwest::get(format!("{}/readyz", app.origin)).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Who read the turns of all conversations of this customer.
async fn sources(app: &TestApp, conversation: &Value) -> Vec<Source> {
    let id = serde_json::from_value(conversation.clone()).unwrap();
    app.app.store.turns_after(id, 0).await.unwrap().into_iter().map(|turn| turn.source).collect()
}

/// A copy of the model folder with one file changed.
fn changed(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = TempDir::new().unwrap();
    for entry in std::fs::read_dir(MODEL).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, folder.path().join(from.file_name().unwrap())).unwrap();
    }
    let path = folder.path().join(file);
    let bytes = change(std::fs::read(&path).unwrap());
    std::fs::write(path, bytes).unwrap();
    folder
}

/// What a start with this model folder says.
async fn refusal(models: &Path) -> String {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let database = folder.path().join("candor.db");
    let line = ["candor", "--models", models.to_str().unwrap(), "--database", database.to_str().unwrap()];
    let started = serve::start(Line::parse_from(line).config, &listener, Clock::System).await;
    started.err().expect("it started").to_string()
}

#[tokio::test]
async fn chats_are_taken_by_rules_until_the_model_is_loaded() {
    let app = TestApp::start_reading(&["--models", MODEL, UNLOADED]).await;
    let (status, body) = readyz(&app).await;
    assert_eq!((status, &body["ready"], &body["model"]), (200, &json!(true), &json!("loading")), "{body}");
    let mut customer = app.customer().await;
    customer.ask("where is my order JT-1042?").await;
    assert_eq!(sources(&app, &customer.conversation()).await, [Source::Rules]);

    app.app.bot.settled().await;
    let (status, body) = readyz(&app).await;
    assert_eq!((status, &body["model"], &body["understanding"]["source"]), (200, &json!("ready"), &json!("model")));
    customer.ask("how long do I have to send a coat back?").await;
    assert_eq!(sources(&app, &customer.conversation()).await, [Source::Rules, Source::Model]);
    app.stop().await;
}

#[tokio::test]
async fn damaged_weights_are_told_and_rules_go_on() {
    let models = changed("encoder.safetensors", |mut bytes| {
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    });
    let app = TestApp::start_reading(&["--models", models.path().to_str().unwrap()]).await;
    let (status, body) = readyz(&app).await;
    assert_eq!((status, &body["ready"], &body["model"]), (200, &json!(true), &json!("failed")), "{body}");
    let reason = body["understanding"]["reason"].as_str().unwrap();
    assert!(reason.contains("encoder.safetensors") && reason.contains("damaged or foreign"), "{reason}");
    let mut customer = app.customer().await;
    customer.ask("where is my order JT-1042?").await;
    assert_eq!(sources(&app, &customer.conversation()).await, [Source::Rules]);
    app.stop().await;
}

#[tokio::test]
async fn what_is_cheap_to_see_stops_the_start() {
    let damaged = changed("config.json", |bytes| [bytes, b" ".to_vec()].concat());
    let said = refusal(damaged.path()).await;
    assert!(said.contains("config.json") && said.contains("damaged or foreign"), "{said}");
    let missing = changed("heads.safetensors", |bytes| bytes);
    std::fs::remove_file(missing.path().join("heads.safetensors")).unwrap();
    let said = refusal(missing.path()).await;
    assert!(said.contains("heads.safetensors"), "{said}");
}
