//! The layering, read from the `use` lines: arrows point downward only.

use std::path::{Path, PathBuf};

/// What each module may use of the crate.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("domain", &["domain"]),
    ("dialogue", &["dialogue", "domain"]),
    // Metrics are counted where they happen.
    ("nlu", &["nlu", "domain", "priority", "random", "telemetry"]),
    ("measure", &["measure", "nlu", "domain", "random"]),
    ("store", &["store", "domain", "clock", "server_address", "telemetry"]),
    ("bus", &["bus", "domain", "server_address", "telemetry"]),
    ("attachment", &["attachment", "domain"]),
    ("egress", &["egress"]),
];

/// Words that only some modules may contain, outside comments.
const ONLY_IN: [(&str, &[&str]); 6] = [
    ("axum::", &["http", "serve.rs"]),
    // A notification between nodes is a message, not storage.
    ("sqlx::query", &["store", "bus/postgres.rs", "bus/tests.rs"]),
    // Training, and the fit of a hidden layer on phrases.
    ("AdamW", &["train", "nlu/hidden.rs"]),
    // One guard for every call to somebody else.
    ("reqwest::", &["egress"]),
    // One decoder of what strangers send.
    ("image::", &["attachment"]),
    ("tokio::", &["app.rs", "bus", "chat", "cli", "egress", "http", "main.rs", "nlu", "serve.rs", "store"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

fn read_all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 40, "the tree was not read");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    for (name, text) in read_all() {
        let module = name.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = ALLOWED.iter().find(|(layer, _)| *layer == module) else { continue };
        for used in text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| line.split("crate::").skip(1))
        {
            let used = used.split(|sign: char| !sign.is_alphanumeric() && sign != '_').next().unwrap();
            // `crate::{..}` would hide what is used.
            assert!(!used.is_empty(), "{name}: write one `use crate::module` line for each module");
            assert!(allowed.contains(&used), "{name} uses crate::{used}");
        }
    }
}

#[test]
fn each_technology_stays_in_its_place() {
    for (name, text) in read_all() {
        for (word, places) in ONLY_IN {
            let inside = places.iter().any(|place| name == *place || name.starts_with(&format!("{place}/")));
            let line = text.lines().find(|line| line.contains(word) && !line.trim_start().starts_with("//"));
            assert!(inside || line.is_none(), "{name}: {}", line.unwrap_or_default());
        }
    }
}
