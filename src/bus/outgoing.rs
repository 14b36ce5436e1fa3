//! What waits to be told to other nodes: bounded, and each thing once.

use super::wire::{Entry, News};
use crate::telemetry;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Different news that may wait. What comes after them is dropped, and the others are told that something was.
const MOST: usize = 10_000;

/// The way to the relay. Whoever publishes never waits.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    waiting: Mutex<Waiting>,
    /// There is something to take.
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    present: HashSet<Entry>,
    /// Something was lost that the others are not told of yet.
    lost: bool,
    closed: bool,
}

impl Outgoing {
    /// Adds news. The same news that still wait are not added again: whoever hears of them looks at what is there by then.
    pub(super) fn offer(&self, news: &News) {
        let Some(entry) = news.entry() else { return };
        let mut waiting = self.waiting();
        if waiting.present.contains(&entry) {
            return;
        }
        if waiting.entries.len() >= MOST {
            waiting.lost = true;
            metrics::counter!(telemetry::SIGNALS_DROPPED).increment(1);
            return;
        }
        waiting.present.insert(entry.clone());
        waiting.entries.push(entry);
        drop(waiting);
        self.news.notify_one();
    }

    /// News that were taken could not be sent: the others are told so as soon as they can be reached.
    pub(super) fn lose(&self, count: usize) {
        metrics::counter!(telemetry::SIGNALS_DROPPED).increment(u64::try_from(count).unwrap_or(0));
        self.waiting().lost = true;
        self.news.notify_one();
    }

    /// All that waits, in order.
    pub(super) fn take(&self) -> Vec<Entry> {
        let mut waiting = self.waiting();
        waiting.present.clear();
        let lost = std::mem::take(&mut waiting.lost);
        let mut entries = std::mem::take(&mut waiting.entries);
        if lost && let Some(doubt) = News::Doubt.entry() {
            entries.push(doubt);
        }
        entries
    }

    /// What waits is still sent, and then the relay ends.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.news.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// Every operation leaves it whole, so a poisoned lock holds sound values.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Signal;
    use super::*;
    use crate::domain::{Author, ConversationId};
    use uuid::Uuid;

    fn changed(number: usize) -> News {
        News::Signal(Signal::Changed(ConversationId(Uuid::from_u128(number as u128))))
    }

    #[test]
    fn equal_news_wait_once_and_in_order() {
        let outgoing = Outgoing::default();
        let typing = |name: &str| {
            News::Signal(Signal::Typing(ConversationId(Uuid::nil()), Author::Agent, Some(name.to_owned())))
        };
        for news in [changed(1), changed(2), changed(1), typing("Dana"), typing("Sam"), changed(2)] {
            outgoing.offer(&news);
        }
        let expected: Vec<Entry> = [changed(1), changed(2), typing("")].iter().filter_map(News::entry).collect();
        assert_eq!(outgoing.take(), expected);
        outgoing.offer(&changed(1));
        assert_eq!(outgoing.take().len(), 1, "what was taken may come again");
        assert!(outgoing.take().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_made_known_as_a_doubt() {
        let outgoing = Outgoing::default();
        (0..MOST + 7).for_each(|number| outgoing.offer(&changed(number)));
        let taken = outgoing.take();
        assert_eq!(taken.len(), MOST + 1);
        assert_eq!(taken.last(), News::Doubt.entry().as_ref());
        outgoing.lose(3);
        assert_eq!(outgoing.take(), [News::Doubt.entry().unwrap()]);
        assert!(outgoing.take().is_empty(), "once");
    }
}
