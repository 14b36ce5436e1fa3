//! What Prometheus is told, and where.

use crate::support::{TestApp, operate};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_was_read_is_counted_on_an_address_of_its_own() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let app = TestApp::start_with(&["--metrics-listen", &free]).await;
    app.customer().await;
    for _ in 0..2 {
        let bot = app.app.bot();
        bot.nlu.analyze_or_rules(&bot.intents, "where is my order", Duration::from_secs(5)).await;
    }
    let counted = get(&free, "/metrics").await;
    assert!(counted.contains("# TYPE candor_readings_total counter"), "{counted}");
    // Other tests of this process are counted too.
    for counter in [
        "candor_readings_total{by=\"rules\"}",
        "candor_readings_total{by=\"memory\"}",
        "candor_reading_batch_texts_bucket{le=\"1\"}",
        "candor_reading_batch_seconds_count",
        "candor_store_commits_total",
        "candor_store_commit_items_count",
        "candor_store_commit_seconds_count",
        "candor_store_writable",
    ] {
        let line = counted.lines().find(|line| line.starts_with(counter)).expect(counter);
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 1.0, "{line}");
    }
    assert!(!counted.contains("order"), "no text is counted");
    let customers = app.origin.strip_prefix("http://").unwrap();
    assert!(get(customers, "/metrics").await.starts_with("HTTP/1.1 404"), "customers' address has no metrics");
}

#[tokio::test]
async fn a_conversation_that_a_person_takes_is_counted_stage_by_stage() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let app = TestApp::start_with(&["--metrics-listen", &free]).await;
    let manager = app.manager().await;
    let (mut desk, _) = manager.desk(&app).await;
    let mut customer = app.customer().await;
    customer.ask("Hello").await;
    customer.say("I want to talk to a real person please").await;
    customer.wait_for_state("queued").await;
    let claim = json!({ "type": "claim", "conversation": customer.conversation() });
    assert_eq!(operate(&mut desk, claim).await["type"], "ack");
    let counted = get(&free, "/metrics").await;
    for counter in [
        "candor_sockets{kind=\"customer\"}",
        "candor_sockets{kind=\"desk\"}",
        "candor_ack_seconds_count",
        "candor_turn_seconds_count{stage=\"wait\"}",
        "candor_turn_seconds_count{stage=\"decide\"}",
        "candor_turn_seconds_count{stage=\"store\"}",
        "candor_turn_seconds_count{stage=\"answer\"}",
        "candor_turns_total{action=\"reply\"}",
        "candor_turns_total{action=\"handoff\"}",
        "candor_escalations_total{action=\"handoff\",reason=\"request_human\"}",
        "candor_waits_total{promise=",
        "candor_wait_seconds_count",
    ] {
        let line = counted.lines().find(|line| line.starts_with(counter)).expect(counter);
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 1.0, "{line}");
    }
    assert!(!counted.contains("real person"), "no text is counted");
}

/// Names of metrics in a text: `candor_` and what follows, without the endings that Prometheus adds.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("candor_"))
        .map(|word| {
            ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
        })
        .collect()
}

/// A panel that asks for a metric which is not counted stays empty for ever, and a metric without a panel is not seen.
#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("src/telemetry.rs")).unwrap();
    let board = std::fs::read_to_string(root.join("docs/grafana/candor.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&board).unwrap();
    // How large the model's batches are is for measuring, not for watching.
    let unwatched = BTreeSet::from(["candor_reading_batch_texts".to_owned(), "candor_explanations_total".to_owned()]);
    let counted: BTreeSet<String> = names(&list).difference(&unwatched).cloned().collect();
    assert_eq!(names(&board), counted);
}
