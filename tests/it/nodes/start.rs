//! Nodes that start at the same moment on an empty database.

use super::{CONNECTIONS, sit};
use crate::postgres::TestDatabase;
use crate::support::TestApp;
use serde_json::json;

async fn start(database: &TestDatabase, flags: &[&str]) -> TestApp {
    TestApp::start_with(&[&["--database", &database.url], &CONNECTIONS[..], flags].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_day_is_written_once() {
    let Some(database) = TestDatabase::create().await else { return };
    let demo = &["--with-demo"];
    let (a, b, c) = tokio::join!(start(&database, demo), start(&database, demo), start(&database, demo));
    let manager = a.manager().await;
    super::until("the sample day is written", async || a.app.store.is_sampled().await.unwrap()).await;
    let count = a.app.store.count_samples().await.unwrap();
    // Long enough for whoever waited for it.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(a.app.store.count_samples().await.unwrap(), count);
    let alone = TestApp::start_with(&["--with-demo"]).await;
    super::until("the sample day is written", async || alone.app.store.is_sampled().await.unwrap()).await;
    assert_eq!(count, alone.app.store.count_samples().await.unwrap(), "as many as on a server that is alone");
    alone.stop().await;
    for node in [&a, &b, &c] {
        let (_, snapshot) = manager.again(node).desk(node).await;
        assert_eq!(snapshot["demo"], true);
    }
    // What a manager removes at one node is gone at all, and stays gone.
    let mut desk = sit(&manager, &b).await;
    assert_eq!(manager.again(&c).call("DELETE", "/v1/demo", None).await.0, 204);
    desk.until("reset", None).await;
    for node in [a, b, c] {
        node.stop().await;
    }
    let again = start(&database, demo).await;
    assert_eq!(again.app.store.count_samples().await.unwrap(), 0);
    again.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_nodes_setup_link_works_at_any_node_once() {
    let Some(database) = TestDatabase::create().await else { return };
    let (a, b) = tokio::join!(start(&database, &[]), start(&database, &[]));
    assert_eq!(a.app.store.epoch(), b.app.store.epoch());
    let look = async |node: &TestApp, token: &str| {
        reqwest::get(format!("{}/v1/setup?token={token}", node.origin)).await.unwrap().status().as_u16()
    };
    let (of_a, of_b) = (a.setup_token().to_owned(), b.setup_token().to_owned());
    for node in [&a, &b] {
        assert_eq!((look(node, &of_a).await, look(node, &of_b).await), (200, 200), "whichever node is asked");
        assert_eq!(look(node, "guessed").await, 404);
    }
    let post = async |node: &TestApp, token: &str, name: &str| {
        let form = json!({
            "token": token, "name": name, "email": format!("{name}@shop.example"), "password": "a long enough one",
        });
        let request = reqwest::Client::new().post(format!("{}/v1/setup", node.origin));
        request.header("origin", &node.origin).json(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(&b, "guessed", "Eve").await, 401);
    let (one, other) = tokio::join!(post(&b, &of_a, "Mo"), post(&a, &of_b, "Max"));
    assert!(matches!((one, other), (200, 401) | (401, 200)), "one first manager: {one} {other}");
    for node in [&a, &b] {
        for token in [&of_a, &of_b] {
            assert_eq!((look(node, token).await, post(node, token, "Eve").await), (404, 401), "there is a manager");
        }
    }
    a.stop().await;
    b.stop().await;
    database.drop().await;
}

/// A server that is alone with its file prints one link, and forgets those of earlier runs.
#[tokio::test]
async fn a_lost_setup_link_is_void_after_a_restart() {
    let app = TestApp::start().await;
    let lost = app.setup_token().to_owned();
    let app = app.restart().await;
    let look = async |token: &str| {
        reqwest::get(format!("{}/v1/setup?token={token}", app.origin)).await.unwrap().status().as_u16()
    };
    assert_eq!((look(&lost).await, look(app.setup_token()).await), (404, 200));
    app.stop().await;
}
