//! Conversations, their visitors and what the desk lists of them.

use super::{AT, Fixture, claim, decided, handing_over, hire, on_both, open, said, say};
use candor::clock::Clock;
use candor::domain::{Author, Band, ChurnRisk, Customer, EventKind, Mood, Profile, State, Timestamp};
use candor::store::{
    Change, Error, Forgotten, Guard, HIT_END, HIT_START, NewEvent, NewHandover, Opening, Queued, TranscriptFilter,
    TurnWrite,
};
use serde_json::json;

on_both!(
    a_customer_is_one_in_all_browsers_and_their_last_rating_counts,
    the_desk_lists_the_queue_first,
    what_is_old_is_forgotten_and_what_waits_is_kept_longer,
    much_that_is_old_is_forgotten_bit_by_bit,
    whom_a_person_has_stands_before_what_the_bot_has,
    a_value_that_is_refused_is_told_from_trouble,
    the_sample_day_goes_without_a_trace,
    transcripts_are_found_by_words_and_filters,
    a_conversation_goes_from_hand_to_hand,
);

async fn a_customer_is_one_in_all_browsers_and_their_last_rating_counts(fixture: &Fixture) {
    let Fixture { store, conversation: first, .. } = fixture;
    let first = *first;
    let open_at = async |visitor, at| {
        let opening =
            Opening { visitor, locale: Some("fr".to_owned()), page: None, disclosure: "1".to_owned(), demo: false, at };
        let id = store.open_conversation(opening).await.unwrap();
        store.append(id, Guard::Open, said("hello", Clock::System.id())).await.unwrap();
        id
    };
    let customer = async |id| store.conversation_with_dialogue(id).await.unwrap().unwrap().2;
    let hour = 3_600_000;
    let (phone, laptop) =
        (store.create_visitor(vec![2; 32], AT).await.unwrap(), store.create_visitor(vec![3; 32], AT).await.unwrap());
    let long_ago = open_at(phone, Timestamp(hour)).await;
    let lately = open_at(phone, Timestamp(30 * hour)).await;
    let now = open_at(laptop, Timestamp(40 * hour)).await;
    for (rated, score, at) in [(long_ago, 5, 2), (lately, 2, 31), (now, 4, 41)] {
        let event = NewEvent::new(EventKind::Rating, Author::Customer, Timestamp(at * hour));
        store.rate(rated, "csat", score, None, event).await.unwrap();
    }
    assert_eq!((customer(now).await.contacts, customer(now).await.last_rating), (0, None), "nobody said who they are");
    assert_eq!(customer(now).await.locale.as_deref(), Some("fr"));

    let profile = Profile { name: Some("Ada".to_owned()), vip: true, ..Profile::default() };
    for visitor in [phone, laptop] {
        store.identify(visitor, "cust-7".to_owned(), &profile).await.unwrap();
    }
    let known = customer(now).await;
    assert_eq!((known.contacts, known.last_rating), (1, Some(2)), "a day back, and the latest rating before this one");
    assert!(known.verified && known.vip && known.name.as_deref() == Some("Ada"));
    assert_eq!(customer(long_ago).await.last_rating, None);
    assert_eq!(customer(first).await, Customer::default());
    assert_eq!(store.profile(phone).await.unwrap(), Some(profile.clone()));
    assert_eq!(store.cards_of(&[now]).await.unwrap()[0].customer_name().as_deref(), Some("Ada"));
    let visitor = store.visitor(vec![3; 32]).await.unwrap().unwrap();
    assert!(
        visitor.is("cust-7", &profile) && !visitor.is("cust-8", &profile) && !visitor.is("cust-7", &Profile::default())
    );
}

async fn the_desk_lists_the_queue_first(fixture: &Fixture) {
    let store = &fixture.store;
    let mut queued = Vec::new();
    for number in 0..3_u8 {
        let conversation = open(store, vec![number + 2; 32], AT, false).await;
        let seq = say(store, conversation, "a person, please").await;
        if number > 0 {
            let mut turn = handing_over(conversation, seq, Timestamp(i64::from(number)), NewHandover::default());
            turn.record.frustration = 0.75;
            turn.record.mood = Mood::Frustrated;
            turn.churn = Some(ChurnRisk { score: 0.5, band: Band::Medium, bias: -1.0, signals: Vec::new() });
            store.record_turn(turn).await.unwrap();
            queued.push(conversation);
        }
    }
    let waiting = async || store.queue().await.unwrap();
    let ids = async || waiting().await.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids().await, queued, "in the order in which they came");
    assert_eq!((store.queue_ahead(2).await.unwrap(), store.queue_ahead(3).await.unwrap()), (2, 0));
    assert_eq!(waiting().await[1], Queued { id: queued[1], demo: false, priority: 2, since: Timestamp(2) });
    let cards = store.cards(Timestamp(0)).await.unwrap();
    let listed: Vec<_> = cards.iter().map(|card| card.id).collect();
    assert_eq!(listed[..2], queued[..], "the queue by its age");
    assert_eq!(cards.len(), 3, "not the one in which nobody said anything");
    let card = store.cards_of(&[queued[0], fixture.conversation]).await.unwrap().remove(0);
    assert_eq!(card, cards[0]);
    assert_eq!((card.mood, card.frustration), (Some(Mood::Frustrated), Some(0.75)));
    assert_eq!((card.churn_score, card.churn_band), (Some(0.5), Some(Band::Medium)));
    assert_eq!(card.last_customer_text.as_deref(), Some("a person, please"));
    assert_eq!((card.last_text.as_deref(), card.last_author), (Some("On its way."), Some(Author::Bot)));
    assert_eq!((card.reason.as_deref(), card.priority, card.verified), (Some("asked"), 2, false));
    assert_eq!(store.cards_of(&[fixture.conversation]).await.unwrap(), [], "nobody said anything");
    assert_eq!(store.cards_of(&queued).await.unwrap().len(), 2);
    assert_eq!(store.cards_of(&[]).await.unwrap(), []);
    let agent = hire(store, "ada@shop.example").await;
    claim(store, queued[0], agent).await;
    assert_eq!(ids().await, queued[1..]);
    assert_eq!(store.cards_of(&queued[..1]).await.unwrap()[0].agent_id, Some(agent));
}

async fn what_is_old_is_forgotten_and_what_waits_is_kept_longer(fixture: &Fixture) {
    let store = &fixture.store;
    let waits = open(store, vec![2; 32], AT, false).await;
    let seq = say(store, waits, "an old parcel").await;
    store.record_turn(handing_over(waits, seq, AT, NewHandover::default())).await.unwrap();
    let visitor = store.conversation(fixture.conversation).await.unwrap().unwrap().visitor_id;
    assert_eq!(store.latest_conversation(visitor).await.unwrap(), Some(fixture.conversation));
    let gone = store.forget_before(Timestamp(AT.0 + 1), AT).await.unwrap();
    assert_eq!(gone, Forgotten { over: 1, waiting: 0 });
    assert_eq!(store.conversation(fixture.conversation).await.unwrap(), None);
    assert!(store.visitor(vec![1; 32]).await.unwrap().is_none(), "the visitor has none left");
    assert_eq!(store.latest_conversation(visitor).await.unwrap(), None);
    let search = TranscriptFilter { query: Some("parcel".to_owned()), limit: 10, ..TranscriptFilter::default() };
    assert_eq!(store.transcripts(&search).await.unwrap().len(), 1);
    let gone = store.forget_before(Timestamp(AT.0 + 1), Timestamp(AT.0 + 1)).await.unwrap();
    assert_eq!(gone, Forgotten { over: 0, waiting: 1 });
    assert!(store.transcripts(&search).await.unwrap().is_empty());
    assert!(store.events_after(waits, 0).await.unwrap().is_empty());
}

async fn the_sample_day_goes_without_a_trace(fixture: &Fixture) {
    let store = &fixture.store;
    let sample = open(store, vec![2; 32], AT, true).await;
    say(store, sample, "a sample parcel").await;
    assert_eq!(store.count_samples().await.unwrap(), 1);
    assert!(!store.is_sampled().await.unwrap());
    store.mark_sampled().await.unwrap();
    store.mark_sampled().await.unwrap();
    assert!(store.is_sampled().await.unwrap());
    store.remove_samples().await.unwrap();
    assert_eq!(store.count_samples().await.unwrap(), 0);
    assert!(store.visitor(vec![2; 32]).await.unwrap().is_none());
    assert!(store.visitor(vec![1; 32]).await.unwrap().is_some());
    assert!(store.conversation(fixture.conversation).await.unwrap().is_some());
}

/// What can be told from a database that is away, so that nobody tries it for ever.
async fn a_value_that_is_refused_is_told_from_trouble(fixture: &Fixture) {
    let store = &fixture.store;
    let seq = say(store, fixture.conversation, "hello").await;
    // Another answer to the same words: there is one at most.
    let mut answer = NewEvent::new(EventKind::Message, Author::Bot, AT);
    answer.in_reply_to = Some(seq);
    store.append(fixture.conversation, Guard::Open, answer).await.unwrap();
    let refused = store.record_turn(decided(fixture.conversation, seq)).await.unwrap_err();
    assert!(refused.is_refused_value(), "{refused:?}");
    assert!(!Error::Busy.is_refused_value() && !Error::NotOwner.is_refused_value());
    let silent = TurnWrite { reply: None, ..decided(fixture.conversation, seq) };
    store.record_turn(silent).await.unwrap();
    assert!(store.unread_turns(fixture.conversation).await.unwrap().is_empty());
}

async fn whom_a_person_has_stands_before_what_the_bot_has(fixture: &Fixture) {
    let store = &fixture.store;
    let ada = hire(store, "ada@shop.example").await;
    say(store, fixture.conversation, "hello").await;
    claim(store, fixture.conversation, ada).await;
    let busy = open(store, vec![2; 32], AT, false).await;
    let mut later = said("hello", Clock::System.id());
    later.at = Timestamp(AT.0 + 5);
    store.append(busy, Guard::Open, later).await.unwrap();
    let listed: Vec<_> = store.cards(Timestamp(0)).await.unwrap().into_iter().map(|card| card.id).collect();
    assert_eq!(listed, [fixture.conversation, busy]);
}

/// More than one transaction deletes, and more than one look finds.
async fn much_that_is_old_is_forgotten_bit_by_bit(fixture: &Fixture) {
    let store = &fixture.store;
    let mut old = Vec::new();
    for number in 2..92 {
        let id = open(store, vec![number; 32], AT, false).await;
        say(store, id, "an old parcel").await;
        old.push(id);
    }
    let kept = open(store, vec![100; 32], Timestamp(AT.0 + 5), false).await;
    let mut late = said("a new parcel", Clock::System.id());
    late.at = Timestamp(AT.0 + 5);
    store.append(kept, Guard::Open, late).await.unwrap();
    let gone = store.forget_before(Timestamp(AT.0 + 1), AT).await.unwrap();
    assert_eq!(gone, Forgotten { over: 91, waiting: 0 });
    for id in old {
        assert_eq!(store.conversation(id).await.unwrap(), None);
    }
    assert!(store.visitor(vec![91; 32]).await.unwrap().is_none());
    let search = TranscriptFilter { query: Some("parcel".to_owned()), limit: 10, ..TranscriptFilter::default() };
    let found: Vec<_> = store.transcripts(&search).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(found, [kept]);
    assert_eq!(store.forget_before(Timestamp(AT.0 + 1), AT).await.unwrap(), Forgotten::default());
}

async fn transcripts_are_found_by_words_and_filters(fixture: &Fixture) {
    let store = &fixture.store;
    let said = [
        "Where is my order JT-1042?",
        "Mein Päckchen ist nicht da, where is it",
        "Une commande au Café Été, o\'clock & \"quoted\" (a|b):* 50%",
        "Где моя ПОСЫЛКА?",
        "an e-mail to ada@shop.example about https://shop.example/returns",
    ];
    let mut ids = Vec::new();
    for (number, text) in said.iter().enumerate() {
        let id = open(store, vec![u8::try_from(number).unwrap() + 2; 32], AT, false).await;
        say(store, id, text).await;
        ids.push(id);
    }
    let find = async |query: &str| {
        let filter = TranscriptFilter { query: Some(query.to_owned()), limit: 10, ..TranscriptFilter::default() };
        let mut found: Vec<_> = store.transcripts(&filter).await.unwrap().into_iter().map(|row| row.id).collect();
        found.sort_unstable();
        found
    };
    for (query, expected) in [
        ("order", &ids[..1]),
        ("ORD", &ids[..1]),
        ("jt-1042", &ids[..1]),
        ("1042", &ids[..1]),
        ("where is", &ids[..2]),
        ("packchen", &ids[1..2]),
        ("päckchen", &ids[1..2]),
        ("cafe ete", &ids[2..3]),
        ("quoted", &ids[2..3]),
        ("посылка", &ids[3..4]),
        ("ada@shop.example", &ids[4..]),
        ("returns", &ids[4..]),
        ("a OR \"b NEAR(", &[][..]),
        ("order refund", &[][..]),
        ("o", &[ids[0], ids[2]][..]),
        ("' | ! & :* <->", &ids[..]),
    ] {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(find(query).await, expected, "{query}");
    }
    let filter =
        TranscriptFilter { query: Some("moя посыл".replace("moя", "моя")), limit: 1, ..Default::default() };
    let row = store.transcripts(&filter).await.unwrap().remove(0);
    assert_eq!(row.snippet, Some(format!("Где {HIT_START}моя{HIT_END} {HIT_START}ПОСЫЛКА{HIT_END}?")));
    assert_eq!((row.turns, row.first_text.as_deref(), row.csat), (1, Some(said[3]), None));

    store.record_turn(handing_over(ids[0], 2, AT, NewHandover::default())).await.unwrap();
    let only = async |filter: TranscriptFilter| {
        let rows = store.transcripts(&TranscriptFilter { limit: 2, ..filter }).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let none = TranscriptFilter::default;
    assert_eq!(only(TranscriptFilter { state: Some(State::Queued), ..none() }).await, ids[..1]);
    assert_eq!(only(TranscriptFilter { reason: Some("asked".to_owned()), ..none() }).await, ids[..1]);
    assert_eq!(only(TranscriptFilter { mood: Some(Mood::Neutral), ..none() }).await, ids[..1]);
    assert!(only(TranscriptFilter { mood: Some(Mood::Frustrated), ..none() }).await.is_empty());
    let mut before = None;
    let mut paged = Vec::new();
    loop {
        let page = only(TranscriptFilter { before, ..none() }).await;
        let Some(last) = page.last() else { break };
        before = Some((AT, *last));
        paged.extend(page);
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(paged, ids, "page by page, the newest first");
}

async fn a_conversation_goes_from_hand_to_hand(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let (ada, bob) = (hire(store, "ada@shop.example").await, hire(store, "bob@shop.example").await);
    let seq = say(store, conversation, "a person, please").await;
    store.record_turn(handing_over(conversation, seq, AT, NewHandover::default())).await.unwrap();
    claim(store, conversation, ada).await;
    let name = || "Bob".to_owned();
    let taken = Change::Claim { agent: bob, name: name(), from: None };
    let refused = store.change_owner(conversation, taken, None, AT).await;
    assert!(matches!(refused, Err(Error::NotOwner)), "{refused:?}");
    let handed = Change::Transfer { from: ada, to: bob, name: name() };
    store.change_owner(conversation, handed, Some("Bob goes on".to_owned()), AT).await.unwrap();
    let released = Change::Release { agent: bob, handover: NewHandover::default() };
    store.change_owner(conversation, released, None, AT).await.unwrap();
    assert_eq!(store.conversation(conversation).await.unwrap().unwrap().state, State::Queued);
    claim(store, conversation, bob).await;
    let back = Change::ReturnToBot { agent: bob, dialogue: json!({ "topic": null }), disclosure: "1".to_owned() };
    store.change_owner(conversation, back, None, AT).await.unwrap();
    let (row, memory, _) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
    assert_eq!((row.state, row.agent_id, memory), (State::Bot, None, Some(json!({ "topic": null }))));
    claim(store, conversation, ada).await;
    store.change_owner(conversation, Change::Close { agent: ada, survey: None }, None, AT).await.unwrap();
    assert_eq!(store.conversation(conversation).await.unwrap().unwrap().closed_at, Some(AT));
    let late = Change::Claim { agent: ada, name: name(), from: None };
    assert!(store.change_owner(conversation, late, None, AT).await.is_err());
}
