//! Hostile and broken clients: each gets the documented error or close code, and the server goes on.

use crate::support::{Socket, TestApp};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// A socket that has said hello.
async fn greeted(app: &TestApp) -> Socket {
    let mut socket = Socket::connect(app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    socket.send(&json!({ "type": "hello", "site": "default" })).await;
    socket.until("resumed", None).await;
    socket
}

#[tokio::test]
async fn broken_frames_get_an_error_and_the_socket_stays_open() {
    let app = TestApp::start().await;
    let mut socket = greeted(&app).await;
    let id = Uuid::new_v4();
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let frames = [
        "not json".to_owned(),
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        deep,
        json!({ "type": "no_such_frame" }).to_string(),
        json!({ "type": "say", "id": id }).to_string(),
        json!({ "type": "say", "id": "not a uuid", "text": "x" }).to_string(),
        json!({ "type": "say", "id": id, "text": { "$ne": 1 } }).to_string(),
        json!({ "type": "say", "id": id, "text": "x", "role": "agent" }).to_string(),
        json!({ "type": "say", "id": id, "text": "x", "__proto__": {} }).to_string(),
        json!({ "type": "rate", "id": id, "kind": "csat", "score": "5" }).to_string(),
        r#"{"type":"read","seq":1e309}"#.to_owned(),
        json!({ "type": "hello", "site": "default" }).to_string(),
    ];
    for frame in frames {
        socket.send_raw(Message::text(frame.clone())).await;
        let error = socket.until("error", None).await;
        assert_eq!(error["code"], "bad_frame", "{frame}");
    }
    let named = json!({ "type": "say", "id": id, "text": 7 });
    socket.send(&named).await;
    assert_eq!(socket.until("error", None).await["id"], json!(id), "an error names its frame");
    assert!(is_served(&mut socket).await);
    app.stop().await;
}

#[tokio::test]
async fn values_out_of_range_are_named() {
    let app = TestApp::start().await;
    let mut socket = greeted(&app).await;
    let cases: [(Value, &str); 7] = [
        (json!({ "type": "say", "text": "x".repeat(4_001) }), "too_long"),
        (json!({ "type": "say", "text": " \n\u{0}" }), "empty"),
        (json!({ "type": "rate", "kind": "csat", "score": 6 }), "invalid"),
        (json!({ "type": "rate", "kind": "nps", "score": -1 }), "invalid"),
        (json!({ "type": "feedback", "seq": 999, "helpful": true }), "invalid"),
        (json!({ "type": "feedback", "seq": 1, "helpful": true }), "invalid"),
        (json!({ "type": "leave", "email": "nowhere", "text": "x" }), "invalid"),
    ];
    for (mut frame, code) in cases {
        let id = json!(Uuid::new_v4());
        frame["id"] = id.clone();
        socket.send(&frame).await;
        let error = socket.until("error", None).await;
        assert_eq!((&error["code"], &error["id"]), (&json!(code), &id), "{frame}");
    }
    app.stop().await;
}

#[tokio::test]
async fn transport_abuse_is_closed_with_its_code() {
    let app = TestApp::start().await;
    let mut witness = greeted(&app).await;

    let mut binary = greeted(&app).await;
    binary.send_raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(closed(&mut binary).await, 1003);

    let mut large = greeted(&app).await;
    large.send_raw(Message::text("x".repeat(30_000))).await;
    // The library cuts the connection while the frame is still arriving, so a code may not get through.
    assert!([1009, 1006].contains(&closed(&mut large).await));

    let mut early = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    early.send(&json!({ "type": "say", "id": Uuid::new_v4(), "text": "before hello" })).await;
    assert_eq!(closed(&mut early).await, 4001);

    let mut broken = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    broken.send_raw(Message::text("{")).await;
    assert_eq!(broken.until("error", None).await["code"], "bad_frame");
    assert_eq!(closed(&mut broken).await, 4001);

    let mut silent = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    assert_eq!(closed(&mut silent).await, 4001, "no hello within five seconds");

    let mut elsewhere = Socket::connect(&app, "/v1/chat", Some(&app.origin), None).await.unwrap();
    elsewhere.send(&json!({ "type": "hello", "site": "no such site" })).await;
    assert_eq!(elsewhere.until("error", None).await["code"], "not_found");
    assert_eq!(closed(&mut elsewhere).await, 4003);

    assert!(is_served(&mut witness).await, "others are not harmed");
    app.stop().await;
}

#[tokio::test]
async fn only_listed_origins_connect() {
    let app = TestApp::start().await;
    let host = app.origin.trim_start_matches("http://").to_owned();
    let port = host.rsplit(':').next().unwrap().to_owned();
    for good in [app.origin.clone(), format!("http://localhost:{port}"), "https://shop.example".to_owned()] {
        assert!(Socket::connect(&app, "/v1/chat", Some(&good), None).await.is_ok(), "{good}");
    }
    let bad = [
        "null".to_owned(),
        "https://evil.example".to_owned(),
        "https://shop.example.evil.example".to_owned(),
        "https://evilshop.example".to_owned(),
        "https://shop.example:444".to_owned(),
        "http://shop.example".to_owned(),
        "https://SHOP.example".to_owned(),
        "https://shop.example/".to_owned(),
        format!("https://{host}"),
        format!("http://{host}0"),
        format!("http://{host}@evil.example"),
    ];
    for bad in &bad {
        let refused = Socket::connect(&app, "/v1/chat", Some(bad), None).await.err();
        assert_eq!(refused, Some(403), "{bad}");
    }
    assert_eq!(Socket::connect(&app, "/v1/chat", None, None).await.err(), Some(403), "no origin");

    let manager = app.manager().await;
    let desk = async |origin| Socket::connect(&app, "/v1/desk", origin, Some(&manager.cookie)).await.err();
    assert_eq!(desk(Some("https://shop.example")).await, Some(403), "a shop may embed the widget, not the desk");
    assert_eq!(desk(None).await, Some(403));
    assert_eq!(desk(Some(app.origin.as_str())).await, None);
    app.stop().await;
}

#[tokio::test]
async fn a_flood_by_one_is_told_to_wait() {
    let app = TestApp::start().await;
    let mut socket = greeted(&app).await;
    for _ in 0..40 {
        socket.send(&json!({ "type": "say", "id": Uuid::new_v4(), "text": "again" })).await;
    }
    let error = socket.until("error", None).await;
    assert_eq!(error["code"], "rate_limited");
    app.stop().await;
}

#[tokio::test]
async fn http_refuses_in_problem_documents() {
    let app = TestApp::start().await;
    let client = reqwest::Client::new();
    let post = async |path: &str, origin: &str, body: String| {
        let request = client.post(format!("{}{path}", app.origin)).header("content-type", "application/json");
        let response = request.header("origin", origin).body(body).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(kind, "application/problem+json", "{path}");
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let form = json!({ "email": "a@b.co", "password": "wrong wrong wrong" }).to_string();
    let origin = app.origin.clone();
    assert_eq!(post("/v1/session", &origin, form.clone()).await.1["type"], "/problems/wrong_credentials");
    assert_eq!(post("/v1/session", "https://evil.example", form).await.0, 403);
    assert_eq!(post("/v1/session", &origin, "{".to_owned()).await.0, 400);
    assert_eq!(post("/v1/session", &origin, "x".repeat(100_000)).await.0, 413);
    let set_up = json!({ "token": "guess", "name": "x", "email": "a@b.co", "password": "long enough pw" });
    assert_eq!(post("/v1/setup", &origin, set_up.to_string()).await.0, 401);
    for path in ["/v1/transcripts", "/v1/figures", "/v1/agents", "/v1/about", "/v1/reasons", "/v1/session"] {
        let response = client.get(format!("{}{path}", app.origin)).send().await.unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
    let missing = client.get(format!("{}/no/such/page", app.origin)).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    app.stop().await;
}

async fn closed(socket: &mut Socket) -> u16 {
    loop {
        if let Err(code) = socket.next().await {
            return code;
        }
    }
}

async fn is_served(socket: &mut Socket) -> bool {
    socket.send(&json!({ "type": "ping" })).await;
    socket.until("pong", None).await["seq"].is_i64()
}
