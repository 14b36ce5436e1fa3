//! Checks that need the files alone.

use super::finding::{Finding, Level};
use super::subject::Subject;
use crate::dialogue::policy::IntentPolicy;
use toml::{Table, Value};

/// Languages in which a customer is at least told what the bot reads.
const LANGUAGES: [&str; 7] = ["de", "fr", "es", "it", "pt", "nl", "pl"];

/// Variables that no text names, and fields of look-ups that nothing says.
pub(super) fn unused(subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in table(subject, "business.toml", "variables").keys() {
        let named = format!("{{{name}}}");
        let used = subject.files.iter().any(|(file, text)| file != "README.md" && text.contains(&named));
        if !used {
            let place = ("business.toml", line(subject, "business.toml", Some("variables"), name));
            findings.push(Finding::at(Level::Warning, place, format!("no text uses {{{name}}}")));
        }
    }
    let lookups = parsed(subject, "lookups.toml");
    for (lookup, written) in lookups.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
        let mut said = Vec::new();
        for (_, value) in written.iter().filter(|(key, _)| *key != "fields") {
            texts(value, &mut said);
        }
        for field in written.get("fields").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let (named, below) = (format!("{{{field}}}"), format!("{{{field}."));
            if !said.iter().any(|text| *text == field || text.contains(&named) || text.contains(&below)) {
                let place = ("lookups.toml", line(subject, "lookups.toml", Some(lookup), "fields"));
                let message = format!("`{lookup}` asks for the field `{field}`, and nothing says it");
                findings.push(Finding::at(Level::Warning, place, message));
            }
        }
    }
    findings
}

/// Thresholds that undo one another.
pub(super) fn policy(subject: &Subject) -> Vec<Finding> {
    let policy = subject.prompts.policy();
    let (felt, failures) = (&policy.frustration, &policy.failures);
    let mut findings = Vec::new();
    let mut expect = |sound: bool, level: Level, (section, key): (&str, &str), message: &str| {
        if !sound {
            let place = ("policy.toml", line(subject, "policy.toml", Some(section), key));
            findings.push(Finding::at(level, place, format!("[{section}] {message}")));
        }
    };
    for (section, gates) in [("intent", &policy.intent), ("intent_rules", &policy.intent_rules)] {
        for (sound, level, key, message) in of_gates(gates) {
            expect(sound, level, (section, key), message);
        }
    }
    use Level::{Error, Warning};
    expect(
        felt.single_hostility >= felt.hostility,
        Warning,
        ("frustration", "single_hostility"),
        "`single_hostility` is below `hostility`: one turn needs less hostility than a run",
    );
    // A sum of two rounded numbers may miss the third by a rounding.
    expect(
        2.0 * felt.rise_step <= felt.rise + 1e-4,
        Warning,
        ("frustration", "rise_step"),
        "two steps of `rise_step` are more than `rise`, which then decides nothing",
    );
    expect(
        felt.rise_end <= felt.single,
        Warning,
        ("frustration", "rise_end"),
        "`rise_end` is above `single`, which offers before",
    );
    expect(
        felt.rise_end >= felt.rise,
        Warning,
        ("frustration", "rise_end"),
        "`rise_end` is below `rise`: no turn can rise by that and end so low",
    );
    expect(
        failures.in_a_row > 1,
        Warning,
        ("failures", "in_a_row"),
        "`in_a_row` is 1: a person is offered before the customer can say it in other words",
    );
    expect(
        policy.mood.negative > 0.0 && policy.mood.positive > 0.0,
        Error,
        ("mood", "negative"),
        "a threshold of 0 shows every turn as such",
    );
    findings
}

fn of_gates(gates: &IntentPolicy) -> [(bool, Level, &'static str, &'static str); 6] {
    use Level::{Error, Warning};
    [
        (
            gates.hard_offer_probability <= gates.hard_probability,
            Error,
            "hard_offer_probability",
            "`hard_offer_probability` is above `hard_probability`: nothing is offered, and what would hand over is dropped",
        ),
        (
            gates.accept_similarity <= gates.sure_similarity,
            Error,
            "sure_similarity",
            "`sure_similarity` is below `accept_similarity`: all that is near enough counts as sure",
        ),
        (
            gates.accept_probability <= gates.hard_offer_probability,
            Warning,
            "hard_offer_probability",
            "a reading that leads to a person needs less probability than an answer",
        ),
        (
            gates.accept_similarity <= gates.hard_similarity,
            Warning,
            "hard_similarity",
            "`hard_similarity` is below `accept_similarity`, which then decides alone",
        ),
        (
            gates.margin <= gates.accept_probability,
            Warning,
            "margin",
            "`margin` is above `accept_probability`, which then decides nothing",
        ),
        (
            gates.clarify_probability < 1.0,
            Warning,
            "clarify_probability",
            "`clarify_probability` is 1: the bot never asks back",
        ),
    ]
}

/// Languages that are missing, or that lack what others have, where there is a file of them.
pub(super) fn languages(subject: &Subject) -> Vec<Finding> {
    const FILE: &str = "languages.toml";
    if !subject.files.contains_key(FILE) {
        return Vec::new();
    }
    let all = parsed(subject, FILE);
    let spoken = table(subject, FILE, "language");
    let mut findings = Vec::new();
    for code in LANGUAGES.into_iter().filter(|code| !spoken.contains_key(*code)) {
        findings.push(Finding::at(Level::Warning, (FILE, None), format!("the language `{code}` is missing")));
    }
    let supported: Vec<&str> = all
        .get("supported")
        .and_then(Value::as_array)
        .map(|codes| codes.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let foreign = spoken.iter().filter_map(|(code, value)| Some((code, value.as_table()?)));
    for (code, table) in
        foreign.filter(|(code, table)| !supported.contains(&code.as_str()) && table.contains_key("sentence"))
    {
        let message = match (table.contains_key("ask"), table.contains_key("bot")) {
            (false, _) => {
                format!("`{code}` has no `ask`: a wish for a person is offered one, like everything else in it")
            }
            (true, false) => format!("`{code}` has no `bot`: \"are you a bot?\" is not answered in it"),
            (true, true) => continue,
        };
        findings.push(Finding::at(Level::Warning, (FILE, line(subject, FILE, None, code)), message));
    }
    findings
}

fn parsed(subject: &Subject, file: &str) -> Table {
    subject.files.get(file).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn table(subject: &Subject, file: &str, section: &str) -> Table {
    parsed(subject, file).remove(section).and_then(|value| value.try_into().ok()).unwrap_or_default()
}

/// Every text in a value.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Table(table) => table.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// The line of a key, or of the header that names it where no section is asked for.
fn line(subject: &Subject, file: &str, section: Option<&str>, key: &str) -> Option<usize> {
    let mut inside = section.is_none();
    let place = subject.files.get(file)?.lines().position(|line| {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let name = header.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
            inside = section.is_none_or(|section| section == name);
            return section.is_none() && name.rsplit('.').next() == Some(key);
        }
        inside && line.split_once('=').is_some_and(|(name, _)| name.trim() == key)
    })?;
    Some(place + 1)
}
