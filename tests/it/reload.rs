//! The bot's files change while customers talk: the next answers change, nothing is lost and nothing said twice; files
//! with a fault change nothing, and say where the fault is.

use crate::support::{Customer, Staff, TestApp};
use candor::chat::reload::{Outcome, Verdict};
use candor::config::find_models;
use candor::prompt_files;
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Conversations that go on all the time.
const CUSTOMERS: usize = 200;
/// Between two questions of a customer; more often than this in the long run is refused.
const PACE: Duration = Duration::from_millis(1_600);
/// Longest wait for a reload, which has to make way for everything else on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// The file that changes.
const FILE: &str = "intents/garden.toml";
/// Intents of the demo shop that customers ask about between two questions about the garden.
const OTHERS: [&str; 4] = ["jobs", "sale_dates", "gift_wrap", "wholesale"];
const GNOMES: &str = "do you sell garden gnomes";
const HAMMOCK: &str = "have you got hammocks for two";

fn intent(name: &str, title: &str, phrases: &[&str], answer: &str) -> String {
    format!("[[intent]]\nname = \"{name}\"\ntitle = \"{title}\"\nexamples = {phrases:?}\nanswer = \"{answer}\"\n\n")
}

fn gnomes(answer: &str) -> String {
    let phrases = [
        GNOMES,
        "got any gnomes for the garden",
        "I am looking for a garden gnome",
        "gnome with a red hat please",
        "where are your gnomes",
        "are gnomes part of the range",
        "I would like to buy a gnome",
        "do you have ceramic gnomes",
        "a gnome for my front lawn",
        "gnomes?",
    ];
    intent("gnomes", "Garden gnomes", &phrases, answer)
}

fn hammocks() -> String {
    let phrases = [
        HAMMOCK,
        "do you sell hammocks",
        "I want a hammock",
        "looking for a hammock with a stand",
        "hammock for my balcony",
        "is there a hammock in the shop",
        "where can I find hammocks",
        "cotton hammock",
        "a hammock to hang between two trees",
        "hammocks?",
    ];
    intent("hammocks", "Hammocks", &phrases, "Hammocks hang upstairs.")
}

/// A copy of the committed prompts with one file more, without what was heard: fitting all of that anew takes a
/// minute, in which nothing else is to be seen.
fn copy(garden: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("intents")).unwrap();
    for (name, text) in prompt_files::read(None).unwrap().into_iter().filter(|(name, _)| !name.starts_with("heard/")) {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::write(folder.path().join(FILE), garden).unwrap();
    folder
}

/// Changes the file and waits until the server has made up its mind about it.
async fn change(app: &TestApp, folder: &Path, garden: &str) -> Outcome {
    let before = app.app.reload.last();
    std::fs::write(folder.join(FILE), garden).unwrap();
    let decided = async {
        loop {
            match app.app.reload.last() {
                Some(outcome) if Some(&outcome) != before.as_ref() => return outcome,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, decided).await.expect("no reload in time")
}

/// What a manager is told about the prompts.
async fn about(manager: &Staff) -> Value {
    let (status, about) = manager.call("GET", "/v1/about", None).await;
    assert_eq!(status, 200);
    about
}

async fn ask(customer: &mut Customer, text: &str) -> String {
    customer.ask(text).await["text"].as_str().unwrap().to_owned()
}

/// Asks one thing after the other until it is over.
async fn talk(app: &TestApp, first: usize, questions: &[String], over: &AtomicBool) -> Customer {
    // Not all in one moment.
    tokio::time::sleep(PACE * u32::try_from(first).unwrap() / u32::try_from(CUSTOMERS).unwrap()).await;
    let mut customer = app.customer().await;
    for asked in first.. {
        ask(&mut customer, &questions[asked % questions.len()]).await;
        if over.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(PACE).await;
    }
    customer
}

/// Every message of the transcript has one turn and one answer, in the words of the version that decided it.
async fn check(manager: &Staff, customer: &Customer, gnomes_of: &BTreeMap<String, &str>) -> BTreeMap<String, usize> {
    let id = customer.conversation();
    let (status, transcript) = manager.call("GET", &format!("/v1/transcripts/{}", id.as_str().unwrap()), None).await;
    assert_eq!(status, 200);
    let (events, turns) = (transcript["events"].as_array().unwrap(), transcript["turns"].as_array().unwrap());
    let from = |role: &'static str| {
        events.iter().filter(move |event| event["kind"] == "message" && event["from"]["role"] == role)
    };
    let (said, answered): (Vec<&Value>, Vec<&Value>) = (from("customer").collect(), from("bot").collect());
    assert_eq!((said.len(), said.len()), (answered.len(), turns.len()), "{transcript}");
    let mut versions = BTreeMap::new();
    for ((said, answer), turn) in said.iter().zip(answered).zip(turns) {
        assert_eq!(turn["seq"], said["seq"], "one turn for each message, in order");
        assert_eq!(
            answer["seq"].as_i64(),
            said["seq"].as_i64().map(|seq| seq + 1),
            "answered before the next one came"
        );
        let version = turn["trace"]["prompts"].as_str().unwrap();
        *versions.entry(version.to_owned()).or_default() += 1;
        if said["text"] == GNOMES {
            assert_eq!(turn["intent"], "gnomes", "{turn}");
            assert_eq!(answer["text"], gnomes_of[version], "the words of the version that decided");
        }
    }
    versions
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bot_changes_under_two_hundred_conversations_and_none_notices_more_than_the_answer() {
    let (no, yes) = ("Gnomes are not our thing.", "Gnomes are in aisle four.");
    let folder = copy(&gnomes(no));
    let models = find_models(None).expect("the committed model");
    let flags = ["--models", models.to_str().unwrap(), "--prompts", folder.path().to_str().unwrap()];
    let app = TestApp::start_reading(&flags).await;
    let manager = app.manager().await;
    let prompts = app.app.prompts();
    let first = prompts.version().to_owned();
    let others = OTHERS.iter().map(|name| prompts.intent(name).unwrap().examples[0].clone());
    let questions: Vec<String> = others.chain([GNOMES.to_owned()]).collect();
    let over = AtomicBool::new(false);

    let customers = join_all((0..CUSTOMERS).map(|number| talk(&app, number, &questions, &over)));
    let director = async {
        let mut customer = app.customer().await;
        assert_eq!(ask(&mut customer, GNOMES).await, no);
        tokio::time::sleep(PACE).await;

        let changed = change(&app, folder.path(), &gnomes(yes)).await;
        assert_eq!((changed.result, changed.faults.len()), (Verdict::Loaded, 0), "{changed:?}");
        assert_ne!(changed.version, first);
        let mut other = app.customer().await;
        assert_eq!(ask(&mut other, GNOMES).await, yes, "the next answer is the new one");
        let answer = ask(&mut customer, HAMMOCK).await;
        assert!(!answer.contains("upstairs"), "nobody knows of hammocks yet: {answer}");

        let more = change(&app, folder.path(), &(gnomes(yes) + &hammocks())).await;
        assert_eq!(more.result, Verdict::Loaded, "{more:?}");
        println!("an answer took {} ms, an intent {} ms", changed.took_ms, more.took_ms);
        assert_eq!(ask(&mut other, HAMMOCK).await, "Hammocks hang upstairs.");

        // Each with its line and a word of its reason.
        let no_phrases = intent("hammocks", "Hammocks", &[], "Hammocks hang upstairs.");
        let broken = [
            (gnomes(yes).replace("name = ", "name = = "), 2, ""),
            (gnomes("Gnomes cost {gnome_price}."), 5, "gnome_price"),
            (gnomes(yes) + &no_phrases, 10, "hammocks"),
        ];
        for (text, line, word) in broken {
            let refused = change(&app, folder.path(), &text).await;
            assert_eq!((refused.result, &refused.version), (Verdict::Refused, &more.version), "{refused:?}");
            let told = about(&manager).await;
            assert_eq!(told["prompts_version"], json!(more.version));
            let fault = &told["prompts_reload"]["faults"][0];
            assert_eq!((&fault["file"], &fault["line"]), (&json!(FILE), &json!(line)), "{told}");
            assert!(fault["reason"].as_str().unwrap().contains(word), "{told}");
        }
        let mut third = app.customer().await;
        assert_eq!(ask(&mut third, HAMMOCK).await, "Hammocks hang upstairs.", "what was before goes on");

        let mended = change(&app, folder.path(), &gnomes(no)).await;
        assert_eq!(mended.result, Verdict::Loaded);
        assert_eq!(mended.version, first, "the same files have the same version");
        assert_eq!(about(&manager).await["prompts_reload"]["faults"], json!([]));
        assert_eq!(ask(&mut third, GNOMES).await, no);
        tokio::time::sleep(PACE).await;
        over.store(true, Ordering::Relaxed);
        BTreeMap::from([(first.clone(), no), (changed.version, yes), (more.version, yes)])
    };
    let (customers, gnomes_of) = tokio::join!(customers, director);

    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    for customer in &customers {
        for (version, turns) in check(&manager, customer, &gnomes_of).await {
            *versions.entry(version).or_default() += turns;
        }
    }
    println!("turns by version: {versions:?}");
    assert!(versions.keys().eq(gnomes_of.keys()), "each version decided, and none that was refused: {versions:?}");
    // Without a gap or a duplicate also for a client that starts from nothing.
    for customer in customers.iter().step_by(20) {
        let hello = json!({ "type": "hello", "site": "default", "token": customer.token });
        assert_eq!(Customer::hello(&app, hello).await.events, customer.events);
    }
    app.stop().await;
}

#[tokio::test]
async fn asked_for_it_reads_again_at_once_and_a_vanished_folder_is_a_fault() {
    let folder = copy(&gnomes("Gnomes are not our thing."));
    let app = TestApp::start_with(&["--prompts", folder.path().to_str().unwrap()]).await;
    let manager = app.manager().await;
    assert_eq!(about(&manager).await["prompts_reload"], Value::Null, "nothing happened yet");
    let reason = |told: &Value| told["prompts_reload"]["faults"][0]["reason"].as_str().unwrap_or_default().to_owned();
    let moved = folder.path().with_extension("gone");
    std::fs::rename(folder.path(), &moved).unwrap();
    app.app.reload.ask();
    while app.app.reload.last().is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = about(&manager).await;
    assert_eq!(told["prompts_reload"]["result"], "refused");
    assert!(reason(&told).contains(folder.path().to_str().unwrap()), "{told}");
    let mut customer = app.customer().await;
    assert_eq!(ask(&mut customer, GNOMES).await, "Gnomes are not our thing.");

    std::fs::rename(&moved, folder.path()).unwrap();
    app.app.reload.ask();
    let back = async {
        while app.app.reload.last().is_none_or(|outcome| outcome.result != Verdict::Unchanged) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.expect("it is the same again");
    assert_eq!(about(&manager).await["prompts_reload"]["faults"], json!([]));
    app.stop().await;
}
