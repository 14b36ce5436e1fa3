//! Accounts, their sessions, and what staff say about decisions.

use super::{AT, Fixture, decided, hire, on_both, say};
use candor::domain::{Role, Timestamp};
use candor::store::{AgentUpdate, Archive, Error, NewAgent, Store};

on_both!(
    an_account_lives_and_ends,
    of_all_setup_links_one_makes_a_manager,
    the_last_manager_stays_even_when_two_leave_at_once,
    labels_do_not_contradict_each_other
);

async fn manager(store: &Store, email: &str) -> candor::domain::AgentId {
    let new = NewAgent {
        email: email.to_owned(),
        name: "Mo".to_owned(),
        role: Role::Manager,
        password_hash: "hash".to_owned(),
        demo: false,
    };
    store.create_agent(new, AT).await.unwrap().id
}

async fn an_account_lives_and_ends(fixture: &Fixture) {
    let store = &fixture.store;
    assert!(!store.has_manager().await.unwrap());
    let mo = manager(store, "mo@shop.example").await;
    assert!(store.has_manager().await.unwrap());
    let again = NewAgent {
        email: "mo@shop.example".to_owned(),
        name: String::new(),
        role: Role::Agent,
        password_hash: String::new(),
        demo: false,
    };
    let taken = store.create_agent(again, AT).await;
    assert!(matches!(taken, Err(Error::Exists("this e-mail"))), "{taken:?}");
    let ada = hire(store, "ada@shop.example").await;
    assert_eq!(store.agents().await.unwrap().len(), 2);
    let found = store.credentials("mo@shop.example").await.unwrap().unwrap();
    assert_eq!((found.agent.id, found.password_hash.as_str()), (mo, "hash"));
    assert!(store.credentials("ada@shop.example").await.unwrap().is_none(), "no password, no way in");

    let now = Timestamp(2_000);
    for (token, expires) in [(1, 3_000), (2, 3_000), (3, 1_500)] {
        store.create_session(vec![token; 32], mo, AT, Timestamp(expires)).await.unwrap();
    }
    assert_eq!(store.session(vec![1; 32], now).await.unwrap().unwrap().id, mo);
    assert!(store.session(vec![3; 32], now).await.unwrap().is_none(), "it has expired");
    store.end_session(vec![1; 32]).await.unwrap();
    assert!(store.session(vec![1; 32], now).await.unwrap().is_none());
    assert!(store.session(vec![2; 32], now).await.unwrap().is_some());
    let renamed = AgentUpdate { name: Some("Maureen".to_owned()), ..AgentUpdate::default() };
    store.update_agent(mo, renamed).await.unwrap();
    assert_eq!(store.agent(mo).await.unwrap().unwrap().name, "Maureen");
    assert!(store.session(vec![2; 32], now).await.unwrap().is_some(), "a name ends no session");
    let changed = AgentUpdate { password_hash: Some("other".to_owned()), ..AgentUpdate::default() };
    store.update_agent(mo, changed).await.unwrap();
    assert!(store.session(vec![2; 32], now).await.unwrap().is_none());
    let closed = AgentUpdate { active: Some(false), ..AgentUpdate::default() };
    store.update_agent(ada, closed).await.unwrap();
    assert!(!store.agent(ada).await.unwrap().unwrap().active);
}

async fn the_last_manager_stays_even_when_two_leave_at_once(fixture: &Fixture) {
    let store = &fixture.store;
    for round in 0..5 {
        let mut managers = store.agents().await.unwrap();
        managers.retain(|agent| agent.active && agent.role == Role::Manager);
        let one = match managers.first() {
            Some(left) => left.id,
            None => manager(store, "first@shop.example").await,
        };
        let other = manager(store, &format!("{round}@shop.example")).await;
        let leave = || AgentUpdate { role: Some(Role::Agent), ..AgentUpdate::default() };
        let (first, second) = tokio::join!(store.update_agent(one, leave()), store.update_agent(other, leave()));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert!(matches!(first.and(second), Err(Error::Conflict)));
        assert!(store.has_manager().await.unwrap());
    }
}

async fn of_all_setup_links_one_makes_a_manager(fixture: &Fixture) {
    let store = &fixture.store;
    let (one, other): ([u8; 32], [u8; 32]) = ([1; 32], [2; 32]);
    for link in [&one, &other] {
        assert!(!store.is_setup_open(link).await.unwrap());
        store.open_setup(link).await.unwrap();
        assert!(store.is_setup_open(link).await.unwrap());
    }
    let new = |email: &str| NewAgent {
        email: email.to_owned(),
        name: "Mo".to_owned(),
        role: Role::Manager,
        password_hash: "hash".to_owned(),
        demo: false,
    };
    hire(store, "ada@shop.example").await;
    let taken = store.create_first_manager(&one, new("ada@shop.example"), AT).await;
    assert!(matches!(taken, Err(Error::Exists(_))), "{taken:?}");
    assert!(store.create_first_manager(&[3; 32], new("eve@shop.example"), AT).await.unwrap().is_none());
    let (first, second) = tokio::join!(
        store.create_first_manager(&one, new("mo@shop.example"), AT),
        store.create_first_manager(&other, new("max@shop.example"), AT),
    );
    assert!(first.unwrap().is_some() != second.unwrap().is_some(), "one of them");
    assert_eq!(store.agents().await.unwrap().len(), 2);
    for link in [&one, &other] {
        assert!(!store.is_setup_open(link).await.unwrap());
        assert!(store.create_first_manager(link, new("eve@shop.example"), AT).await.unwrap().is_none());
    }
}

async fn labels_do_not_contradict_each_other(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let ada = hire(store, "ada@shop.example").await;
    let mut seqs = Vec::new();
    for text in ["one", "two", "three"] {
        let seq = say(store, conversation, text).await;
        store.record_turn(decided(conversation, seq)).await.unwrap();
        seqs.push(seq);
    }
    let label = async |seq, needed| store.label_handover(conversation, seq, needed, ada, AT).await;
    assert!(matches!(label(1, true).await, Err(Error::NotFound)), "that is no customer turn");
    let archive = Archive::open(fixture.location.clone()).await.unwrap();
    let needed = async || archive.labels().await.unwrap().remove(&conversation).map(|labels| labels.needed_at);
    label(seqs[0], true).await.unwrap();
    label(seqs[1], true).await.unwrap();
    label(seqs[1], true).await.unwrap();
    assert_eq!(needed().await, Some(seqs[..2].to_vec()));
    label(seqs[2], false).await.unwrap();
    assert_eq!(needed().await, Some(Vec::new()), "nobody was needed at all");
    label(seqs[0], true).await.unwrap();
    assert_eq!(needed().await, Some(seqs[..1].to_vec()));
    let turns = archive.turns(None, Timestamp(0)).await.unwrap();
    assert_eq!(turns.iter().map(|turn| turn.seq).collect::<Vec<_>>(), seqs);
    assert_eq!(turns[0].trace, decided(conversation, seqs[0]).record.trace);
    assert_eq!(archive.turns(Some((conversation, seqs[0])), Timestamp(0)).await.unwrap().len(), 2);
    assert!(archive.turns(None, AT).await.unwrap().is_empty(), "it was opened before");
    assert!(archive.handling_times().await.unwrap().is_empty());
    archive.close().await;
}
