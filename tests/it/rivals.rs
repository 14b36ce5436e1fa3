//! What went wrong in other chat systems, by the numbers of the reports, played on this one.
//! `chatwoot_4335_reconnect_after_background` needs a browser: tests/browser/delivery.test.mjs.

use crate::handover::{Hook, NEXT_LOOK, refs};
use crate::support::{Customer, Socket, TestApp, operate};
use candor::clock::Clock;
use candor::domain::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// A moment in which nothing more is expected.
const MOMENT: Duration = Duration::from_millis(700);

fn say(conversation: &Value, text: &str) -> Value {
    json!({ "type": "say", "conversation": conversation, "text": text })
}

/// Everything that a desk is sent of a conversation until it is open.
async fn open(desk: &mut Socket, conversation: &Value, after: i64) -> Vec<Value> {
    let id = json!(Uuid::new_v4());
    desk.send(&json!({ "type": "open", "id": id, "conversation": conversation, "after": after })).await;
    let mut events = Vec::new();
    loop {
        let frame = desk.next().await.unwrap();
        match frame["type"].as_str().unwrap() {
            "event" => events.push(frame),
            "opened" => return events,
            _ => {}
        }
    }
}

/// "Agent B misses agent A's reply after a reconnect": they asked for what had changed in the last 26 seconds.
#[tokio::test]
async fn chatwoot_14934_reply_missed_after_reconnect() {
    let clock = Clock::manual(Timestamp(1_795_348_800_000));
    let app = TestApp::start_on(TempDir::new().unwrap(), &["--models", "/nonexistent"], clock).await;
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await;
    let (mut a, _) = dana.desk(&app).await;
    operate(&mut a, json!({ "type": "claim", "conversation": conversation })).await;

    let (mut b, _) = manager.desk(&app).await;
    let seen = open(&mut b, &conversation, 0).await;
    let last = seen.last().unwrap()["seq"].as_i64().unwrap();
    drop(b);
    operate(&mut a, say(&conversation, "It is on its way.")).await;
    operate(&mut a, json!({ "type": "note", "conversation": conversation, "text": "Refund is promised." })).await;
    // However long it took: no clock decides what is sent.
    app.app.clock.advance(Duration::from_secs(3_600));
    let (mut b, snapshot) = manager.desk(&app).await;
    assert_eq!(snapshot["cards"][0]["last_text"], "It is on its way.", "the list knows before it is opened");
    let missed = open(&mut b, &conversation, last).await;
    let places: Vec<i64> = missed.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(places, [last + 1, last + 2], "what came meanwhile, once, and nothing before it");
    assert_eq!((&missed[0]["text"], &missed[1]["text"]), (&json!("It is on its way."), &json!("Refund is promised.")));
    app.stop().await;
}

/// "Messages are missed across short drops."
#[tokio::test]
async fn chatwoot_995_messages_missed_across_short_drops() {
    const MESSAGES: usize = 48;
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await;
    let (mut desk, _) = manager.desk(&app).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    let talk = tokio::spawn(async move {
        for number in 0..MESSAGES {
            operate(&mut desk, say(&conversation, &format!("line {number}"))).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let heard = |customer: &Customer| -> Vec<String> {
        let lines = customer.events.iter().filter_map(|event| event["text"].as_str());
        lines.filter(|text| text.starts_with("line ")).map(str::to_owned).collect()
    };
    while !talk.is_finished() {
        tokio::time::sleep(Duration::from_millis(15)).await;
        // Fails on a gap and on a duplicate.
        customer = customer.resume(&app).await;
    }
    talk.await.unwrap();
    customer = customer.resume(&app).await;
    let expected: Vec<String> = (0..MESSAGES).map(|number| format!("line {number}")).collect();
    assert_eq!(heard(&customer), expected);
    app.stop().await;
}

/// "The widget got its messages again, but not the status": a stale "open" opened resolved conversations again.
#[tokio::test]
async fn chatwoot_14683_status_resynced_after_reconnect() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await;
    let (mut desk, _) = manager.desk(&app).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    customer.wait_for_state("assigned").await;
    let (token, epoch, after) = (customer.token.clone(), customer.welcome["epoch"].clone(), customer.last_seq());
    drop(customer);
    operate(&mut desk, json!({ "type": "close", "conversation": conversation })).await;

    let hello = json!({
        "type": "hello", "site": "default", "token": token, "conversation": conversation, "after": after,
        "epoch": epoch,
    });
    let mut back = Customer::hello(&app, hello).await;
    assert_eq!(back.welcome["state"], "closed");
    let states: Vec<&Value> = back.events.iter().filter(|event| event["kind"] == "state").collect();
    assert_eq!(states.last().unwrap()["state"], "closed", "the change has its place in the log");
    back.socket.send(&json!({ "type": "say", "id": Uuid::new_v4(), "text": "sent by a stale widget" })).await;
    assert_eq!(back.wait_for("error", |_| true).await["code"], "closed");
    let (_, found) = manager.call("GET", "/v1/transcripts?state=closed", None).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1, "and it stays closed");
    app.stop().await;
}

/// "Webhooks are doubled when messages are sent fast."
#[tokio::test]
async fn chatwoot_11901_no_doubled_webhooks_under_fast_sends() {
    // The first attempt finds a receiver that fails after it has taken the call.
    let hook = Hook::listen(0, &[500]).await;
    let app = TestApp::start_with(&refs(&Hook::flags(hook.port))).await;
    let mut customer = app.customer().await;
    let hello = json!({ "type": "hello", "site": "default", "token": customer.token });
    let mut second = Customer::hello(&app, hello).await;
    let texts = ["My solicitor will take this to court", "I will sue you", "My lawyer says so too"];
    let frames: Vec<Value> =
        texts.iter().map(|text| json!({ "type": "say", "id": Uuid::new_v4(), "text": text })).collect();
    for _ in 0..2 {
        for frame in &frames {
            customer.socket.send(frame).await;
            second.socket.send(frame).await;
        }
    }
    customer.wait_for_state("queued").await;
    hook.taken(1).await;
    tokio::time::sleep(NEXT_LOOK).await;
    let taken = hook.taken(1).await;
    assert_eq!(taken.len(), 1, "one hand-over, one call: {taken:?}");
    let keys: Vec<String> = hook.all().into_iter().map(|heard| heard.key).collect();
    assert!(keys.len() >= 2 && keys.iter().all(|key| *key == keys[0] && !key.is_empty()), "{keys:?}");
    assert_eq!(taken[0].body["id"], json!(keys[0]), "a receiver can tell an attempt from a call");
    let own = customer.resume(&app).await.events;
    let said = own.iter().filter(|event| event["from"]["role"] == "customer" && event["kind"] == "message");
    assert_eq!(said.count(), texts.len());
    app.stop().await;
}

/// A line whose directions can be stopped one by one: bytes are taken and go nowhere, and nobody is told.
struct Line {
    address: String,
    up: Arc<AtomicBool>,
    down: Arc<AtomicBool>,
}

impl Line {
    async fn to(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let target = app.origin.trim_start_matches("http://").to_owned();
        let (up, down) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
        let line = Self { address, up: Arc::clone(&up), down: Arc::clone(&down) };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&target).await.unwrap();
                let ((near_reads, near_writes), (far_reads, far_writes)) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near_reads, far_writes, Arc::clone(&up)));
                tokio::spawn(pass(far_reads, near_writes, Arc::clone(&down)));
            }
        });
        line
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, works: Arc<AtomicBool>) {
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read) = from.read(&mut buffer).await
        && read > 0
    {
        if works.load(Ordering::Acquire) && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    if !works.load(Ordering::Acquire) {
        // The other end hears nothing of the close either.
        std::future::pending::<()>().await;
    }
}

/// "A one-way loss is not noticed: the widget sends, and never shows anything new." The widget's side of it, which
/// gives the socket up by itself, is in tests/browser/delivery.test.mjs.
#[tokio::test]
async fn rocketchat_36023_one_way_loss_is_noticed() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let line = Line::to(&app).await;
    let mut customer =
        Customer::hello_through(&line.address, &app, json!({ "type": "hello", "site": "default" })).await;
    let conversation = customer.conversation();
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await;
    let (mut desk, _) = manager.desk(&app).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    customer.wait_for_state("assigned").await;

    // Down is lost: what the customer says arrives, and what it hears is nothing, not even the answer to a ping.
    line.down.store(false, Ordering::Release);
    let mut others = open(&mut desk, &conversation, 0).await;
    let said = json!({ "type": "say", "id": Uuid::new_v4(), "text": "Is anybody there?" });
    customer.socket.send(&said).await;
    while others.last().unwrap()["text"] != "Is anybody there?" {
        others.push(desk.until("event", None).await);
    }
    operate(&mut desk, say(&conversation, "Yes, I am.")).await;
    customer.socket.send(&json!({ "type": "ping", "seq": customer.last_seq() })).await;
    assert!(customer.socket.is_silent(MOMENT).await, "the ping is not answered, which is how a client notices");

    // It comes back another way, and sends again what was not acknowledged.
    let mut back = customer.resume(&app).await;
    back.socket.send(&said).await;
    let ack = back.wait_for("ack", |frame| frame["id"] == said["id"]).await;
    assert_eq!(ack["seq"], others.last().unwrap()["seq"], "stored once");
    let texts: Vec<&str> = back.events.iter().filter_map(|event| event["text"].as_str()).collect();
    let at = |text: &str| texts.iter().filter(|other| **other == text).count();
    assert_eq!((at("Is anybody there?"), at("Yes, I am.")), (1, 1), "{texts:?}");

    // Up is lost: the server hears nothing any more, and lets the socket go after two pings that did not come.
    line.down.store(true, Ordering::Release);
    let hello = json!({ "type": "hello", "site": "default", "token": back.token });
    let mut deaf = Customer::hello_through(&line.address, &app, hello).await;
    let free = app.app.sockets.available_permits();
    line.up.store(false, Ordering::Release);
    let ping = async {
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            deaf.socket.send(&json!({ "type": "ping" })).await;
            back.socket.send(&json!({ "type": "ping" })).await;
        }
    };
    tokio::select! {
        () = ping => {}
        () = tokio::time::sleep(Duration::from_secs(80)) => {}
    }
    let code = loop {
        if let Err(code) = deaf.socket.next().await {
            break code;
        }
    };
    assert_eq!(code, 1001, "the client hears it, and comes back");
    assert!(app.app.sockets.available_permits() > free, "its place is free");
    back.socket.until("pong", None).await;
    app.stop().await;
}
