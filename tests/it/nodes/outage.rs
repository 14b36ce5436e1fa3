//! The bus is gone, and comes back: nothing is lost without it, everything is a moment later.

use super::{Nodes, Relay, card, press, seated, sit, until};
use crate::support::{Customer, Socket, TestApp, operate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What the poll promises: it looks once a second.
const SOON: Duration = Duration::from_secs(2);
/// Longer than a desk trusts in its rights without having asked.
const TRUSTED: Duration = Duration::from_secs(11);
/// Rounds whose median is held against it: a machine that compiles something meanwhile may be late once.
const ROUNDS: usize = 5;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// How long until the customer hears the agent, and the desk the customer.
async fn converse(customer: &mut Customer, desk: &mut Socket, round: usize) -> (Duration, Duration) {
    let conversation = customer.conversation();
    let text = format!("round {round}");
    let begun = Instant::now();
    let say = json!({ "type": "say", "conversation": conversation, "text": text });
    assert_eq!(operate(desk, say).await["type"], "ack");
    customer.wait_for_event(|event| event["text"] == text).await;
    let to_customer = begun.elapsed();
    let begun = Instant::now();
    let seq = customer.say("And now?").await;
    desk.until("event", Some(("seq", json!(seq)))).await;
    (to_customer, begun.elapsed())
}

async fn is_typing_heard(customer: &mut Customer, desk: &mut Socket) -> bool {
    desk.send(&json!({ "type": "typing", "conversation": customer.conversation() })).await;
    tokio::time::timeout(Duration::from_millis(300), customer.wait_for("typing", |_| true)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_all_is_known_within_two_seconds() {
    let Some(mut nodes) = Nodes::start(Relay::Nats, 3).await else { return };
    let [a, b, c] = &nodes.all[..] else { panic!("three nodes") };
    let manager = a.manager().await;
    let (dana, sam) = (a.agent(&manager, "Dana").await, a.agent(&manager, "Sam").await);
    let mut desk = sit(&dana, b).await;
    seated(&nodes.all, 1).await;
    let mut customer = a.customer().await;
    let conversation = customer.conversation();
    press(&mut customer).await;
    operate(&mut desk, json!({ "type": "open", "conversation": conversation })).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    customer.wait_for_state("assigned").await;
    let (mut first, mut second) = (c.customer().await, c.customer().await);
    press(&mut first).await;
    assert_eq!(press(&mut second).await["position"], 2);

    nodes.nats.as_mut().unwrap().kill();
    until("a signal is lost", async || !is_typing_heard(&mut customer, &mut desk).await).await;
    let (mut to_customer, mut to_desk) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (here, there) = converse(&mut customer, &mut desk, round).await;
        to_customer.push(here);
        to_desk.push(there);
    }
    println!("without a bus: to the customer {to_customer:?}, to the desk {to_desk:?}");
    assert!(median(to_customer) < SOON && median(to_desk) < SOON);

    // A node without a desk tells those who wait there of their place too.
    let begun = Instant::now();
    operate(&mut desk, json!({ "type": "claim", "conversation": first.conversation() })).await;
    first.wait_for_state("assigned").await;
    second.wait_for("position", |frame| frame["position"] == 1).await;
    println!("without a bus: the next place after {:?}", begun.elapsed());
    // Another desk sees who waits, and who is there.
    let mut other = sit(&manager, a).await;
    seated(&nodes.all, 2).await;
    let mut late = c.customer().await;
    press(&mut late).await;
    card(&mut other, &late.conversation(), "queued").await;
    // An account that was closed is out, whether its desk asks or hears something.
    let mut of_sam = sit(&sam, b).await;
    let path = format!("/v1/agents/{}", sam.id);
    assert_eq!(manager.call("PATCH", &path, Some(&json!({ "active": false }))).await.0, 200);
    tokio::time::sleep(TRUSTED).await;
    customer.say("Still there?").await;
    let code = loop {
        if let Err(code) = of_sam.next().await {
            break code;
        }
    };
    assert_eq!(code, 4003);
    let turns = customer.events.len();

    nodes.nats.as_mut().unwrap().start_again();
    until("signals flow again", async || is_typing_heard(&mut customer, &mut desk).await).await;
    converse(&mut customer, &mut desk, ROUNDS).await;
    assert!(customer.events.len() > turns);
    let texts: Vec<&str> = customer.events.iter().filter_map(|event| event["text"].as_str()).collect();
    for round in 0..=ROUNDS {
        assert_eq!(texts.iter().filter(|text| **text == format!("round {round}")).count(), 1);
    }
    nodes.stop().await;
}

/// The bus that was never there: a node starts, serves, and finds it later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_comes_later_is_found() {
    let Some(mut nodes) = Nodes::start(Relay::Nats, 0).await else { return };
    nodes.nats.as_mut().unwrap().kill();
    nodes.add().await;
    nodes.add().await;
    let [a, b]: &[TestApp; 2] = nodes.all[..].try_into().unwrap();
    let manager = a.manager().await;
    let mut desk = sit(&manager, b).await;
    let mut customer = a.customer().await;
    let conversation: Value = customer.conversation();
    press(&mut customer).await;
    card(&mut desk, &conversation, "queued").await;
    let claim = json!({ "type": "claim", "id": Uuid::new_v4(), "conversation": conversation });
    operate(&mut desk, claim).await;
    customer.wait_for_state("assigned").await;
    nodes.nats.as_mut().unwrap().start_again();
    until("signals flow", async || is_typing_heard(&mut customer, &mut desk).await).await;
    nodes.stop().await;
}
