//! What Prometheus is told, and where.

use crate::support::TestApp;
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
    for _ in 0..2 {
        app.app.nlu.analyze_or_rules(&app.app.bot().intents, "where is my order", Duration::from_secs(5)).await;
    }
    let counted = get(&free, "/metrics").await;
    assert!(counted.contains("# TYPE candor_readings_total counter"), "{counted}");
    // Other tests of this process are counted too.
    for counter in [
        "candor_readings_total{by=\"rules\"}",
        "candor_readings_total{by=\"memory\"}",
        "candor_reading_batch_texts_bucket{le=\"1\"}",
        "candor_reading_batch_seconds_count",
    ] {
        let line = counted.lines().find(|line| line.starts_with(counter)).expect(counter);
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 1.0, "{line}");
    }
    assert!(!counted.contains("order"), "no text is counted");
    let customers = app.origin.strip_prefix("http://").unwrap();
    assert!(get(customers, "/metrics").await.starts_with("HTTP/1.1 404"), "customers' address has no metrics");
}
