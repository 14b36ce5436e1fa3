//! Customers attach files: what is kept of them, who may have them back, and when they go.

use crate::support::{Customer, TestApp, operate};
use candor::chat::attachments::sweep;
use candor::domain::{Attachment, AttachmentKind, Author, ConversationId, EventKind};
use candor::store::NewEvent;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// One pixel, black, with something behind it.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDAT\x78\x9c\x63\x60\0\0\0\x02\0\x01\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82canary";
const DOCUMENT: &[u8] = b"%PDF-1.4\n1 0 obj <<>> endobj\ntrailer <<>>\n%%EOF\n";

async fn start() -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().unwrap();
    let app = TestApp::start_with(&["--attachments", folder.path().to_str().unwrap()]).await;
    (app, folder)
}

/// What the directory holds.
fn files(folder: &tempfile::TempDir) -> Vec<Vec<u8>> {
    std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

async fn put(app: &TestApp, customer: &Customer, id: Uuid, name: &str, bytes: &[u8]) -> (u16, Value) {
    put_as(app, &customer.token, &customer.conversation(), (id, name), bytes).await
}

async fn put_as(app: &TestApp, token: &str, to: &Value, (id, name): (Uuid, &str), bytes: &[u8]) -> (u16, Value) {
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let address = format!("{}/v1/conversations/{}/attachments/{id}?name={name}", app.origin, to.as_str().unwrap());
    let request = reqwest::Client::new().put(address).bearer_auth(token);
    let answer = request.header("origin", &app.origin).body(bytes.to_vec()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

async fn get(app: &TestApp, id: &Value, token: Option<&str>) -> reqwest::Response {
    let address = format!("{}/v1/attachments/{}", app.origin, id.as_str().unwrap());
    let request = reqwest::Client::new().request(Method::GET, address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_file_is_stored_once_told_to_everybody_and_given_back_as_a_download() {
    let (app, folder) = start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let mut ada = app.customer().await;
    assert_eq!(ada.welcome["attachments"], 10 * 1024 * 1024);
    let id = Uuid::new_v4();
    let (status, stored) = put(&app, &ada, id, "../bag \u{202e}gnp.exe", PICTURE).await;
    assert_eq!(status, 200, "{stored}");
    let (_, again) = put(&app, &ada, id, "another name.png", PICTURE).await;
    assert_eq!(again["seq"], stored["seq"], "a second try is harmless");
    let event = ada.wait_for_event(|event| event["attachment"].is_object()).await;
    assert_eq!((&event["seq"], &event["text"], &event["id"]), (&stored["seq"], &json!("bag gnp.png"), &json!(id)));
    assert_eq!(event["attachment"]["kind"], "png");
    let said = ada.wait_for_event(|event| event["from"]["role"] == "bot").await;
    assert!(said["text"].as_str().unwrap().contains("cannot look into files"), "{said}");

    let kept = files(&folder);
    assert_eq!(kept.len(), 1, "the second one was not kept");
    let (_, bill) = put(&app, &ada, Uuid::new_v4(), "bill.pdf", DOCUMENT).await;
    let asked = ada.say("What are your opening hours?").await;
    let answer =
        ada.wait_for_event(|event| event["from"]["role"] == "bot" && event["seq"].as_i64() > Some(asked)).await;
    assert!(answer["text"].as_str().unwrap().contains("open"), "{answer}");
    let since = |event: &&Value| event["from"]["role"] == "bot" && event["seq"].as_i64() > bill["seq"].as_i64();
    assert_eq!(ada.events.iter().filter(since).count(), 1, "it does not say the same about each of several files");
    assert!(!kept[0].windows(6).any(|window| window == b"canary"));
    let given = get(&app, &event["attachment"]["id"], Some(&ada.token)).await;
    let header = |name: &str| given.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("content-type"), header("x-content-type-options")), ("image/png".into(), "nosniff".into()));
    assert!(header("content-disposition").starts_with("attachment; filename=\"file.png\"; filename*=UTF-8''bag%20gnp"));
    assert!(header("content-security-policy").contains("sandbox") && header("cache-control") == "no-store");
    assert_eq!(given.bytes().await.unwrap(), kept[0]);

    // Staff see it at the desk and have it too.
    operate(&mut desk, json!({ "type": "open", "conversation": ada.conversation() })).await;
    let path = format!("/v1/attachments/{}", event["attachment"]["id"].as_str().unwrap());
    assert_eq!(manager.call("GET", &path, None).await.0, 200);
    let path = format!("/v1/transcripts/{}", ada.conversation().as_str().unwrap());
    let (_, transcript) = manager.call("GET", &path, None).await;
    assert!(transcript.to_string().contains("bag gnp.png"));
    app.stop().await;
}

#[tokio::test]
async fn nobody_else_has_it_and_nobody_else_adds_any() {
    let (app, folder) = start().await;
    let ada = app.customer().await;
    let bob = app.customer().await;
    let (status, _) = put(&app, &ada, Uuid::new_v4(), "bill.pdf", DOCUMENT).await;
    assert_eq!(status, 200);
    let to = ada.conversation();
    for (token, expected) in [(bob.token.as_str(), 404), ("made up", 401)] {
        assert_eq!(put_as(&app, token, &to, (Uuid::new_v4(), "x.pdf"), DOCUMENT).await.0, expected);
    }
    let address =
        format!("{}/v1/conversations/{}/attachments/{}?name=x", app.origin, to.as_str().unwrap(), Uuid::new_v4());
    let foreign = reqwest::Client::new().put(&address).bearer_auth(&ada.token).header("origin", "https://shop.example");
    assert_eq!(foreign.body(DOCUMENT).send().await.unwrap().status(), 403, "only the chat's own frame sends files");
    let mut ada = ada;
    let event = ada.wait_for_event(|event| event["attachment"].is_object()).await;
    let id = &event["attachment"]["id"];
    assert_eq!(get(&app, id, Some(&ada.token)).await.bytes().await.unwrap(), DOCUMENT);
    assert_eq!(get(&app, id, Some(&bob.token)).await.status(), 404);
    assert_eq!(get(&app, id, Some("made up")).await.status(), 401);
    assert_eq!(get(&app, id, None).await.status(), 401);
    assert_eq!(get(&app, &json!(Uuid::new_v4()), Some(&ada.token)).await.status(), 404);
    assert_eq!(files(&folder).len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_picture_and_no_document_is_refused_and_leaves_nothing() {
    let (app, folder) = start().await;
    let mut ada = app.customer().await;
    for bytes in [&b"<svg onload=alert(1)>"[..], b"MZ", b"", &PICTURE[..40], b"%PDF-1.4 and no end"] {
        let (status, problem) = put(&app, &ada, Uuid::new_v4(), "x.png", bytes).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("file")), "{problem}");
    }
    let large = vec![0; 10 * 1024 * 1024 + 1];
    assert_eq!(put(&app, &ada, Uuid::new_v4(), "x.png", &large).await.0, 413);
    assert!(files(&folder).is_empty());
    ada.ask("What are your opening hours?").await;
    let id = json!(Uuid::new_v4());
    ada.socket.send(&json!({ "type": "end", "id": id })).await;
    ada.wait_for_state("closed").await;
    assert_eq!(put(&app, &ada, Uuid::new_v4(), "x.png", PICTURE).await.0, 409);
    assert!(files(&folder).is_empty(), "what was written for it is removed");
    app.stop().await;
}

#[tokio::test]
async fn files_go_with_the_conversation() {
    let (app, folder) = start().await;
    let mut ada = app.customer().await;
    put(&app, &ada, Uuid::new_v4(), "x.png", PICTURE).await;
    let event = ada.wait_for_event(|event| event["attachment"].is_object()).await;
    assert_eq!(files(&folder).len(), 1);
    let id = json!(Uuid::new_v4());
    ada.socket.send(&json!({ "type": "erase", "id": id })).await;
    ada.wait_for_event(|event| event["reason"] == "erased").await;
    assert!(files(&folder).is_empty());
    assert_eq!(get(&app, &event["attachment"]["id"], Some(&ada.token)).await.status(), 404);
    app.stop().await;
}

#[tokio::test]
async fn where_no_files_are_taken_there_is_nothing() {
    let app = TestApp::start().await;
    let ada = app.customer().await;
    assert_eq!(ada.welcome.get("attachments"), None);
    assert_eq!(put(&app, &ada, Uuid::new_v4(), "x.png", PICTURE).await.0, 404);
    app.stop().await;
}

#[tokio::test]
async fn a_person_gets_files_without_the_bot_saying_anything() {
    let (app, _folder) = start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let mut ada = app.customer().await;
    let id = json!(Uuid::new_v4());
    ada.socket.send(&json!({ "type": "human", "id": id })).await;
    ada.wait_for_state("queued").await;
    operate(&mut desk, json!({ "type": "claim", "conversation": ada.conversation() })).await;
    ada.wait_for_state("assigned").await;
    let (_, stored) = put(&app, &ada, Uuid::new_v4(), "x.png", PICTURE).await;
    let thanks = json!({ "type": "say", "conversation": ada.conversation(), "text": "I have it" });
    operate(&mut desk, thanks).await;
    let answer = ada.wait_for_event(|event| event["text"] == "I have it").await;
    let between = |event: &&Value| {
        event["seq"].as_i64() > stored["seq"].as_i64() && event["seq"].as_i64() < answer["seq"].as_i64()
    };
    assert_eq!(ada.events.iter().filter(between).count(), 0, "nobody spoke in between");
    app.stop().await;
}

#[tokio::test]
async fn what_is_nobodys_is_removed_once_it_cannot_be_on_its_way() {
    let (app, folder) = start().await;
    let ada = app.customer().await;
    let conversation = ConversationId(ada.conversation().as_str().unwrap().parse().unwrap());
    // UUIDv7 of long ago: one with a row and one without; and one without of this moment.
    let [theirs, nobodys] = [1, 2].map(|id| Uuid::from_u128(0x7000_8000_0000_0000_0000 | id));
    let fresh = app.app.clock.id();
    for id in [theirs, nobodys, fresh] {
        std::fs::write(folder.path().join(id.simple().to_string()), id.as_bytes()).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "the owner's own").unwrap();
    let (kind, at) = (AttachmentKind::Pdf, app.app.clock.now());
    let attachment =
        Attachment { id: theirs, conversation_id: conversation, kind, name: "x.pdf".to_owned(), bytes: 16, at };
    let event = NewEvent::new(EventKind::Message, Author::Customer, at);
    app.app.store.attach(attachment, event).await.unwrap();
    sweep(&app.app).await.unwrap();
    let mut left = files(&folder);
    left.sort();
    let mut expected = [theirs.as_bytes().to_vec(), fresh.as_bytes().to_vec(), b"the owner's own".to_vec()];
    expected.sort();
    assert_eq!(left, expected);
    app.stop().await;
}
