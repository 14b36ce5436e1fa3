//! The log: what is appended, once and in order, and what is decided about it.

use super::{AT, Fixture, claim, decided, hire, on_both, open, said, say};
use candor::clock::Clock;
use candor::domain::{ActionKind, Author, ConversationId, EventKind, Timestamp, TurnRecord, WordWeight};
use candor::store::{Appended, Change, Error, Guard, NewEvent, Store, TranscriptFilter, TurnOutcome, is_last_page};
use futures_util::future::join_all;
use serde_json::json;

on_both!(
    an_event_moves_the_counters_and_becomes_searchable,
    a_repeated_client_id_returns_the_first_seq_also_after_the_close,
    only_the_owner_passes_the_guard,
    the_words_of_a_turn_are_stored_beside_it,
    a_turn_is_stored_once_with_its_answer,
    the_bot_is_silent_where_a_person_took_over,
    more_reads_than_connections_wait_for_their_turn,
    long_texts_are_read_in_small_parts,
    many_writers_of_one_conversation_leave_no_gap,
    the_same_frame_many_times_at_once_is_one_event,
    a_turn_and_a_claim_at_once_agree_on_the_owner,
    what_a_crash_left_unanswered_is_found,
    an_answer_is_owed_until_the_last_turn_is_decided,
    how_far_a_customer_has_read_only_grows,
    a_closed_store_takes_nothing,
);

async fn hits(store: &Store, word: &str) -> usize {
    let filter = TranscriptFilter { query: Some(word.to_owned()), limit: 10, ..TranscriptFilter::default() };
    store.transcripts(&filter).await.unwrap().len()
}

async fn an_event_moves_the_counters_and_becomes_searchable(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let appended =
        store.append(conversation, Guard::Open, said("my parcel is late", Clock::System.id())).await.unwrap();
    assert_eq!(appended, Appended { seq: 2, at: AT, repeated: false });
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, row.updated_at), (2, AT));
    let listed = store.transcripts(&TranscriptFilter { limit: 10, ..TranscriptFilter::default() }).await.unwrap();
    assert_eq!(listed.first().unwrap().turns, 1);
    assert_eq!((hits(store, "parcel").await, hits(store, "refund").await), (1, 0));
}

async fn a_repeated_client_id_returns_the_first_seq_also_after_the_close(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let id = Clock::System.id();
    let first = store.append(conversation, Guard::Open, said("hello", id)).await.unwrap();
    let again = Appended { repeated: true, ..first };
    assert_eq!(store.append(conversation, Guard::Open, said("hello", id)).await.unwrap(), again);
    let other = store.append(conversation, Guard::Open, said("good bye", id)).await;
    assert!(matches!(other, Err(Error::Conflict)), "{other:?}");
    let next = store.append(conversation, Guard::Open, said("and", Clock::System.id())).await.unwrap();
    assert_eq!(next.seq, first.seq + 1, "nothing refused takes a number");
    let agent = hire(store, "ada@shop.example").await;
    claim(store, conversation, agent).await;
    store.change_owner(conversation, Change::Close { agent, survey: None }, None, AT).await.unwrap();
    assert_eq!(store.append(conversation, Guard::Open, said("hello", id)).await.unwrap(), again);
    let late = store.append(conversation, Guard::Open, said("late", Clock::System.id())).await;
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    store.append(conversation, Guard::Exists, said("rated", Clock::System.id())).await.unwrap();
}

async fn only_the_owner_passes_the_guard(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let (ada, bob) = (hire(store, "ada@shop.example").await, hire(store, "bob@shop.example").await);
    let write = async |guard| {
        let mut event = NewEvent::new(EventKind::Message, Author::Agent, AT);
        event.text = Some("I look into it".to_owned());
        store.append(conversation, guard, event).await
    };
    assert!(matches!(write(Guard::OwnedBy(ada)).await, Err(Error::NotOwner)));
    assert!(write(Guard::Unassigned).await.is_ok());
    claim(store, conversation, ada).await;
    assert!(matches!(write(Guard::Unassigned).await, Err(Error::NotOwner)));
    assert!(matches!(write(Guard::OwnedBy(bob)).await, Err(Error::NotOwner)));
    assert!(write(Guard::OwnedBy(ada)).await.is_ok());
    let nowhere =
        store.append(ConversationId(Clock::System.id()), Guard::Open, said("hello", Clock::System.id())).await;
    assert!(matches!(nowhere, Err(Error::NotFound)), "{nowhere:?}");
}

async fn the_words_of_a_turn_are_stored_beside_it(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let seq = store.append(conversation, Guard::Open, said("hello", Clock::System.id())).await.unwrap().seq;
    let words = vec![WordWeight { start: 0, end: 5, frustration: 0.25 }];
    assert!(store.record_words(conversation, seq, words.clone()).await.is_err(), "there is no turn yet");
    store.record_turn(decided(conversation, seq)).await.unwrap();
    store.record_words(conversation, seq, words.clone()).await.unwrap();
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns, [TurnRecord { words: Some(words), ..decided(conversation, seq).record }]);
}

async fn a_turn_is_stored_once_with_its_answer(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let seq = store.append(conversation, Guard::Open, said("where is it", Clock::System.id())).await.unwrap().seq;
    assert_eq!(store.unread_turns(conversation).await.unwrap().len(), 1);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Answered);
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Repeated);
    assert!(store.unread_turns(conversation).await.unwrap().is_empty());
    let (row, dialogue, _) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, dialogue), (seq + 1, Some(json!({ "topic": "delivery" }))));
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns, [decided(conversation, seq).record]);
    let nowhere = store.record_turn(decided(ConversationId(Clock::System.id()), 1)).await;
    assert!(matches!(nowhere, Err(Error::NotFound)), "{nowhere:?}");
}

async fn the_bot_is_silent_where_a_person_took_over(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let seq = store.append(conversation, Guard::Open, said("where is it", Clock::System.id())).await.unwrap().seq;
    let agent = hire(store, "ada@shop.example").await;
    claim(store, conversation, agent).await;
    assert_eq!(store.record_turn(decided(conversation, seq)).await.unwrap(), TurnOutcome::Superseded);
    let turns = store.turns_after(conversation, 0).await.unwrap();
    assert_eq!(turns.first().map(|turn| (turn.action, turn.reasons.len())), Some((ActionKind::Silent, 0)));
    let (row, dialogue, _) = store.conversation_with_dialogue(conversation).await.unwrap().unwrap();
    assert_eq!((row.last_seq, dialogue), (seq + 1, None), "no answer, only the claim");
}

async fn more_reads_than_connections_wait_for_their_turn(fixture: &Fixture) {
    let Fixture { store, conversation, .. } = fixture;
    let conversation = *conversation;
    let found = futures_util::future::join_all((0..40).map(|_| store.conversation(conversation))).await;
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(Option::is_some)));
    store.close().await;
    assert!(matches!(store.conversation(conversation).await, Err(Error::Busy)));
}

async fn many_writers_of_one_conversation_leave_no_gap(fixture: &Fixture) {
    const WRITERS: usize = 16;
    const EACH: usize = 10;
    let begun = fixture.store.conversation(fixture.conversation).await.unwrap().unwrap().last_seq;
    let writers = (0..WRITERS).map(|writer| {
        let (store, conversation) = (fixture.store.clone(), fixture.conversation);
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            for number in 0..EACH {
                let event = said(&format!("{writer}: {number}"), Clock::System.id());
                let appended = store.append(conversation, Guard::Open, event.clone()).await.unwrap();
                let again = store.append(conversation, Guard::Open, event).await.unwrap();
                assert_eq!((again.seq, again.repeated), (appended.seq, true), "a repeated frame takes no number");
                seqs.push(appended.seq);
            }
            assert!(seqs.is_sorted(), "one writer's own order");
            seqs
        })
    });
    let mut seqs: Vec<i64> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    seqs.sort_unstable();
    let expected: Vec<i64> = (begun + 1..).take(WRITERS * EACH).collect();
    assert_eq!(seqs, expected);
    let stored = fixture.store.events_after(fixture.conversation, begun).await.unwrap();
    assert_eq!(stored.iter().map(|event| event.seq).collect::<Vec<_>>(), expected);
    let row = fixture.store.conversation(fixture.conversation).await.unwrap().unwrap();
    assert_eq!(Some(row.last_seq), expected.last().copied());
}

async fn long_texts_are_read_in_small_parts(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let begun = store.last_seq(conversation).await.unwrap().unwrap();
    let long = "\u{1f4e6}".repeat(4_000);
    for _ in 0..12 {
        say(store, conversation, &long).await;
    }
    let (mut seen, mut pages) = (begun, 0);
    loop {
        let page = store.events_after(conversation, seen).await.unwrap();
        let bytes: usize = page.iter().filter_map(|event| event.text.as_ref()).map(String::len).sum();
        assert!(bytes < 64 * 1024 + long.len(), "{bytes} bytes at once");
        assert!(page.iter().zip(seen + 1..).all(|(event, seq)| event.seq == seq), "nothing is left out");
        (seen, pages) = (page.last().map_or(seen, |event| event.seq), pages + 1);
        if is_last_page(&page) {
            break;
        }
    }
    assert_eq!((seen, pages), (begun + 12, 3));
    // What was left in the database's hands does not come with the next answer.
    assert_eq!(store.last_seq(conversation).await.unwrap(), Some(seen));
}

async fn the_same_frame_many_times_at_once_is_one_event(fixture: &Fixture) {
    let event = said("hello", Clock::System.id());
    let sent = (0..16).map(|_| fixture.store.append(fixture.conversation, Guard::Open, event.clone()));
    let outcomes: Vec<Appended> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.repeated).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| outcome.seq == outcomes[0].seq));
    assert_eq!(say(&fixture.store, fixture.conversation, "next").await, outcomes[0].seq + 1);
}

async fn a_turn_and_a_claim_at_once_agree_on_the_owner(fixture: &Fixture) {
    let store = &fixture.store;
    let agent = hire(store, "ada@shop.example").await;
    for number in 0..20_u8 {
        let conversation = open(store, vec![number + 2; 32], AT, false).await;
        let seq = say(store, conversation, "where is it").await;
        let (outcome, ()) =
            tokio::join!(store.record_turn(decided(conversation, seq)), claim(store, conversation, agent));
        let events = store.events_after(conversation, seq).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        let action = store.turns_after(conversation, 0).await.unwrap()[0].action;
        match outcome.unwrap() {
            TurnOutcome::Answered => {
                assert_eq!((action, &kinds[..]), (ActionKind::Reply, &[EventKind::Message, EventKind::State][..]));
            }
            TurnOutcome::Superseded => assert_eq!((action, &kinds[..]), (ActionKind::Silent, &[EventKind::State][..])),
            TurnOutcome::Repeated => panic!("it was decided once"),
        }
    }
}

async fn what_a_crash_left_unanswered_is_found(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    assert_eq!(store.unanswered(Timestamp(i64::MAX)).await.unwrap(), []);
    let seq = say(store, conversation, "where is it").await;
    assert_eq!(store.unanswered(AT).await.unwrap(), [], "it is not older");
    assert_eq!(store.unanswered(Timestamp(AT.0 + 1)).await.unwrap(), [conversation]);
    store.record_turn(decided(conversation, seq)).await.unwrap();
    assert_eq!(store.unanswered(Timestamp(AT.0 + 1)).await.unwrap(), []);
    // A thumbs down is a turn of its own, a thumbs up is none.
    for helpful in [true, false] {
        let mut judged = NewEvent::new(EventKind::Feedback, Author::Customer, AT);
        judged.data = Some(json!({ "of": seq + 1, "helpful": helpful }));
        store.append(conversation, Guard::Open, judged).await.unwrap();
        assert_eq!(store.unread_turns(conversation).await.unwrap().len(), usize::from(!helpful));
    }
    assert_eq!(store.churn(conversation).await.unwrap(), (None, 1), "the second judgement counts");
}

async fn an_answer_is_owed_until_the_last_turn_is_decided(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let owed = async || store.unanswered(Timestamp(AT.0 + 1)).await.unwrap();
    let (first, second) = (say(store, conversation, "where is it").await, say(store, conversation, "hello?").await);
    assert_eq!(owed().await, [conversation]);
    store.record_turn(decided(conversation, first)).await.unwrap();
    assert_eq!(owed().await, [conversation], "the second is owed");
    store.record_turn(decided(conversation, second)).await.unwrap();
    assert_eq!(owed().await, []);
    say(store, conversation, "thanks").await;
    assert_eq!(owed().await, [conversation]);
    let agent = hire(store, "ada@shop.example").await;
    claim(store, conversation, agent).await;
    assert_eq!(owed().await, [], "a person answers now");
}

async fn how_far_a_customer_has_read_only_grows(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let seq = say(store, conversation, "hello").await;
    let read = async || store.conversation(conversation).await.unwrap().unwrap().customer_read;
    for (marked, expected) in [(seq, seq), (1, seq), (seq + 1, seq)] {
        store.mark_read(conversation, marked).await.unwrap();
        assert_eq!(read().await, expected);
    }
    assert_eq!(store.event(conversation, seq).await.unwrap().unwrap().text.as_deref(), Some("hello"));
    assert_eq!(store.event(conversation, seq + 1).await.unwrap(), None);
    assert_eq!(store.last_seq(conversation).await.unwrap(), Some(seq));
    assert_eq!(store.last_seq(ConversationId(Clock::System.id())).await.unwrap(), None);
}

async fn a_closed_store_takes_nothing(fixture: &Fixture) {
    let store = &fixture.store;
    store.ping().await.unwrap();
    assert!(store.health().ready && store.writes_waiting() == 0);
    let epoch = store.epoch().to_owned();
    let visitor = Store::visit(fixture.location.clone(), Clock::System).await.unwrap();
    assert_eq!(visitor.epoch(), epoch, "beside the server");
    visitor.close().await;
    store.close().await;
    assert!(matches!(store.ping().await, Err(Error::Busy)));
    let late = store.append(fixture.conversation, Guard::Open, said("late", Clock::System.id())).await;
    assert!(matches!(late, Err(Error::Busy)), "{late:?}");
    let again =
        Store::open_with(fixture.location.clone(), candor::store::Options::default(), Clock::System).await.unwrap();
    assert_eq!(again.epoch(), epoch, "the history is the same");
    again.close().await;
}
