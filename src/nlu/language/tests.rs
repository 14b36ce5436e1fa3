use super::*;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Line {
    language: Option<String>,
    text: String,
}

fn lines(file: &str) -> Vec<Line> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/languages").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn sentences_of_five_words_are_recognised() {
    let all = lines("sentences.jsonl");
    assert!(all.len() >= 240);
    let wrong: Vec<String> = all
        .iter()
        .map(|line| (line, detect_language(&line.text)))
        .filter(|(line, found)| *found != line.language)
        .map(|(line, found)| format!("{found:?}, not {:?}: {}", line.language, line.text))
        .collect();
    assert!(wrong.len() * 50 <= all.len(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn no_language_is_claimed_for_scraps_names_and_slang() {
    for line in lines("abstain.jsonl") {
        let found = detect_language(&line.text);
        assert!(found.is_none() || found.as_deref() == Some("en"), "{found:?}: {}", line.text);
    }
}

#[test]
fn english_is_not_taken_for_another_language() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/data");
    let (mut all, mut claimed) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "jsonl") {
            continue;
        }
        let file = std::fs::read_to_string(&path).unwrap();
        for value in file.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
            let Some(text) = value.get("text").and_then(|text| text.as_str()) else { continue };
            if value.get("language").is_some_and(|language| language != "en") {
                continue;
            }
            all += 1;
            let found = detect_language(text).filter(|found| found != "en");
            claimed.extend(found.map(|found| format!("{found}: {text}")));
        }
    }
    assert!(all > 5_000, "only {all} texts");
    // A handful of those texts are in other languages.
    assert!(claimed.len() * 1_000 <= all, "{} of {all}:\n{}", claimed.len(), claimed.join("\n"));
}

#[test]
fn a_name_or_a_brand_does_not_flip_a_text() {
    let cases = [
        ("I ordered a coat two weeks ago and it has still not arrived at my house.", Some("en")),
        ("Ich habe vor zwei Wochen einen Mantel bestellt und er ist noch nicht angekommen.", Some("de")),
        ("can i swap the jumper for a bigger one", Some("en")),
        ("my name is Jan van der Meer and my order has not arrived", Some("en")),
        ("Wo ist meine Bestellung JT-1042?", Some("de")),
        ("ok", None),
        ("hola", None),
        ("JT-1042", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(detect_language(text).as_deref(), expected, "{text}");
    }
}
