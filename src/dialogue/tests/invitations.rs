//! Invitations: what the browser gets of `triggers.toml`, and what is refused at load.

use super::fixture::files;
use crate::dialogue::Prompts;
use serde_json::json;

const TRIGGERS: &str = r#"
per_day = 2
[[trigger]]
name = "late"
text = "Your order is late."
say = "Where is {number}?"
priority = 90
hold_out = 0.0
cap = { times = 1, days = 7 }
when = { event = "order", lookup = "order_status", answers = ["packed"] }
[[trigger]]
name = "returns"
text = "A question about returns?"
priority = 50
hold_out = 0.1
cap = { times = 1, days = 7 }
when = { page = ["/returns*", "/shop#returns"], seconds = 20 }
"#;

fn bot(triggers: &str) -> Result<Prompts, String> {
    let mut files = files();
    files.insert("triggers.toml".to_owned(), triggers.to_owned());
    Prompts::load(&files).map_err(|errors| errors.to_string())
}

#[test]
fn the_browser_gets_what_it_watches_and_not_what_is_looked_up() {
    let prompts = bot(TRIGGERS).unwrap();
    let told = serde_json::to_value(prompts.triggers()).unwrap();
    assert_eq!(told["list"][0]["when"], json!({ "page": [], "event": "order", "check": true }));
    assert_eq!(told["list"][1]["when"], json!({ "page": ["/returns*", "/shop#returns"], "seconds": 20 }));
    assert!(!told.to_string().contains("order_status"));
    let check = prompts.triggers().get("late").unwrap().when.lookup.clone().unwrap();
    assert_eq!((check.slot.as_str(), check.answers), ("order_number", vec!["packed".to_owned()]));
}

#[test]
fn without_the_file_nobody_is_invited() {
    assert!(super::fixture::prompts().triggers().list.is_empty());
}

#[test]
fn faults_are_refused() {
    let long = format!("text = \"{}\"", "x".repeat(121));
    for (from, to, reason) in [
        ("seconds = 20", "second = 20", "unknown field `second`"),
        ("seconds = 20", "seconds = 0", "0 is not between 1 and 86400"),
        (", seconds = 20", "", "a trigger needs `seconds`"),
        ("\"/returns*\"", "\"returns\"", "a page pattern is a path"),
        ("\"packed\"", "\"lost\"", "has no answer `lost`"),
        ("lookup = \"order_status\"", "lookup = \"prices\"", "there is no lookup `prices`"),
        (", answers = [\"packed\"]", "", "belong together"),
        ("event = \"order\", ", "", "needs an `event`"),
        ("hold_out = 0.1", "hold_out = 1.0", "1 is not between 0 and 0.9"),
        ("name = \"returns\"", "name = \"late\"", "the trigger `late` is there twice"),
        ("name = \"returns\"", "name = \"Returns\"", "`Returns` is not a name"),
        ("text = \"A question about returns?\"", long.as_str(), "at most 120 characters"),
        ("text = \"A question about returns?\"", "text = \"**A** question\"", "plain text"),
        ("seconds = 20 }", "seconds = 20 }\nsay = \"And {number}?\"", "plain text"),
        ("per_day = 2", "per_day = 0", "0 is not between 1 and 20"),
    ] {
        assert!(TRIGGERS.contains(from), "{from}");
        let error = bot(&TRIGGERS.replacen(from, to, 1)).err().unwrap_or_else(|| panic!("accepted {to}"));
        assert!(error.contains(reason) && error.contains("prompts/triggers.toml:"), "{error}");
    }
}
