//! Customers and agents who are at different nodes, or move from one to another.

use super::{Nodes, card, log_of, over_both, press, seated, sit};
use crate::support::{Customer, Socket, operate};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

over_both!(
    a_customer_and_an_agent_at_two_nodes: 2,
    a_customer_moves_from_node_to_node: 3,
    two_agents_at_two_nodes_claim_at_once: 2,
    two_tabs_at_two_nodes_speak_at_once: 2,
    who_loses_their_rights_at_one_node_loses_their_desk_at_another: 2,
    places_in_the_queue_are_told_at_every_node: 3,
);

fn say(conversation: &Value, text: &str) -> Value {
    json!({ "type": "say", "conversation": conversation, "text": text })
}

async fn a_customer_and_an_agent_at_two_nodes(nodes: &Nodes) {
    let [a, b] = &nodes.all[..] else { panic!("two nodes") };
    let manager = a.manager().await;
    let dana = a.agent(&manager, "Dana").await;
    let mut desk = sit(&dana, b).await;
    seated(&nodes.all, 1).await;
    let mut customer = a.customer().await;
    assert_eq!(customer.welcome["open"], true, "somebody is there, at the other node");
    let conversation = customer.conversation();
    assert_eq!(customer.ask("What are your opening hours?").await["from"]["role"], "bot");
    card(&mut desk, &conversation, "bot").await;
    let queued = press(&mut customer).await;
    assert_eq!((&queued["position"], &queued["open"]), (&json!(1), &json!(true)));
    card(&mut desk, &conversation, "queued").await;

    operate(&mut desk, json!({ "type": "open", "conversation": conversation })).await;
    assert_eq!(operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await["type"], "ack");
    assert_eq!(customer.wait_for_state("assigned").await["agent"]["name"], "Dana");
    // Nothing but the bus tells of typing.
    desk.send(&json!({ "type": "typing", "conversation": conversation })).await;
    customer.wait_for("typing", |frame| frame["from"]["role"] == "agent").await;
    customer.socket.send(&json!({ "type": "typing" })).await;
    desk.until("typing", Some(("conversation", conversation.clone()))).await;

    operate(&mut desk, say(&conversation, "Hi, Dana here.")).await;
    let heard = customer.wait_for_event(|event| event["from"]["role"] == "agent").await;
    assert_eq!((&heard["from"]["name"], &heard["text"]), (&json!("Dana"), &json!("Hi, Dana here.")));
    let seq = customer.say("A jar broke").await;
    assert_eq!(desk.until("event", Some(("seq", json!(seq)))).await["text"], "A jar broke");
    desk.until("turn", Some(("seq", json!(seq)))).await;
    operate(&mut desk, json!({ "type": "close", "conversation": conversation })).await;
    customer.wait_for_state("closed").await;
    let rate = json!({ "type": "rate", "id": Uuid::new_v4(), "kind": "csat", "score": 5 });
    customer.socket.send(&rate).await;
    customer.wait_for("ack", |frame| frame["id"] == rate["id"]).await;
    let (_, figures) = manager.again(b).call("GET", "/v1/figures?days=1", None).await;
    assert_eq!((&figures["handed_over"], &figures["csat"]["count"]), (&json!(1), &json!(1)));
    assert_eq!(log_of(&customer, a).await, log_of(&customer, b).await, "one history");

    drop(desk);
    seated(&nodes.all, 0).await;
}

async fn a_customer_moves_from_node_to_node(nodes: &Nodes) {
    const LINES: usize = 30;
    /// As many as a visitor may say at once, with those that they say again.
    const WORDS: usize = 12;
    let [a, b, c] = &nodes.all[..] else { panic!("three nodes") };
    let manager = a.manager().await;
    let mut desk = sit(&manager, b).await;
    let mut customer = a.customer().await;
    let conversation = customer.conversation();
    let epoch = customer.welcome["epoch"].clone();
    press(&mut customer).await;
    operate(&mut desk, json!({ "type": "claim", "conversation": conversation })).await;
    let spoken = conversation.clone();
    let talk = tokio::spawn(async move {
        for number in 0..LINES {
            operate(&mut desk, say(&spoken, &format!("line {number}"))).await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        desk
    });
    let mut own = 0;
    for node in nodes.all.iter().cycle() {
        // Fails on a gap and on a duplicate.
        customer = customer.resume(node).await;
        assert_eq!(customer.welcome["epoch"], epoch);
        if own == WORDS {
            if talk.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
            continue;
        }
        let frame = json!({ "type": "say", "id": Uuid::new_v4(), "text": format!("word {own}") });
        own += 1;
        customer.socket.send(&frame).await;
        if own % 2 == 0 {
            // Cut off before it hears that it was stored, it says the same again at the next node.
            customer = customer.resume(if own % 4 == 0 { b } else { c }).await;
            customer.socket.send(&frame).await;
        }
        customer.wait_for("ack", |ack| ack["id"] == frame["id"]).await;
    }
    let mut desk = talk.await.unwrap();
    customer = customer.resume(c).await;
    let heard = |word: &str| -> Vec<&str> {
        let texts = customer.events.iter().filter_map(|event| event["text"].as_str());
        texts.filter(|text| text.starts_with(word)).collect()
    };
    let numbered =
        |word: &str, count: usize| -> Vec<String> { (0..count).map(|number| format!("{word} {number}")).collect() };
    assert_eq!(heard("line "), numbered("line", LINES));
    assert_eq!(heard("word "), numbered("word", own));

    // The same frame at two nodes at the same moment is one message with one place.
    let mut second = Customer::hello(a, json!({ "type": "hello", "site": "default", "token": customer.token })).await;
    assert_eq!(second.events, customer.events);
    for number in 0..3 {
        let frame = json!({ "type": "say", "id": Uuid::new_v4(), "text": format!("twice {number}") });
        tokio::join!(customer.socket.send(&frame), second.socket.send(&frame));
        let ours = async |tab: &mut Customer| tab.wait_for("ack", |ack| ack["id"] == frame["id"]).await["seq"].clone();
        let (here, there) = tokio::join!(ours(&mut customer), ours(&mut second));
        assert_eq!(here, there);
    }
    operate(&mut desk, json!({ "type": "close", "conversation": conversation })).await;
    let log = log_of(&customer, b).await;
    let twice = log.iter().filter(|event| event["text"].as_str().is_some_and(|text| text.starts_with("twice")));
    assert_eq!(twice.count(), 3);
}

async fn two_agents_at_two_nodes_claim_at_once(nodes: &Nodes) {
    let [a, b] = &nodes.all[..] else { panic!("two nodes") };
    let manager = a.manager().await;
    let (dana, sam) = (a.agent(&manager, "Dana").await, a.agent(&manager, "Sam").await);
    let (mut here, mut there) = (sit(&dana, a).await, sit(&sam, b).await);
    seated(&nodes.all, 2).await;
    for _ in 0..8 {
        let mut customer = a.customer().await;
        let conversation = customer.conversation();
        press(&mut customer).await;
        let claim = json!({ "type": "claim", "conversation": conversation });
        let (one, other) = tokio::join!(operate(&mut here, claim.clone()), operate(&mut there, claim));
        let outcomes = [&one, &other].map(|answer| answer["type"].as_str().unwrap());
        let (winner, loser) = match outcomes {
            ["ack", "error"] => ("Dana", &other),
            ["error", "ack"] => ("Sam", &one),
            _ => panic!("one owner: {one} {other}"),
        };
        assert_eq!(loser["code"], "forbidden");
        customer.wait_for_state("assigned").await;
        let log = log_of(&customer, b).await;
        let owners: Vec<&Value> = log.iter().filter(|event| event["state"] == "assigned").collect();
        assert_eq!((owners.len(), &owners[0]["agent"]["name"]), (1, &json!(winner)));
        for desk in [&mut here, &mut there] {
            assert_eq!(card(desk, &conversation, "assigned").await["agent"]["name"], winner);
        }
    }
}

async fn two_tabs_at_two_nodes_speak_at_once(nodes: &Nodes) {
    let [a, b] = &nodes.all[..] else { panic!("two nodes") };
    for _ in 0..8 {
        let mut first = a.customer().await;
        let mut second = Customer::hello(b, json!({ "type": "hello", "site": "default", "token": first.token })).await;
        assert_eq!(second.conversation(), first.conversation());
        let (here, there) =
            tokio::join!(first.say("What are your opening hours?"), second.say("Do you sell gift cards?"));
        assert_ne!(here, there);
        let answers = |events: &[Value]| events.iter().filter(|event| event["from"]["role"] == "bot").count();
        for tab in [&mut first, &mut second] {
            while answers(&tab.events) < 2 {
                tab.wait_for("event", |_| true).await;
            }
        }
        // Long enough for one too many.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let log = log_of(&first, b).await;
        assert_eq!(log, log_of(&first, a).await, "both see the same");
        assert_eq!(answers(&log), 2, "one answer for each: {log:?}");
        let text = |event: &Value| event["text"].as_str().unwrap().to_owned();
        let of =
            |role: &str| log.iter().filter(move |event| event["from"]["role"] == role).map(text).collect::<Vec<_>>();
        let asked: Vec<bool> = of("customer").iter().map(|text| text.contains("hours")).collect();
        let answered: Vec<bool> = of("bot").iter().map(|text| text.contains("10 am")).collect();
        assert_eq!(asked, answered, "in the order in which they were stored: {log:?}");
    }
}

async fn ended_with(desk: &mut Socket) -> u16 {
    loop {
        if let Err(code) = desk.next().await {
            return code;
        }
    }
}

async fn who_loses_their_rights_at_one_node_loses_their_desk_at_another(nodes: &Nodes) {
    let [a, b] = &nodes.all[..] else { panic!("two nodes") };
    let manager = a.manager().await;
    let (dana, sam) = (a.agent(&manager, "Dana").await, b.agent(&manager.again(b), "Sam").await);
    let (mut of_dana, mut of_sam) = (sit(&dana, b).await, sit(&sam, b).await);
    let mut of_manager = sit(&manager, b).await;
    seated(&nodes.all, 3).await;
    let path = format!("/v1/agents/{}", dana.id);
    assert_eq!(manager.call("PATCH", &path, Some(&json!({ "active": false }))).await.0, 200);
    assert_eq!(ended_with(&mut of_dana).await, 4003);
    assert_eq!(dana.again(b).call("GET", "/v1/session", None).await.0, 401);
    assert_eq!(sam.again(a).call("DELETE", "/v1/session", None).await.0, 204);
    assert_eq!(ended_with(&mut of_sam).await, 4003, "signed out at the other node");
    seated(&nodes.all, 1).await;
    let status = operate(&mut of_manager, json!({ "type": "status", "status": "away" })).await;
    assert_eq!(status["type"], "ack", "nobody else's desk ends");
    super::until("the other node knows that nobody takes conversations", async || !a.app.desk.is_staffed()).await;
}

async fn places_in_the_queue_are_told_at_every_node(nodes: &Nodes) {
    let [a, b, c] = &nodes.all[..] else { panic!("three nodes") };
    let manager = a.manager().await;
    let mut desk = sit(&manager, a).await;
    seated(&nodes.all, 1).await;
    let mut customers = Vec::new();
    for (node, place) in [(a, 1), (b, 2), (c, 3)] {
        let mut customer = node.customer().await;
        assert_eq!(press(&mut customer).await["position"], place);
        customers.push(customer);
    }
    let claim = json!({ "type": "claim", "conversation": customers[0].conversation() });
    assert_eq!(operate(&mut desk, claim).await["type"], "ack");
    for (customer, place) in customers[1..].iter_mut().zip(1..) {
        customer.wait_for("position", |frame| frame["position"] == place && frame["open"] == true).await;
    }
    // Nobody is there any more, and everybody hears of it.
    drop(desk);
    for customer in &mut customers[1..] {
        customer.wait_for("position", |frame| frame["open"] == false).await;
    }
}
