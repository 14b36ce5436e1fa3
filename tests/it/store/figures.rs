//! Figures for managers.

use super::{AT, Fixture, handing_over, on_both, open, say};
use candor::clock::Clock;
use candor::domain::{Arm, Author, EventKind, Invitation, Timestamp, time::DAY_MS};
use candor::store::{ArmCount, DayCount, Guard, NewEvent, NewHandover, ReasonCount};

on_both!(conversations_are_counted_by_day_and_reason, invitations_are_counted_by_arm);

async fn rate(fixture: &Fixture, conversation: candor::domain::ConversationId, score: i64) {
    let mut event = NewEvent::new(EventKind::Rating, Author::Customer, AT);
    event.client_id = Some(Clock::System.id());
    let rated = fixture.store.rate(conversation, "csat", score, Some("fine".to_owned()), event.clone()).await.unwrap();
    assert!(!rated.repeated);
    assert!(fixture.store.rate(conversation, "csat", score, None, event).await.unwrap().repeated);
}

async fn conversations_are_counted_by_day_and_reason(fixture: &Fixture) {
    let store = &fixture.store;
    for (number, day) in [0_i64, 0, 1, 5].into_iter().enumerate() {
        let id = open(store, vec![u8::try_from(number).unwrap() + 2; 32], Timestamp(day * DAY_MS), false).await;
        let seq = say(store, id, "hello").await;
        if number < 3 {
            let mut turn = handing_over(id, seq, Timestamp(AT.0 + 250), NewHandover::default());
            if number == 0 {
                turn.next = None;
            }
            store.record_turn(turn).await.unwrap();
        }
        rate(fixture, id, 4).await;
        rate(fixture, id, 5 - i64::try_from(number).unwrap()).await;
    }
    let figures = store.figures(Timestamp(0), Timestamp(2 * DAY_MS)).await.unwrap();
    assert_eq!((figures.conversations, figures.contained, figures.handed_over, figures.offered), (3, 1, 2, 0));
    assert_eq!(figures.open_now, 4);
    assert_eq!(figures.bot_response_ms, [250, 250, 250]);
    assert_eq!(figures.csat, [0, 0, 1, 1, 1], "the second answer counts");
    assert_eq!(figures.reasons, [ReasonCount { code: "asked".to_owned(), count: 2 }]);
    let day = |day, conversations, handed_over| DayCount { day, conversations, handed_over };
    assert_eq!(figures.by_day, [day(0, 2, 1), day(1, 1, 1)]);
    let nothing = store.figures(Timestamp(0), Timestamp(0)).await.unwrap();
    assert_eq!((nothing.conversations, nothing.csat, nothing.open_now), (0, [0; 5], 4));
}

async fn invitations_are_counted_by_arm(fixture: &Fixture) {
    let store = &fixture.store;
    let day = Timestamp(3 * DAY_MS);
    for (trigger, arm, times) in [("basket", Arm::Shown, 3), ("basket", Arm::HeldOut, 2), ("Zoo", Arm::Shown, 1)] {
        for _ in 0..times {
            store.count_invitation(trigger.to_owned(), arm, day).await.unwrap();
        }
    }
    let id = open(store, vec![2; 32], day, false).await;
    let seq = say(store, id, "hello").await;
    let invitation = Invitation { trigger: "basket".to_owned(), arm: Arm::Shown, accepted: true };
    store.note_invitation(id, invitation.clone()).await.unwrap();
    store.note_invitation(id, Invitation { accepted: false, ..invitation }).await.unwrap();
    store.record_turn(handing_over(id, seq, day, NewHandover::default())).await.unwrap();
    rate(fixture, id, 4).await;
    let counts = store.invitation_counts(day, Timestamp(4 * DAY_MS)).await.unwrap();
    let none = |trigger: &str, arm, visits| ArmCount {
        trigger_name: trigger.to_owned(),
        arm,
        visits,
        conversations: 0,
        accepted: 0,
        handed_over: 0,
        rated: 0,
        rating_sum: 0,
    };
    let shown = ArmCount {
        conversations: 1,
        accepted: 1,
        handed_over: 1,
        rated: 1,
        rating_sum: 4,
        ..none("basket", Arm::Shown, 3)
    };
    assert_eq!(counts, [none("Zoo", Arm::Shown, 1), none("basket", Arm::HeldOut, 2), shown]);
    assert!(store.invitation_counts(Timestamp(4 * DAY_MS), Timestamp(5 * DAY_MS)).await.unwrap().is_empty());
    let mut answer = NewEvent::new(EventKind::Message, Author::Customer, day);
    answer.text = Some("thanks".to_owned());
    store.append(id, Guard::Open, answer).await.unwrap();
}
