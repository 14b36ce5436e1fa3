//! Lookups against the demo shop's own endpoints: found, refused, slow, wrong, down, elsewhere, too
//! large; and what is started there is started once.

use crate::support::TestApp;
use candor::chat::lookup;
use candor::dialogue::{LookupOutcome, Prompts};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Lookups of this test alone, whatever the committed ones are.
const LOOKUPS: &str = r#"
[try_order]
slots = ["try_a"]
url = "{origin}/demo/api/orders/{try_a}"
timeout_ms = 900
fields = ["number", "returnable"]
options = "returnable"
answer = "{number}"
not_found = "No order {try_a}."
failed = "Failed."
timed_out = "Too late."

[try_start]
method = "POST"
slots = ["try_a", "try_b", "try_c"]
url = "{origin}/demo/api/returns"
body = { order_number = "{try_a}", item = "{try_b}", reason = "{try_c}" }
timeout_ms = 1500
fields = ["number"]
answer = "{number}"
not_found = "No order {try_a}."
refused = "Not {try_b}."
failed = "Failed."

[try_patient]
method = "POST"
slots = ["try_a", "try_b", "try_c"]
url = "{origin}/demo/api/returns"
body = { order_number = "{try_a}", item = "{try_b}", reason = "{try_c}" }
timeout_ms = 10000
fields = ["number"]
answer = "{number}"
not_found = "None."
failed = "Failed."

[try_return]
slots = ["try_a"]
url = "{origin}/demo/api/returns/{try_a}"
timeout_ms = 2000
fields = ["number", "status"]
answer = "{number}"
not_found = "None."
failed = "Failed."

[try_stock]
slots = ["try_a", "try_b"]
url = "{origin}/demo/api/stock?article={try_a}&size={try_b}"
timeout_ms = 2000
fields = ["article"]
answer = "{article}"
not_found = "None."
failed = "Failed."
"#;

/// The committed bot with these lookups.
fn bot() -> Prompts {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
    let mut files = BTreeMap::new();
    for folder in ["", "intents/"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = format!("{folder}{}", entry.unwrap().file_name().to_str().unwrap());
            if let Ok(text) = std::fs::read_to_string(root.join(&name)) {
                files.insert(name, text);
            }
        }
    }
    files.get_mut("lookups.toml").unwrap().push_str(LOOKUPS);
    for slot in ["try_a", "try_b", "try_c"] {
        let text = format!("\n[{slot}]\npattern = 'zq{slot}(.)'\nvalue = '$1'\nask = 'What?'\nask_again = 'What?'\n");
        files.get_mut("slots.toml").unwrap().push_str(&text);
    }
    let intents = ["try_order", "try_start", "try_patient", "try_return", "try_stock"].map(|name| {
        let examples: Vec<String> = (0..10).map(|number| format!("\"{name} number {number}\"")).collect();
        let examples = examples.join(", ");
        format!("[[intent]]\nname = \"{name}\"\ntitle = \"{name}\"\nlookup = \"{name}\"\nexamples = [{examples}]\n")
    });
    files.insert("intents/trial.toml".into(), intents.concat());
    Prompts::load(&files).unwrap_or_else(|errors| panic!("{errors}"))
}

struct Shop {
    app: TestApp,
    prompts: Prompts,
}

impl Shop {
    async fn open() -> Self {
        Self { app: TestApp::start_with(&["--with-demo"]).await, prompts: bot() }
    }

    async fn ask(&self, name: &str, values: &[&str], key: &str) -> LookupOutcome {
        let names = ["try_a", "try_b", "try_c"].map(str::to_owned);
        let slots = names.into_iter().zip(values.iter().map(|value| (*value).to_owned())).collect();
        lookup::fetch(&self.app.app, &self.prompts, name, &slots, key).await
    }

    async fn found(&self, name: &str, values: &[&str], key: &str) -> Value {
        match self.ask(name, values, key).await {
            LookupOutcome::Found(body) => body,
            other => panic!("{name} {values:?}: {other:?}"),
        }
    }
}

const SHIRT: [&str; 3] = ["JT-1097", "Linen shirt in sage, size L", "Too big"];

#[tokio::test]
async fn an_order_is_found_or_not() {
    let shop = Shop::open().await;
    let order = shop.found("try_order", &["JT-1042"], "").await;
    assert_eq!((&order["status"], &order["return_state"]), (&json!("shipped"), &json!("not_delivered")));
    assert_eq!(order["returnable"], json!([]));
    let delivered = shop.found("try_order", &["jt-1048"], "").await;
    let lookup = shop.prompts.lookup("try_order").unwrap();
    assert_eq!(lookup.offered(&delivered).len(), 3);
    for unknown in ["JT-4711", "../orders/JT-1042", "JT-1042?x=1", "JT-1042/", ""] {
        assert_eq!(shop.ask("try_order", &[unknown], "").await, LookupOutcome::NotFound, "{unknown}");
    }
}

#[tokio::test]
async fn a_shop_that_goes_wrong_is_an_outcome_in_time() {
    let shop = Shop::open().await;
    for (number, outcome) in [
        ("JT-1090", LookupOutcome::TimedOut),
        ("JT-1091", LookupOutcome::Failed),
        ("JT-1092", LookupOutcome::Failed),
        ("JT-1093", LookupOutcome::Failed),
        ("JT-1094", LookupOutcome::Failed),
    ] {
        let begin = Instant::now();
        assert_eq!(shop.ask("try_order", &[number], "").await, outcome, "{number}");
        assert!(begin.elapsed() < Duration::from_secs(4), "{number} took {:?}", begin.elapsed());
    }
    // Nobody at home.
    let nowhere = TestApp::start().await;
    let origin = nowhere.origin.clone();
    let slots = BTreeMap::from([("try_a".to_owned(), "JT-1042".to_owned())]);
    let without_demo = lookup::fetch(&nowhere.app, &shop.prompts, "try_order", &slots, "").await;
    assert_eq!(without_demo, LookupOutcome::NotFound, "{origin} has no shop");
    let app = nowhere.app.clone();
    nowhere.stop().await;
    assert_eq!(lookup::fetch(&app, &shop.prompts, "try_order", &slots, "").await, LookupOutcome::Failed);
    assert_eq!(lookup::fetch(&app, &shop.prompts, "no_such", &slots, "").await, LookupOutcome::Failed);
}

#[tokio::test]
async fn a_return_is_started_once_however_often_its_turn_is_answered() {
    let shop = Shop::open().await;
    let scarf = ["JT-1048", "Staithe scarf in river blue", "Changed my mind"];
    let first = shop.found("try_start", &scarf, "conversation-7").await;
    assert_eq!(first["number"], json!("RT-5001"));
    let again = shop.found("try_start", &scarf, "conversation-7").await;
    assert_eq!(again, first);
    assert_eq!(shop.ask("try_start", &scarf, "conversation-9").await, LookupOutcome::Refused, "another turn");
    assert_eq!(shop.ask("try_return", &["RT-5002"], "").await, LookupOutcome::NotFound);
    let status = shop.found("try_return", &["RT-5001"], "").await;
    assert_eq!((&status["status"], &status["item"]), (&json!("label_made"), &json!(scarf[1])));
    let order = shop.found("try_order", &["JT-1048"], "").await;
    assert_eq!(order["returnable"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_start_that_nobody_confirms_in_time_is_still_one() {
    let shop = Shop::open().await;
    // Both tries of this one arrive, and neither is answered in time.
    assert_eq!(shop.ask("try_start", &SHIRT, "conversation-7").await, LookupOutcome::TimedOut);
    assert_eq!(shop.found("try_return", &["RT-5001"], "").await["item"], json!(SHIRT[1]));
    assert_eq!(shop.ask("try_return", &["RT-5002"], "").await, LookupOutcome::NotFound);
    // Another lookup is another thing to do, with another key: the shop says that the item is on its way.
    assert_eq!(shop.ask("try_patient", &SHIRT, "conversation-7").await, LookupOutcome::Refused);
}

#[tokio::test]
async fn what_the_shop_refuses_is_told_apart_from_a_failure() {
    let shop = Shop::open().await;
    for (values, outcome) in [
        (["JT-1042", "Wool socks, pack of 2", "faulty"], LookupOutcome::Refused),
        (["JT-1048", "Canvas tote", "faulty"], LookupOutcome::Refused),
        (["JT-1048", "Staithe scarf in river blue", "bored"], LookupOutcome::Refused),
        (["JT-1098", SHIRT[1], "faulty"], LookupOutcome::Refused),
        (["JT-1099", SHIRT[1], "faulty"], LookupOutcome::Failed),
        (["JT-4711", SHIRT[1], "faulty"], LookupOutcome::NotFound),
    ] {
        assert_eq!(shop.ask("try_start", &values, "k").await, outcome, "{values:?}");
    }
    assert_eq!(shop.ask("try_return", &["RT-5001"], "").await, LookupOutcome::NotFound, "none was started");
}

#[tokio::test]
async fn stock_and_settled_returns_are_told() {
    let shop = Shop::open().await;
    let stock = shop.found("try_stock", &["merino jumper & more", "size 14"], "").await;
    assert_eq!(stock["availability"], "in_stock");
    assert_eq!(stock["size"], "M");
    assert_eq!(shop.ask("try_stock", &["trainers", "M"], "").await, LookupOutcome::NotFound);
    for (number, status) in [("RT-4001", "label_made"), ("rt-4002", "received"), ("RT-4003", "refunded")] {
        assert_eq!(shop.found("try_return", &[number], "").await["status"], status, "{number}");
    }
}

#[tokio::test]
async fn a_customer_hears_of_an_order_from_the_shop_itself() {
    let app = TestApp::start_with(&["--with-demo"]).await;
    let mut customer = app.customer().await;
    let answer = customer.ask("JT-1042").await;
    let text = answer["text"].as_str().unwrap();
    assert!(text.contains("JT-1042") && text.contains("Fernway Parcels"), "{text}");
    let answer = customer.ask("JT-4711").await;
    assert!(answer["text"].as_str().unwrap().contains("JT-4711"), "{answer}");
}
