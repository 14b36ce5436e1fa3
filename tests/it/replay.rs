//! Stored conversations, decided again.

use crate::past;
use candor::cli::replay::start_reader;
use candor::clock::Clock;
use candor::dialogue::Prompts;
use candor::domain::{ActionKind, AgentId, ConversationId, Role, Timestamp};
use candor::prompt_files;
use candor::replay::compare::Change;
use candor::replay::{Comparison, PastConversation, compare};
use candor::store::{Archive, NewAgent, Store};
use std::collections::BTreeMap;
use std::path::Path;

/// Customers of all kinds: calm, asking for a person, growing angry, threatening to leave.
const SPOKEN: [&[&str]; 6] = [
    &["How long does delivery take?", "thanks"],
    &["Where is my parcel", "I want to talk to a human please"],
    &[
        "this is useless, where is my bloody order",
        "You useless bot, this is a disgrace!!! ANSWER ME",
        "I am furious, awful rubbish",
    ],
    &["do you sell hats for dogs on the moon", "purple monkey dishwasher", "colourless green ideas"],
    &["I will never order here again", "I mean it, never buying again", "bye"],
    &["Hello", "What are your opening hours?", "Great, thank you"],
];

struct Past {
    _folder: tempfile::TempDir,
    store: Store,
    path: std::path::PathBuf,
    prompts: Prompts,
}

async fn past() -> Past {
    let prompts = prompt_files::load(Some(Path::new("prompts"))).unwrap();
    let nlu = start_reader(&prompts, None, 1).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("candor.db");
    let store = Store::open(&path, Clock::System).await.unwrap();
    for (number, texts) in SPOKEN.iter().enumerate() {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let read = tokio::task::block_in_place(|| nlu.analyze_batch_blocking(&texts)).unwrap();
        let spoken: Vec<_> = texts.into_iter().zip(read).collect();
        past::write(&store, &nlu, &prompts, &spoken, Timestamp(1_000_000 * i64::try_from(number + 1).unwrap())).await;
    }
    nlu.stop();
    Past { _folder: folder, store, path, prompts }
}

async fn conversations(path: &Path) -> Vec<PastConversation> {
    let archive = Archive::open(path).await.unwrap();
    let mut rows: BTreeMap<ConversationId, Vec<_>> = BTreeMap::new();
    for turn in archive.turns(None, Timestamp(0)).await.unwrap() {
        rows.entry(turn.conversation_id).or_default().push(turn);
    }
    archive.close().await;
    let read = |(id, rows)| {
        let (past, left_out) = PastConversation::new(id, rows);
        assert_eq!(left_out, 0, "every stored turn can be decided again");
        past
    };
    rows.into_iter().map(read).collect()
}

fn compare_all(past: &[PastConversation], from: Option<&Prompts>, to: &Prompts) -> Comparison {
    let mut all = Comparison::default();
    for one in past {
        let before = from.map_or_else(|| one.recorded(), |prompts| one.decide(prompts));
        all.add(compare(one, &before, &one.decide(to), None));
    }
    all
}

/// The committed policy with one number changed.
fn with(prompts: &Prompts, from: &str, to: &str) -> Prompts {
    let text = std::fs::read_to_string("prompts/policy.toml").unwrap();
    assert!(text.contains(from), "{from} is not in the policy");
    prompts.clone().with_policy_file("other.toml", &text.replacen(from, to, 1)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bot_does_again_what_it_did() {
    let past = past().await;
    let all = conversations(&past.path).await;
    assert_eq!(all.len(), SPOKEN.len());
    for one in &all {
        assert_eq!(
            one.decide(&past.prompts),
            one.recorded(),
            "{:?}",
            one.turns.iter().map(|t| &t.text).collect::<Vec<_>>()
        );
    }
    let same = compare_all(&all, None, &past.prompts);
    assert_eq!(same.changed, [], "nothing changes under the same policy");
    assert_eq!(same.from, same.to);
    assert!(same.from.handed_over >= 2, "the past has hand-overs: {:?}", same.from);
    past.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_more_patient_policy_brings_in_fewer_people_and_says_where() {
    let past = past().await;
    let all = conversations(&past.path).await;
    let patient = with(&past.prompts, "in_a_row = 2", "in_a_row = 9");
    let found = compare_all(&all, Some(&past.prompts), &patient);
    assert!(found.to.offers < found.from.offers, "{found:?}");
    let lost: Vec<_> = found
        .changed
        .iter()
        .filter(|changed| matches!(changed.change, Change::Lost | Change::OfferLost | Change::Later))
        .collect();
    assert!(!lost.is_empty(), "{found:?}");
    let failures = lost.iter().filter(|changed| changed.from.as_ref().is_some_and(|step| step.reason == "bot_failure"));
    assert!(failures.count() >= 1, "{lost:?}");
    assert_eq!(found.count(Change::Gained), 0, "patience brings in nobody new");
    let asked = all.iter().find(|one| one.turns.iter().any(|turn| turn.text.contains("human please"))).unwrap();
    assert_eq!(asked.decide(&patient).last().unwrap().action, ActionKind::Handoff, "asking always works");
    past.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn staff_say_when_a_person_was_needed() {
    let past = past().await;
    let all = conversations(&past.path).await;
    let new = NewAgent {
        email: "ada@example.com".to_owned(),
        name: "Ada".to_owned(),
        role: Role::Agent,
        password_hash: String::new(),
        demo: false,
    };
    let agent: AgentId = past.store.create_agent(new, Timestamp(1)).await.unwrap().id;
    let asked = all.iter().find(|one| one.turns.iter().any(|turn| turn.text.contains("human please"))).unwrap();
    let right = asked.turns.last().unwrap().seq;
    past.store.label_handover(asked.id, right, true, agent, Timestamp(2)).await.unwrap();
    let archive = Archive::open(&past.path).await.unwrap();
    assert_eq!(archive.labels().await.unwrap()[&asked.id].needed_at, [right]);
    let outcomes = asked.recorded();
    let judged = |right: &[usize]| compare(asked, &outcomes, &outcomes, Some(right)).from.timing.unwrap();
    assert_eq!(judged(&[1]).gt, [1.0; 3], "it came exactly then");
    assert!(judged(&[0]).gt[0] < 0.7, "one turn late");
    assert_eq!(judged(&[]).gt, [0.0; 3], "nobody was needed");
    past.store.label_handover(asked.id, right, false, agent, Timestamp(3)).await.unwrap();
    assert_eq!(archive.labels().await.unwrap()[&asked.id].needed_at, [0_i64; 0]);
    let unknown = past.store.label_handover(asked.id, 999, true, agent, Timestamp(4)).await;
    assert!(unknown.is_err(), "only customers' turns are labelled");
    archive.close().await;
    past.store.close().await;
}
