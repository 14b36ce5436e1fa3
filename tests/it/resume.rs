//! The parts of resume that a client seldom needs: far behind, a lost hint, a reader that does not read, a stop, more
//! than one socket of a visitor, and the desk's versions.

use crate::support::{Customer, Socket, TestApp, operate};
use candor::domain::{Author, ConversationId, EventKind};
use candor::store::{Guard, NewEvent, Opening};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use uuid::Uuid;

fn id_of(conversation: &Value) -> ConversationId {
    serde_json::from_value(conversation.clone()).unwrap()
}

/// Writes messages behind the server's back: no signal tells of them, and no bot owes them an answer.
async fn write(app: &TestApp, conversation: ConversationId, texts: impl Iterator<Item = String>) {
    let all: Vec<String> = texts.collect();
    for some in all.chunks(500) {
        let writes = some.iter().map(|text| {
            let mut event = NewEvent::new(EventKind::Message, Author::Agent, app.app.clock.now());
            event.text = Some(text.clone());
            app.app.store.append(conversation, Guard::Open, event)
        });
        for written in join_all(writes).await {
            written.unwrap();
        }
    }
}

#[tokio::test]
async fn whoever_is_too_far_behind_gets_the_newest_and_is_told() {
    let app = TestApp::start().await;
    let customer = app.customer().await;
    write(&app, id_of(&customer.conversation()), (0..5_100).map(|number| format!("message {number}"))).await;
    let hello = json!({
        "type": "hello", "site": "default", "token": customer.token, "after": 1,
        "conversation": customer.conversation(), "epoch": customer.welcome["epoch"],
    });
    let back = Customer::hello(&app, hello).await;
    assert_eq!(back.welcome["seq"], 5_101);
    assert_eq!((back.events.len(), back.events[0]["seq"].as_i64()), (500, Some(4_602)));
    assert_eq!(back.events.last().unwrap()["text"], "message 5099");
    app.stop().await;
}

#[tokio::test]
async fn a_ping_repairs_what_no_signal_told_of() {
    let app = TestApp::start().await;
    let mut customer = app.customer().await;
    let conversation = id_of(&customer.conversation());
    write(&app, conversation, ["one".to_owned(), "two".to_owned()].into_iter()).await;
    assert!(customer.socket.is_silent(Duration::from_millis(300)).await, "nobody was told");
    customer.socket.send(&json!({ "type": "ping", "seq": customer.last_seq() })).await;
    let pong = customer.wait_for("pong", |_| true).await;
    assert_eq!(pong["seq"].as_i64(), Some(customer.last_seq()), "the events come before the pong");
    assert_eq!(customer.events.last().unwrap()["text"], "two");

    // Sent, and a while ago, and the client says that it is not there.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let has = customer.last_seq() - 1;
    customer.socket.send(&json!({ "type": "ping", "seq": has })).await;
    let again = customer.socket.next().await.unwrap();
    assert_eq!((&again["type"], again["seq"].as_i64()), (&json!("event"), Some(has + 1)));
    assert_eq!(customer.socket.next().await.unwrap()["type"], "pong");

    // What the client has cannot be: it holds another history.
    customer.socket.send(&json!({ "type": "ping", "seq": 1_000 })).await;
    let reset = customer.socket.next().await.unwrap();
    assert_eq!(reset, json!({ "type": "reset", "reason": "seq", "after": 0 }));
    assert_eq!(customer.socket.next().await.unwrap()["seq"], 1);
    app.stop().await;
}

#[tokio::test]
async fn a_visitor_has_one_rate_on_all_sockets() {
    let app = TestApp::start().await;
    let mut first = app.customer().await;
    let hello = json!({ "type": "hello", "site": "default", "token": first.token });
    let mut second = Customer::hello(&app, hello).await;
    let mut accepted = 0;
    for number in 0..20 {
        let customer = if number % 2 == 0 { &mut first } else { &mut second };
        let id = json!(Uuid::new_v4());
        customer.socket.send(&json!({ "type": "say", "id": id, "text": format!("number {number}") })).await;
        let answer = loop {
            let frame = customer.socket.next().await.unwrap();
            if frame["id"] == id && frame["type"] != "event" {
                break frame;
            }
        };
        if answer["type"] == "ack" {
            accepted += 1;
        } else {
            let wait = answer["retry_after_ms"].as_u64().unwrap();
            assert!(answer["code"] == "rate_limited" && (1..=1_500).contains(&wait), "{answer}");
        }
    }
    assert!((12..16).contains(&accepted), "{accepted} of 20");
    let mut other = app.customer().await;
    other.say("Others are not harmed").await;
    app.stop().await;
}

#[tokio::test]
async fn a_stop_tells_each_socket_when_to_come_back() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (desk, _) = manager.desk(&app).await;
    let mut customers = Vec::new();
    for _ in 0..40 {
        customers.push(app.customer().await.socket);
    }
    let begin = Instant::now();
    let stop = tokio::spawn(app.stop());
    let mut waits = Vec::new();
    customers.push(desk);
    for socket in &mut customers {
        let notice = loop {
            let frame = socket.next().await.unwrap();
            if frame["type"] == "restarting" {
                break frame;
            }
        };
        waits.push(notice["retry_after_ms"].as_u64().unwrap());
        assert_eq!(socket.next().await, Err(1012));
    }
    stop.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 20 && waits.iter().all(|wait| *wait <= 10_000), "each has its own moment: {waits:?}");
}

#[tokio::test]
async fn a_slow_reader_is_let_go_and_others_do_not_notice() {
    let app = TestApp::start().await;
    let mut witness = app.customer().await;
    let customer = app.customer().await;
    let conversation = id_of(&customer.conversation());
    // 4 MB, far more than the kernel keeps for one socket.
    write(&app, conversation, (0..700).map(|_| "ж".repeat(3_000))).await;
    let free = app.app.sockets.available_permits();

    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let host = app.origin.trim_start_matches("http://").to_owned();
    let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /v1/chat HTTP/1.1\r\nHost: {host}\r\nOrigin: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: candor.v1\r\n\r\n",
        app.origin
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let hello = json!({ "type": "hello", "site": "default", "token": customer.token }).to_string();
    // Masked with zeros, which is what it is then.
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend(u16::try_from(hello.len()).unwrap().to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(hello.as_bytes());
    stream.write_all(&frame).await.unwrap();

    let begin = Instant::now();
    let mut slowest = Duration::ZERO;
    let taken = || app.app.sockets.available_permits() < free;
    while !taken() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while taken() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it is still there");
        let asked = Instant::now();
        witness.socket.send(&json!({ "type": "ping" })).await;
        witness.socket.until("pong", None).await;
        slowest = slowest.max(asked.elapsed());
        // Within the rate of frames.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(begin.elapsed() > Duration::from_secs(9), "it had its ten seconds: {:?}", begin.elapsed());
    assert!(slowest < Duration::from_secs(2), "others wait {slowest:?}");
    // What it can still read is what the kernel kept: bounded, however much there was to send.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < 1024 * 1024, "{} bytes were on their way", rest.len());
    let whole = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": customer.token })).await;
    assert_eq!(whole.events.len(), 701, "resume brings everything");
    app.stop().await;
}

/// The version of a frame that has one.
fn version(frame: &Value) -> Option<u64> {
    frame["version"].as_u64().filter(|_| frame["type"] != "pong")
}

#[tokio::test]
async fn the_desks_list_is_versioned_without_gaps_and_sent_anew_to_who_lacks_some() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, snapshot) = manager.desk(&app).await;
    let mut last = version(&snapshot).unwrap();
    let mut customer = app.customer().await;
    customer.ask("Hello").await;
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await;
    let mut kinds = Vec::new();
    loop {
        let frame = desk.next().await.unwrap();
        if let Some(next) = version(&frame) {
            assert_eq!(next, last + 1, "{frame}");
            last = next;
            kinds.push(frame["type"].clone());
        }
        if frame["card"]["state"] == "queued" {
            break;
        }
    }
    assert!(kinds.contains(&json!("card")), "{kinds:?}");
    tokio::time::sleep(Duration::from_millis(2_600)).await;
    desk.send(&json!({ "type": "ping", "version": 1 })).await;
    let again = desk.until("snapshot", None).await;
    assert_eq!(again["cards"][0]["state"], "queued");
    let pong = desk.until("pong", None).await;
    assert_eq!(pong["version"], again["version"]);
    desk.send(&json!({ "type": "ping", "version": pong["version"] })).await;
    assert_eq!(desk.next().await.unwrap(), pong, "whoever has everything gets nothing");
    app.stop().await;
}

#[tokio::test]
async fn a_desk_with_a_thousand_cards_opens() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (store, now) = (app.app.store.clone(), app.app.clock.now());
    let visitor = store.create_visitor(candor::token::hash("a visitor"), now).await.unwrap();
    let store = &store;
    let openings = (0..1_000).map(|_| async move {
        let opening = Opening { visitor, locale: None, page: None, disclosure: "1".to_owned(), demo: false, at: now };
        let conversation = store.open_conversation(opening).await.unwrap();
        let mut event = NewEvent::new(EventKind::Message, Author::Customer, now);
        event.text = Some("ж".repeat(300));
        store.append(conversation, Guard::Open, event).await.unwrap();
    });
    // Fewer at a time than the writer's queue has places.
    let mut openings: Vec<_> = openings.collect();
    while !openings.is_empty() {
        join_all(openings.drain(..openings.len().min(250))).await;
    }
    let (_desk, snapshot) = manager.desk(&app).await;
    let cards = snapshot["cards"].as_array().unwrap().len();
    assert!(cards == 1_000 && snapshot.to_string().len() > 512 * 1024, "{cards} cards");
    app.stop().await;
}

#[tokio::test]
async fn two_desks_of_an_agent_agree_and_a_drop_makes_nobody_available() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut first, _) = manager.desk(&app).await;
    let (mut second, _) = manager.desk(&app).await;
    operate(&mut first, json!({ "type": "status", "status": "away" })).await;
    let own = |frame: &Value| frame["agents"][0]["status"].clone();
    while own(&second.until("agents", None).await) != "away" {}
    let customer = app.customer().await;
    assert_eq!(customer.welcome["open"], false);
    drop((first, second));
    let mut back = Socket::connect(&app, "/v1/desk", Some(&app.origin), Some(&manager.cookie)).await.unwrap();
    back.send(&json!({ "type": "hello", "status": "away" })).await;
    assert_eq!(back.until("snapshot", None).await["me"]["status"], "away");
    assert_eq!(app.customer().await.welcome["open"], false, "nobody is promised a person by a reconnect");
    // The other desk says what holds, whatever a desk that comes back still believes.
    let mut stale = Socket::connect(&app, "/v1/desk", Some(&app.origin), Some(&manager.cookie)).await.unwrap();
    stale.send(&json!({ "type": "hello", "status": "online" })).await;
    assert_eq!(stale.until("snapshot", None).await["me"]["status"], "away");
    app.stop().await;
}
