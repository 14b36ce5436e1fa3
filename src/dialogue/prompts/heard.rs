//! What customers were heard to write: `heard/NAME.txt` for the intent of that name, a message a line, and
//! `heard/other.txt` for what means none of the intents.
//!
//! They teach the model beside the examples, which stay what a writer reads and checks. Knows nothing of what an
//! intent leads to.

use super::super::rules::normalise;
use super::intents::Intent;
use super::source::{Faults, Source};
use crate::domain::OTHER;
use std::collections::{BTreeMap, HashMap};

/// Longest message, in characters: a longer one tells a story, and the classifier reads sentences.
const LONGEST: usize = 400;

/// Messages by the intent that they mean, or [`OTHER`].
pub(super) type Heard = BTreeMap<String, Vec<String>>;

/// The intent that a file is about, if it is such a file.
pub(super) fn intent_of(file: &str) -> Option<&str> {
    file.strip_prefix("heard/")?.strip_suffix(".txt").filter(|name| !name.contains('/'))
}

/// Reads all files; a message may mean one thing only. Empty lines and those after `#` are left out.
pub(super) fn check(files: &BTreeMap<String, String>, intents: &[Intent], faults: &mut Faults) -> Heard {
    let mut owners: HashMap<String, &str> = HashMap::new();
    for intent in intents {
        owners.extend(intent.examples.iter().map(|example| (normalise(example), intent.name.as_str())));
    }
    let mut heard = Heard::new();
    for (file, text) in files {
        let Some(name) = intent_of(file) else { continue };
        if name != OTHER && !intents.iter().any(|intent| intent.name == name) {
            faults.add_file(
                file,
                format!("there is no intent `{name}`; messages without one stand in heard/{OTHER}.txt"),
            );
            continue;
        }
        let source = Source { file, text };
        let mut position = 0;
        for line in text.split_inclusive('\n') {
            let (message, place) = (line.trim(), position..position);
            position += line.len();
            if message.is_empty() || message.starts_with('#') {
                continue;
            }
            if message.chars().count() > LONGEST {
                faults.add(source, &place, format!("a message has at most {LONGEST} characters"));
            }
            match owners.insert(normalise(message), name) {
                Some(first) => faults.add(source, &place, format!("the message already stands for `{first}`")),
                None => heard.entry(name.to_owned()).or_default().push(message.to_owned()),
            }
        }
    }
    heard
}
