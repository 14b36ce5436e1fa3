//! The hand-over that loses nothing: who comes is told everything, who waits is told the truth, and who is on call
//! hears of it for certain.

use crate::support::{Customer, Socket, TestApp, operate};
use candor::clock::Clock;
use candor::domain::Timestamp;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

const RULES: [&str; 2] = ["--models", "/nonexistent"];
/// Sunday 22 November 2026, noon in London: nobody answers before Monday at nine.
const SUNDAY: Timestamp = Timestamp(1_795_348_800_000);
const MONDAY_AT_NINE: i64 = SUNDAY.0 + 21 * 3_600_000;
const MONDAY_AT_TEN: Timestamp = Timestamp(MONDAY_AT_NINE + 3_600_000);
/// Longer than `late_after_s` and `remind_after_s`.
const LONG: Duration = Duration::from_secs(400);
/// Longer than the look for those who wait takes to come round.
pub(crate) const NEXT_LOOK: Duration = Duration::from_secs(6);

/// A server whose clock stands still at `at`.
async fn start_at(at: Timestamp, flags: &[&str]) -> TestApp {
    TestApp::start_on(TempDir::new().unwrap(), &[&RULES, flags].concat(), Clock::manual(at)).await
}

async fn press(customer: &mut Customer) -> Value {
    customer.socket.send(&json!({ "type": "human", "id": Uuid::new_v4() })).await;
    customer.wait_for_state("queued").await
}

fn says(customer: &Customer, word: &str) -> usize {
    let of_bot = customer.events.iter().filter(|event| event["from"]["role"] == "bot");
    of_bot.filter(|event| event["text"].as_str().is_some_and(|text| text.contains(word))).count()
}

/// What one request brought.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) key: String,
    pub(crate) body: Value,
    status: u16,
}

/// The other side of a webhook: answers with the next status of a list, and with 200 after it.
pub(crate) struct Hook {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Hook {
    pub(crate) async fn listen(port: u16, statuses: &[u16]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hook = Self { port: listener.local_addr().unwrap().port(), heard: Arc::clone(&heard) };
        let mut statuses = VecDeque::from(statuses.to_vec());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let status = statuses.pop_front().unwrap_or(200);
                if let Some((key, body)) = answer(stream, status).await {
                    heard.lock().unwrap().push(Heard { key, body, status });
                }
            }
        });
        hook
    }

    pub(crate) fn flags(port: u16) -> [String; 4] {
        let host = format!("127.0.0.1:{port}");
        ["--oncall-webhook".to_owned(), format!("http://{host}/hook"), "--allow-private-host".to_owned(), host]
    }

    /// Waits until so many were taken, and then a moment for one too many.
    pub(crate) async fn taken(&self, count: usize) -> Vec<Heard> {
        for _ in 0..400 {
            let taken: Vec<Heard> =
                self.heard.lock().unwrap().iter().filter(|heard| heard.status == 200).cloned().collect();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("only {:?}", self.heard.lock().unwrap());
    }

    pub(crate) fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(stream: TcpStream, status: u16) -> Option<(String, Value)> {
    let mut stream = BufReader::new(stream);
    let (mut key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let lower = line.trim().to_lowercase();
        if let Some(value) = lower.strip_prefix("idempotency-key: ") {
            value.clone_into(&mut key);
        }
        if let Some(value) = lower.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if lower.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    Some((key, serde_json::from_slice(&body).ok()?))
}

pub(crate) fn refs(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn nobody_there_is_said_first_and_until_when() {
    let app = start_at(SUNDAY, &[]).await;
    let mut customer = app.customer().await;
    let queued = press(&mut customer).await;
    assert_eq!((&queued["open"], &queued["back_at"]), (&json!(false), &json!(MONDAY_AT_NINE)));
    assert!(queued.get("wait").is_none());
    let said = customer.wait_for_event(|event| event["from"]["role"] == "bot").await;
    let text = said["text"].as_str().unwrap();
    let first = text.split(". ").next().unwrap();
    assert!(
        first.starts_with("Nobody from our team is here right now") && first.contains("tomorrow at 9:00"),
        "{text}"
    );
    assert!(!text.contains("passing you"), "nobody is passed to an empty room: {text}");

    let mut hurt = app.customer().await;
    hurt.say("I want to hurt myself").await;
    hurt.wait_for_state("queued").await;
    assert_eq!((says(&hurt, "Nobody from our team"), says(&hurt, "116 123")), (1, 1), "help is named all the same");

    let leave = json!({ "type": "leave", "id": Uuid::new_v4(), "email": "kim@mail.example", "text": "please write" });
    customer.socket.send(&leave).await;
    customer.wait_for("ack", |frame| frame["id"] == leave["id"]).await;

    // Somebody sits down outside the hours: it is staffed.
    let manager = app.manager().await;
    let (_desk, snapshot) = manager.desk(&app).await;
    let priorities: Vec<i64> =
        snapshot["cards"].as_array().unwrap().iter().map(|card| card["priority"].as_i64().unwrap()).collect();
    assert_eq!(priorities, [100, 30], "both wait, the urgent one first");
    customer.wait_for("position", |frame| frame["open"] == true && frame.get("back_at").is_none()).await;
    let mut other = app.customer().await;
    let queued = press(&mut other).await;
    assert_eq!((&queued["open"], queued.get("back_at")), (&json!(true), None));
    assert_eq!(says(&other, "Nobody"), 0);
    app.stop().await;
}

#[tokio::test]
async fn a_wait_that_is_longer_than_promised_is_said_once() {
    let app = start_at(MONDAY_AT_TEN, &[]).await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let (mut customer, mut writer) = (app.customer().await, app.customer().await);
    press(&mut customer).await;
    press(&mut writer).await;
    let leave = json!({ "type": "leave", "id": Uuid::new_v4(), "text": "I cannot wait" });
    writer.socket.send(&leave).await;
    writer.wait_for("ack", |frame| frame["id"] == leave["id"]).await;
    app.app.clock.advance(LONG);
    let late = customer.wait_for("event", |event| event["leave"] == true).await;
    assert_eq!(late["from"]["role"], "bot");
    assert!(late["text"].as_str().unwrap().contains("still waiting") && late.get("said").is_none());
    app.app.clock.advance(LONG);
    tokio::time::sleep(NEXT_LOOK).await;

    // A person had it, and gave it back into the queue: that is another wait.
    let conversation = customer.conversation();
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    operate(&mut desk, json!({ "type": "release", "conversation": conversation })).await;
    let seq = customer.wait_for_event(|event| event["reason_text"].is_string() && event["state"] == "queued").await;
    app.app.clock.advance(LONG);
    customer.wait_for("event", |event| event["leave"] == true && event["seq"].as_i64() > seq["seq"].as_i64()).await;

    let clock = app.app.clock.clone();
    let app = TestApp::start_on(app.stop().await, &RULES, clock).await;
    app.app.clock.advance(LONG);
    tokio::time::sleep(NEXT_LOOK).await;
    let again = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": customer.token })).await;
    assert_eq!(says(&again, "still waiting"), 2, "once for each wait, also after a restart");
    let writer = Customer::hello(&app, json!({ "type": "hello", "site": "default", "token": writer.token })).await;
    assert_eq!(says(&writer, "still waiting"), 0, "whoever left a message does not sit and wait");
    app.stop().await;
}

#[tokio::test]
async fn the_on_call_person_hears_of_danger_once_though_the_first_attempt_fails() {
    // The first attempt is two calls: the guard tries again by itself.
    let hook = Hook::listen(0, &[500, 503]).await;
    let app = TestApp::start_with(&refs(&Hook::flags(hook.port))).await;
    let mut calm = app.customer().await;
    press(&mut calm).await;
    let mut customer = app.customer().await;
    customer.say("I want to hurt myself, marmalade").await;
    customer.wait_for_state("queued").await;
    let heard = hook.taken(1).await.remove(0);
    let Heard { body, key, .. } = &heard;
    assert_eq!(
        (&body["event"], &body["reason"], &body["label"]),
        (&json!("handover"), &json!("safety"), &json!("Safety"))
    );
    assert_eq!(body["conversation"], customer.conversation());
    let link = format!("{}/desk/#/desk/{}", app.origin, customer.conversation().as_str().unwrap());
    assert_eq!(body["link"], json!(link));
    assert!(body["since"].as_str().unwrap().ends_with('Z'));
    assert!(!body.to_string().contains("marmalade"), "what the customer wrote stays here: {body}");
    assert_eq!(&body["id"], &json!(key));
    tokio::time::sleep(NEXT_LOOK).await;
    let all = hook.all();
    assert_eq!(all.iter().map(|heard| heard.status).collect::<Vec<_>>(), [500, 503, 200], "taken once");
    assert!(all.iter().all(|heard| heard.key == *key), "one identity at every attempt");
    app.stop().await;
}

#[tokio::test]
async fn what_has_to_leave_survives_a_restart() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let flags = Hook::flags(port);
    let flags = [&RULES[..], &refs(&flags)].concat();
    let app = TestApp::start_on(TempDir::new().unwrap(), &flags, Clock::System).await;
    let mut customer = app.customer().await;
    customer.say("My solicitor will take this to court").await;
    customer.wait_for_state("queued").await;
    let folder = app.stop().await;
    let hook = Hook::listen(port, &[]).await;
    let app = TestApp::start_on(folder, &flags, Clock::System).await;
    let heard = hook.taken(1).await;
    assert_eq!((heard.len(), &heard[0].body["reason"]), (1, &json!("legal")));
    app.stop().await;
}

#[tokio::test]
async fn an_urgent_wait_is_called_again_three_times_and_not_after_somebody_came() {
    let hook = Hook::listen(0, &[]).await;
    let flags = Hook::flags(hook.port);
    let app = start_at(MONDAY_AT_TEN, &refs(&flags)).await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let (mut customer, mut lucky) = (app.customer().await, app.customer().await);
    for one in [&mut customer, &mut lucky] {
        one.say("I want to hurt myself").await;
        one.wait_for_state("queued").await;
    }
    hook.taken(2).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": lucky.conversation() })).await;
    for reminder in 1..=3 {
        app.app.clock.advance(LONG);
        let heard = hook.taken(2 + reminder).await;
        let last = &heard.last().unwrap().body;
        assert_eq!((&last["event"], &last["reminder"]), (&json!("reminder"), &json!(reminder)));
        assert_eq!(last["conversation"], customer.conversation());
    }
    app.app.clock.advance(LONG);
    tokio::time::sleep(NEXT_LOOK).await;
    assert_eq!(hook.all().len(), 5, "two, and three reminders of the one who waits");
    app.stop().await;
}

#[tokio::test]
async fn a_mail_tells_the_same_by_a_mail_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smtp = format!("smtp://{}", listener.local_addr().unwrap());
    let app = TestApp::start_with(&["--oncall-mail", "sam@shop.example", "--smtp", &smtp]).await;
    let mut customer = app.customer().await;
    customer.say("I want to hurt myself, marmalade").await;
    customer.wait_for_state("queued").await;
    let (stream, _) = listener.accept().await.unwrap();
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 here\r\n").await.unwrap();
    let mut mail = String::new();
    let mut writing = false;
    loop {
        let mut line = String::new();
        assert!(stream.read_line(&mut line).await.unwrap() > 0, "{mail}");
        mail.push_str(&line);
        let answer = match (writing, line.trim_end()) {
            (true, ".") => "250 taken\r\n",
            (true, _) => continue,
            (false, "DATA") => "354 go on\r\n",
            (false, _) => "250 yes\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        writing = answer.starts_with("354");
        if answer == "250 taken\r\n" {
            break;
        }
    }
    assert!(mail.contains("RCPT TO:<sam@shop.example>") && mail.contains("Subject: Safety"), "{mail}");
    assert!(mail.replace("=\r\n", "").contains("/desk/#/desk/") && !mail.contains("marmalade"), "{mail}");
    app.stop().await;
}

#[tokio::test]
async fn nothing_but_a_person_ends_a_wait() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let (mut queued, mut assigned, mut with_bot) = (app.customer().await, app.customer().await, app.customer().await);
    press(&mut queued).await;
    press(&mut assigned).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": assigned.conversation() })).await;
    with_bot.ask("Hello").await;
    let (store, now) = (&app.app.store, app.app.clock.now());
    let later = now.after(Duration::from_secs(60));
    let forgotten = store.forget_before(later, now.before(LONG)).await.unwrap();
    assert_eq!((forgotten.over, forgotten.waiting), (1, 0), "the bot's alone");
    for customer in [&queued, &assigned] {
        let path = format!("/v1/transcripts/{}", customer.conversation().as_str().unwrap());
        assert_eq!(manager.call("GET", &path, None).await.0, 200);
    }
    let forgotten = store.forget_before(later, later).await.unwrap();
    assert_eq!((forgotten.over, forgotten.waiting), (0, 2), "after twice the time nobody comes any more");
    app.stop().await;
}

async fn summary(desk: &mut Socket, conversation: &Value) -> Value {
    desk.send(&json!({ "type": "open", "id": Uuid::new_v4(), "conversation": conversation })).await;
    desk.until("summary", Some(("conversation", conversation.clone()))).await
}

#[tokio::test]
async fn whoever_takes_over_is_told_what_was_said_and_done() {
    let app = TestApp::start_with(&["--with-demo"]).await;
    let manager = app.manager().await;
    let dana = app.agent(&manager, "Dana").await;
    let (mut desk, _) = dana.desk(&app).await;
    let mut customer = app.customer().await;
    let conversation = customer.conversation();
    customer.ask("Where is my order JT-1042?").await;
    customer.ask("how soon do you refund?").await;
    customer.say("I want to speak to a human").await;
    customer.wait_for_state("queued").await;
    let told = summary(&mut desk, &conversation).await;
    assert_eq!(told["given"]["order_number"], "JT-1042");
    assert_eq!((&told["tried"][0]["kind"], &told["tried"][0]["outcome"]), (&json!("lookup"), &json!("found")));
    assert_eq!(told["tried"][1]["kind"], "answer");
    assert_eq!(told["reasons"][0]["code"], "request_human");
    assert_eq!(told["promised"]["position"], 1);
    assert!(told["wants"]["text"].is_string() && told["mood"]["now"]["mood"].is_string());
    let times = told["times"].to_string();
    assert!(times.contains("working days"), "what the bot named is quoted: {times}");

    // A change of owner brings it anew, and after a return it begins anew.
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    let held = summary(&mut desk, &conversation).await;
    assert_eq!((&held["people"][0]["name"], &held["people"][0]["until"]), (&json!("Dana"), &Value::Null));
    operate(&mut desk, json!({ "type": "return_to_bot", "conversation": conversation })).await;
    let returned = summary(&mut desk, &conversation).await;
    assert!(returned["since"]["seq"].is_i64() && returned["tried"] == json!([]) && returned["wants"].is_null());
    assert_eq!(returned["given"]["order_number"], "JT-1042", "what they gave need not be asked for again");

    let back = customer.wait_for_event(|event| event["kind"] == "state" && event["state"] == "bot").await;
    assert!(back["reason_text"].as_str().unwrap().contains("automated assistant"), "{back}");
    assert_eq!(back["disclosure"], customer.welcome["disclosure"]["version"], "the notice is said and logged again");
    app.stop().await;
}

#[tokio::test]
async fn the_bot_is_mute_from_the_moment_in_which_a_person_takes_over() {
    let app = TestApp::start().await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    for pause in 0..24 {
        let mut customer = app.customer().await;
        let conversation = customer.conversation();
        let seq = customer.say("How long does delivery take?").await;
        // From before the turn is decided to after it.
        tokio::time::sleep(Duration::from_micros(pause * 400)).await;
        assert_eq!(operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await["type"], "ack");
        let taken = customer.wait_for_state("assigned").await["seq"].as_i64().unwrap();
        // The turn is read in any case, with an answer or without.
        loop {
            let path = format!("/v1/transcripts/{}", conversation.as_str().unwrap());
            let (_, transcript) = manager.call("GET", &path, None).await;
            if transcript["turns"].as_array().unwrap().iter().any(|turn| turn["seq"] == json!(seq)) {
                let events = transcript["events"].as_array().unwrap();
                let late =
                    events.iter().find(|event| event["from"]["role"] == "bot" && event["seq"].as_i64() > Some(taken));
                assert_eq!(late, None, "the bot talked over a person");
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_wait_is_promised_from_those_who_stood_as_far_back() {
    let app = start_at(MONDAY_AT_TEN, &[]).await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    for waited in [40, 60, 80, 100, 120] {
        let mut customer = app.customer().await;
        assert!(press(&mut customer).await.get("wait").is_none(), "too few to say");
        app.app.clock.advance(Duration::from_secs(waited));
        operate(&mut desk, json!({ "type": "claim", "conversation": customer.conversation() })).await;
        customer.wait_for_state("assigned").await;
    }
    // What was learnt from the last wait is known with the next reading of the queue.
    let mut customer = app.customer().await;
    while customer.welcome["wait"].is_null() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        customer = app.customer().await;
    }
    assert_eq!(customer.welcome["wait"], json!({ "low_s": 60, "high_s": 100 }));
    assert_eq!(press(&mut customer).await["wait"], json!({ "low_s": 60, "high_s": 100 }));
    app.app.clock.advance(Duration::from_secs(101));
    let mut second = app.customer().await;
    let queued = press(&mut second).await;
    assert_eq!((&queued["position"], &queued["wait"]["high_s"]), (&json!(2), &json!(100)), "one ahead is near enough");
    let mut third = app.customer().await;
    let queued = press(&mut third).await;
    assert_eq!((&queued["position"], queued.get("wait")), (&json!(3), None), "nobody stood that far back lately");
    // A promise that turned out wrong is not made again.
    customer.wait_for("position", |frame| frame["open"] == true && frame.get("wait").is_none()).await;
    app.stop().await;
}
