//! What customers may do with what is kept of them.

use crate::store::{AT, Fixture, claim, decided, handing_over, hire, on_both, open, said, say};
use candor::clock::Clock;
use candor::domain::{Author, ConversationId, EventKind, Mood, Profile, State, Timestamp, Visibility};
use candor::store::{
    Change, Error, Guard, Location, NewEvent, NewHandover, NextSurvey, TranscriptFilter, TurnOutcome, verify,
};
use uuid::Uuid;

on_both!(
    a_customer_ends_and_goes_on,
    what_was_said_is_erased_and_nothing_is_added,
    what_is_closed_can_be_erased,
    an_objection_holds_for_a_customer_in_all_browsers,
    a_survey_is_chosen_by_what_was_asked_before,
    all_that_is_kept_is_found,
);

fn note(text: &str, client_id: Uuid) -> NewEvent {
    let mut event = NewEvent::new(EventKind::Note, Author::System, AT);
    (event.visibility, event.client_id, event.text) = (Visibility::Staff, Some(client_id), Some(text.to_owned()));
    event
}

async fn a_customer_ends_and_goes_on(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let ada = hire(store, "ada@shop.example").await;
    say(store, conversation, "hello").await;
    claim(store, conversation, ada).await;
    let (first, second, third) = (Clock::System.id(), Clock::System.id(), Clock::System.id());
    let change = async |id, change| store.change_by_customer(conversation, id, change, "said".to_owned(), AT).await;
    let reopen = || Change::Reopen { disclosure: "1".to_owned() };
    assert!(matches!(change(second, reopen()).await, Err(Error::NotOwner)), "it is open");
    let survey = Some(NextSurvey { kind: "ces", question: "How easy?".to_owned() });
    let ended = change(first, Change::End { survey }).await.unwrap();
    let again = change(first, Change::End { survey: None }).await.unwrap();
    assert_eq!((again.seq, again.repeated), (ended.seq, true), "the same request, whatever it would tell by now");
    assert!(matches!(change(second, Change::End { survey: None }).await, Err(Error::Closed)));
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.state, row.agent_id, row.closed_at), (State::Closed, None, Some(AT)));
    let event = store.event(conversation, ended.seq).await.unwrap().unwrap();
    assert_eq!((event.author, &event.data.unwrap()["survey"]["kind"]), (Author::Customer, &"ces".into()));
    assert!(store.survey_facts(conversation).await.unwrap().asked);

    change(second, reopen()).await.unwrap();
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.state, row.closed_at), (State::Bot, None));
    assert!(say(store, conversation, "one more thing").await > ended.seq);
    let used = store.append(conversation, Guard::Open, said("x", first)).await;
    assert!(matches!(used, Err(Error::Conflict)), "{used:?}");
    assert!(change(third, Change::End { survey: None }).await.is_ok());
}

async fn what_was_said_is_erased_and_nothing_is_added(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let ada = hire(store, "ada@shop.example").await;
    let visitor = store.conversation(conversation).await.unwrap().unwrap().visitor_id;
    store.identify(visitor, "cust-7".to_owned(), &Profile::default()).await.unwrap();
    let other = open(store, vec![7; 32], AT, false).await;
    say(store, other, "the secret of somebody else").await;
    let seq = say(store, conversation, "my secret").await;
    let mut angry = handing_over(conversation, seq, AT, NewHandover::default());
    (angry.record.mood, angry.record.frustration) = (Mood::Frustrated, 0.9);
    store.record_turn(angry).await.unwrap();
    claim(store, conversation, ada).await;
    let rating = NewEvent::new(EventKind::Rating, Author::Customer, AT);
    store.rate(conversation, "csat", 1, Some("secretly".to_owned()), rating).await.unwrap();
    let unanswered = say(store, conversation, "another secret").await;

    let id = Clock::System.id();
    let erased = store.erase(conversation, id, "Ended.".to_owned(), Timestamp(2_000)).await.unwrap();
    assert!(store.erase(conversation, id, "Ended.".to_owned(), Timestamp(3_000)).await.unwrap().repeated);
    let log = store.events_after(conversation, 0).await.unwrap();
    assert_eq!(log.last().unwrap().seq, erased.seq);
    assert_eq!(log.last().unwrap().data.as_ref().unwrap()["reason"], "erased");
    for event in &log[..log.len() - 1] {
        assert_eq!((&event.text, &event.client_id), (&None, &None), "{event:?}");
        assert_eq!(event.data.is_some(), event.kind == EventKind::State, "who had it stays, and nothing else");
    }
    let turn = store.turns_after(conversation, 0).await.unwrap().remove(0);
    assert_eq!((turn.mood, turn.frustration, turn.intent, turn.reasons), (Mood::Neutral, 0.0, None, Vec::new()));
    let ratings = store.ratings(conversation).await.unwrap();
    assert_eq!((ratings.len(), &ratings[0].comment), (1, &None));
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.state, row.agent_id, row.erased_at), (State::Closed, None, Some(Timestamp(2_000))));
    assert_eq!(store.latest_conversation(visitor).await.unwrap(), None);
    assert_eq!(store.profile(visitor).await.unwrap(), None, "who they are goes with their last conversation");
    let filter = TranscriptFilter { query: Some("secret".to_owned()), limit: 9, ..TranscriptFilter::default() };
    let found: Vec<_> = store.transcripts(&filter).await.unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(found, [other]);
    if let Location::File(path) = &fixture.location {
        let findings = verify(path).await.unwrap().findings;
        assert!(findings.is_empty(), "{findings:?}");
    }

    let late = store.append(conversation, Guard::Exists, note("late", Clock::System.id())).await;
    assert!(matches!(late, Err(Error::NotOwner)), "{late:?}");
    let reopened = Change::Reopen { disclosure: "1".to_owned() };
    let reopened = store.change_by_customer(conversation, Clock::System.id(), reopened, String::new(), AT).await;
    assert!(matches!(reopened, Err(Error::NotOwner)), "{reopened:?}");
    let outcome = store.record_turn(decided(conversation, unanswered)).await.unwrap();
    assert_eq!(outcome, TurnOutcome::Repeated, "what was being read is not stored either");
    assert_eq!(store.turns_after(conversation, 0).await.unwrap().len(), 1);
    assert!(store.record_words(conversation, seq, Vec::new()).await.is_err());
}

async fn an_objection_holds_for_a_customer_in_all_browsers(fixture: &Fixture) {
    let (store, here) = (&fixture.store, fixture.conversation);
    let (there, other) = (open(store, vec![8; 32], AT, false).await, open(store, vec![9; 32], AT, false).await);
    let visitor = async |id| store.conversation(id).await.unwrap().unwrap().visitor_id;
    for id in [here, there] {
        store.identify(visitor(id).await, "cust-7".to_owned(), &Profile::default()).await.unwrap();
    }
    let allowed = async || {
        let mut all = Vec::new();
        for id in [here, there, other] {
            let may = store.may_read_mood(visitor(id).await).await.unwrap();
            let (_, _, customer) = store.conversation_with_dialogue(id).await.unwrap().unwrap();
            assert_eq!(customer.objects, !may);
            all.push(may);
        }
        all
    };
    assert_eq!(allowed().await, [true, true, true]);
    let id = Clock::System.id();
    store.object(here, true, note("objects", id)).await.unwrap();
    assert!(store.object(here, true, note("objects", id)).await.unwrap().repeated);
    assert_eq!(allowed().await, [false, false, true]);
    store.object(there, false, note("allows", Clock::System.id())).await.unwrap();
    assert_eq!(allowed().await, [true, true, true]);
}

async fn a_survey_is_chosen_by_what_was_asked_before(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let facts = async |id| store.survey_facts(id).await.unwrap();
    assert_eq!((facts(conversation).await.conversations, facts(conversation).await.handed_over), (0, false));
    say(store, conversation, "hello").await;
    let survey = Some(NextSurvey { kind: "nps", question: "How likely?".to_owned() });
    let end = Change::End { survey };
    store.change_by_customer(conversation, Clock::System.id(), end, String::new(), Timestamp(77)).await.unwrap();
    let visitor = store.conversation(conversation).await.unwrap().unwrap().visitor_id;
    let opening = candor::store::Opening {
        visitor,
        locale: None,
        page: None,
        disclosure: "1".to_owned(),
        demo: false,
        at: Timestamp(80),
    };
    let next = store.open_conversation(opening).await.unwrap();
    let seq = say(store, next, "hello again").await;
    store.record_turn(handing_over(next, seq, AT, NewHandover::default())).await.unwrap();
    let facts = facts(next).await;
    assert_eq!((facts.asked, facts.handed_over, facts.conversations), (false, true, 2));
    assert_eq!(facts.promoter_asked_at, Some(Timestamp(77)));
    assert!(matches!(store.survey_facts(ConversationId(Clock::System.id())).await, Err(Error::NotFound)));
}

async fn all_that_is_kept_is_found(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    let visitor = store.conversation(conversation).await.unwrap().unwrap().visitor_id;
    let profile = Profile { name: Some("Ada".to_owned()), ..Profile::default() };
    store.identify(visitor, "cust-7".to_owned(), &profile).await.unwrap();
    let browsers = store.browsers_of(visitor).await.unwrap();
    assert_eq!(browsers.len(), 1);
    assert_eq!((browsers[0].profile(), browsers[0].external_id.as_deref()), (Some(profile), Some("cust-7")));
    let ids = async || {
        let all = store.conversations_of(visitor).await.unwrap();
        all.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(ids().await, [conversation]);
    store.erase(conversation, Clock::System.id(), String::new(), AT).await.unwrap();
    assert!(ids().await.is_empty());
}

async fn what_is_closed_can_be_erased(fixture: &Fixture) {
    let (store, conversation) = (&fixture.store, fixture.conversation);
    say(store, conversation, "my secret").await;
    let end = Change::End { survey: None };
    store.change_by_customer(conversation, Clock::System.id(), end, String::new(), Timestamp(50)).await.unwrap();
    store.erase(conversation, Clock::System.id(), String::new(), Timestamp(60)).await.unwrap();
    let row = store.conversation(conversation).await.unwrap().unwrap();
    assert_eq!((row.closed_at, row.erased_at), (Some(Timestamp(50)), Some(Timestamp(60))));
    if let Location::File(path) = &fixture.location {
        let findings = verify(path).await.unwrap().findings;
        assert!(findings.is_empty(), "{findings:?}");
    }
}
