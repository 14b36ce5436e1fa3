//! Replies in words.

use super::fixture::{Talk, about, analysis, angry, files, nothing};
use crate::dialogue::{LookupOutcome, Prompts, Reply, render};
use crate::domain::customer::STRANGER;
use serde_json::{Value, json};

fn order(outcome: &LookupOutcome) -> (String, String) {
    let mut talk = Talk::new();
    let decision = talk.say("where is jt 1042", &about("order_status"));
    let (name, slots) = decision.reply.lookup().unwrap();
    let url = talk.prompts.lookup(name).unwrap().url("https://shop.example/", slots);
    assert_eq!(url.as_deref(), Some("https://shop.example/orders/JT-1042"));
    let rendered = render(&talk.prompts, &decision.reply, Some(outcome), decision.voice(&STRANGER));
    (rendered.text, rendered.data["outcome"].as_str().unwrap().to_owned())
}

fn body() -> Value {
    json!({
        "number": "JT-1042", "status": "shipped", "parcel": {"carrier": "**Night** [Post](x)"},
        "link": "https://post.example/1", "items": ["coat", "scarf"],
    })
}

#[test]
fn a_lookup_is_told_by_its_status() {
    let (text, outcome) = order(&LookupOutcome::Found(body()));
    assert_eq!(text, "JT-1042 (coat, scarf) travels with Night Post(x): [follow](https://post.example/1).");
    assert_eq!(outcome, "found");
    let (text, outcome) = order(&LookupOutcome::NotFound);
    assert_eq!((text.as_str(), outcome.as_str()), ("No order JT-1042.", "not_found"));
    let (text, _) = order(&LookupOutcome::Found(json!({"number": 7, "status": "packed"})));
    assert_eq!(text, "7 is packed.");
}

#[test]
fn whatever_is_missing_or_strange_becomes_the_failed_text() {
    let mut cases = vec![json!({}), json!(null), json!({"status": "lost in space"}), json!({"status": {"a": 1}})];
    for field in ["number", "parcel", "link", "items"] {
        for value in [Value::Null, json!(""), json!([]), json!({"carrier": ""})] {
            let mut body = body();
            body[field] = value;
            cases.push(body);
        }
    }
    for link in ["http://post.example", "javascript:alert(1)", "https://post.example/a) b"] {
        let mut body = body();
        body["link"] = json!(link);
        cases.push(body);
    }
    for case in cases {
        assert_eq!(
            order(&LookupOutcome::Found(case.clone())),
            ("The lookup failed.".into(), "failed".into()),
            "{case}"
        );
    }
    assert_eq!(order(&LookupOutcome::Failed).1, "failed");
}

#[test]
fn no_and_silence_have_words_of_their_own_or_those_of_failure() {
    let failed = |outcome: &str| ("The lookup failed.".to_owned(), outcome.to_owned());
    assert_eq!(order(&LookupOutcome::Refused), failed("refused"));
    assert_eq!(order(&LookupOutcome::TimedOut), failed("timed_out"));
    let mut set = files();
    let lookups = set.get_mut("lookups.toml").unwrap();
    let answers = lookups.find("[order_status.answers]").unwrap();
    let next = lookups.find("[send_back]").unwrap();
    lookups.replace_range(answers..next, "");
    let more = "method = \"POST\"\nbody = { number = \"{order_number}\" }\nanswer = \"{number} is done.\"\n\
                refused = \"Not {order_number}.\"\ntimed_out = \"Who knows.\"\n";
    let more = lookups.replacen("choose_by = \"status\"\n", more, 1);
    *lookups = more;
    let prompts = Prompts::load(&set).unwrap_or_else(|errors| panic!("{errors}"));
    let lookup = prompts.lookup("order_status").unwrap();
    let slots = std::collections::BTreeMap::from([("order_number".to_owned(), "JT-**1**".to_owned())]);
    assert_eq!(lookup.body(&slots).unwrap()["number"], "JT-**1**");
    let reply = Reply::Lookup { intent: "order_status".into(), lookup: "order_status".into(), slots };
    let decision = Talk::new().say("when do you open", &about("opening_hours"));
    let said = |outcome| render(&prompts, &reply, Some(&outcome), decision.voice(&STRANGER)).text;
    assert_eq!(said(LookupOutcome::Found(body())), "JT-1042 is done.");
    assert_eq!(said(LookupOutcome::Refused), "Not JT-1.");
    assert_eq!(said(LookupOutcome::TimedOut), "Who knows.");
    let long = "x".repeat(61);
    let items = json!({"items": ["coat", " ", 7, long, "a\nb", "scarf"]});
    assert_eq!(lookup.offered(&items), ["coat", "scarf"]);
    assert_eq!(lookup.offered(&json!({"items": "coat"})), [""; 0]);
}

#[test]
fn every_kind_of_reply_has_its_words_and_buttons() {
    let close = || analysis(&[("refunds", 0.41, 0.7), ("opening_hours", 0.39, 0.68)], 0.1);
    let mut talk = Talk::new();
    let mut words = Vec::new();
    let turns = [
        ("when do you open", about("opening_hours")),
        ("where is my order", about("order_status")),
        ("hm", nothing()),
        ("money when", close()),
        ("the refund", angry(nothing(), 0.95)),
        ("No, keep going", nothing()),
        ("blue", nothing()),
        ("red", nothing()),
        ("can I talk to a human", nothing()),
    ];
    for (text, analysis) in turns {
        let decision = talk.say(text, &analysis);
        let rendered = render(&talk.prompts, &decision.reply, None, decision.voice(&STRANGER));
        let labels: Vec<String> = rendered.options.into_iter().map(|option| option.label).collect();
        words.push(format!("{text} => {:?} {labels:?} {}", rendered.text, rendered.data));
    }
    insta::assert_snapshot!(words.join("\n"));
    let silent = talk.say("anyone?", &nothing());
    let said = render(&talk.prompts, &silent.reply, None, silent.voice(&STRANGER)).text;
    assert_eq!(said, "", "a person owns it now");
}
