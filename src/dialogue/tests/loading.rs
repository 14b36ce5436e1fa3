//! Faults in the prompts: each is refused, with its file and line.

use super::fixture::files;
use crate::dialogue::Prompts;
use crate::domain::OTHER;

/// Loads the small bot with one replacement in one file and gives the errors.
fn broken(file: &str, from: &str, to: &str) -> String {
    let mut files = files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} holds no {from:?}");
    *text = text.replacen(from, to, 1);
    Prompts::load(&files).err().map_or_else(|| panic!("accepted {to:?} in {file}"), |errors| errors.to_string())
}

#[test]
fn every_fault_names_file_line_and_reason() {
    let faults = [
        ("business.toml", "greeting =", "greetings ="),
        ("business.toml", "{business}", "{busines}"),
        ("business.toml", "I am a bot.", "I am Helper."),
        ("business.toml", "opens =", "agent ="),
        ("handoff.toml", "[reason.legal]", "[reason.regal]"),
        ("handoff.toml", "offer = \"A person? (churn)\"\n", ""),
        ("handoff.toml", "priority = 90", "priority = 900"),
        ("handoff.toml", "{agent} is", "{agnet} is"),
        ("handoff.toml", "\"Yes, please\"", "\"**Yes**\""),
        ("handoff.toml", "The bot is back", "Everything is back"),
        (
            "handoff.toml",
            "still_waiting = \"Still waiting.\"\n",
            "nobody_until = \"Nobody.\"\nstill_waiting = \"Still.\"\n",
        ),
        ("business.toml", "[variables]", "[hours]\nzone = \"Europe/London\"\nmonday = [\"9:00-17:00\"]\n[variables]"),
        ("business.toml", "[variables]", "[hours]\nzone = \"Nowhere\"\nmonday = [\"9-17\"]\n[variables]"),
        ("policy.toml", "late_after_s = 180", "late_after_s = 5"),
        ("lookups.toml", "slots = [\"order_number\"]", "slots = [\"order\"]"),
        ("lookups.toml", "{origin}/orders", "ftp://shop.example"),
        ("lookups.toml", "{origin}/orders/{order_number}", "https://{order_number}.shop.example/"),
        ("lookups.toml", "/{order_number}", ""),
        ("lookups.toml", "choose_by = \"status\"", "choose_by = \"state\""),
        ("lookups.toml", "{parcel.carrier}", "{parcel.weight}"),
        ("lookups.toml", "2000", "20"),
        ("lookups.toml", "timeout_ms", "method = \"PUT\"\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "body = { a = \"{order_number}\" }\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "method = \"POST\"\nbody = { a = \"{order}\" }\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "headers = { X-Key = \"a\" }\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "headers = { x-key = \"{order_number}\" }\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "options = \"things\"\ntimeout_ms"),
        ("lookups.toml", "timeout_ms", "answer = \"Found.\"\ntimeout_ms"),
        ("lookups.toml", "choose_by = \"status\"\n", ""),
        ("lookups.toml", "failed =", "refused = \"No {parcel}.\"\nfailed ="),
        ("policy.toml", "turn = 0.60", "turn = 60"),
        ("policy.toml", "single = 0.90", "single = 0.30"),
        ("policy.toml", "in_a_row = 2", "in_a_row = 0"),
        ("policy.toml", "cap = 0.06", "cap = 0.36"),
        ("policy.toml", "handoff = 3", "handoff = 1"),
        ("policy.toml", "rise_end = 0.50", "rise_end = 0.50005"),
        ("rules.toml", "action = 'evidence'", "action = 'offer'"),
        ("policy.toml", "margin = 0.15\n", ""),
        ("replies.toml", "{first} or", "this or"),
        ("rules.toml", "'^no\\b'", "'^no(\\b'"),
        ("rules.toml", "'^no\\b'", "'(no)?'"),
        ("rules.toml", "'churn'", "'burn'"),
        ("rules.toml", "'safety'", "'legal'"),
        ("slots.toml", "JT-$1", "JT-$2"),
        ("slots.toml", "intent = 'order_status'", "intent = 'refunds'"),
        ("slots.toml", "(\\d{4})", "(\\d{4}"),
        ("intents/all.toml", "name = \"refunds\"", "name = \"opening_hours\""),
        ("intents/all.toml", "title = \"Refunds\"", "title = \"Opening Hours\""),
        ("intents/all.toml", "\"refunds example 3\", ", ""),
        ("intents/all.toml", "refunds example 3", "Opening_hours  example 3"),
        ("intents/all.toml", "{opens}", "{opened}"),
        ("intents/all.toml", "Refunds take five days.", "<b>Five</b> days."),
        ("intents/all.toml", "answer = \"Refunds take five days.\"", ""),
        ("intents/all.toml", "lookup = \"order_status\"", "lookup = \"order\""),
        ("intents/all.toml", "kind = \"safety\"", "kind = \"safety\"\nanswer = \"Oh.\""),
        ("intents/all.toml", "kind = \"safety\"", "kind = \"safe\""),
        ("intents/all.toml", "answer = \"All right.\"", ""),
    ];
    let report: Vec<String> = faults
        .iter()
        .map(|(file, from, to)| format!("{file}: {from:?} -> {to:?}\n{}\n", broken(file, from, to)))
        .collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn files_may_neither_be_missing_nor_unknown() {
    let mut set = files();
    set.remove("slots.toml");
    set.insert("intent/more.toml".into(), String::new());
    let errors = Prompts::load(&set).unwrap_err().to_string();
    assert!(errors.contains("prompts/slots.toml:1: the file is missing"), "{errors}");
    assert!(errors.contains("prompts/intent/more.toml:1: unknown file"), "{errors}");
}

#[test]
fn what_was_heard_teaches_the_intent_of_its_file_and_means_one_thing_only() {
    let mut set = files();
    set.insert("heard/refunds.txt".into(), "# from last year's chats\n\nwheres my dosh\nmoney back pls\n".into());
    set.insert("heard/other.txt".into(), "nice weather\n".into());
    let prompts = Prompts::load(&set).unwrap();
    assert_eq!(prompts.heard("refunds"), ["wheres my dosh", "money back pls"]);
    assert_eq!(prompts.heard(OTHER), ["nice weather"]);
    assert!(prompts.heard("greeting").is_empty());
    set.insert("heard/greeting.txt".into(), "hi\nWheres my  dosh\nrefunds example 3\n".into());
    set.insert("heard/parking.txt".into(), "can I park\n".into());
    let errors = Prompts::load(&set).unwrap_err().to_string();
    assert!(errors.contains("prompts/heard/greeting.txt:3: the message already stands for `refunds`"), "{errors}");
    assert!(errors.contains("prompts/heard/refunds.txt:3: the message already stands for `greeting`"), "{errors}");
    assert!(errors.contains("prompts/heard/parking.txt:1: there is no intent `parking`"), "{errors}");
}

#[test]
fn several_faults_are_told_together_in_order() {
    let mut set = files();
    let intents = set.get_mut("intents/all.toml").unwrap();
    *intents = intents.replace("{opens}", "{opened}").replace("Refunds take", "`Refunds` take");
    let errors = Prompts::load(&set).unwrap_err();
    assert_eq!(errors.0.len(), 2);
    assert!(errors.0[0].line < errors.0[1].line);
}

#[test]
fn the_version_follows_every_change_but_the_readme() {
    let version = |files| Prompts::load(&files).unwrap().version().to_owned();
    let mut set = files();
    let first = version(set.clone());
    assert_eq!(first.len(), 12);
    set.insert("README.md".into(), "How to write prompts.".into());
    assert_eq!(version(set.clone()), first);
    let policy = set.get_mut("policy.toml").unwrap();
    *policy = policy.replace("turn = 0.60", "turn = 0.61");
    assert_ne!(version(set), first);
}
