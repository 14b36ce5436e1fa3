//! Whether a history is one that a sound server makes. Knows nothing of how the history came about.
//!
//! What must hold, for each conversation: its log is numbered 1, 2, 3; every message that was acked is
//! in it, once, at the place that the ack named, with the text that was sent; a message that was never
//! acked is in it once or not at all; nothing else is; what was acked before another was sent stands
//! before it, and one sender's messages keep their order; sending again gives the same place; nobody
//! sees anything but a beginning of that log without holes and repetitions, and sees all of it in the
//! end; one person at a time has the conversation; what was erased is seen by nobody.

use crate::history::{Author, Entry, Kind, Op, Record};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Acked or seen, and not in the log any more.
    Lost,
    /// Acked with a place beyond the log's end: the ack came before it was durable.
    AckedTooEarly,
    /// In the log, or in a reader's log, more than once.
    Doubled,
    /// In another order than it was sent.
    Reordered,
    /// A number is missing in the log or in a reader's log.
    Gap,
    /// Nobody sent it there.
    Invented,
    /// Another text than was sent.
    Changed,
    /// Another place than the ack named, or two acks named two.
    Moved,
    /// A claim was confirmed to two people, or not logged.
    TwoOwners,
    /// A reader's log is not the server's, or ends before it.
    Diverged,
    /// Seen after it was erased.
    Reappeared,
}

/// One thing that was broken, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What.
    pub fault: Fault,
    /// Where, for a person.
    pub detail: String,
}

/// What the checker found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Conversations.
    pub conversations: u64,
    /// Messages that were sent, each counted once.
    pub sent: u64,
    /// Messages that were acked, each counted once.
    pub acked: u64,
    /// Times that a message was put on the wire again.
    pub repeated: u64,
    /// Entries that readers took into their logs.
    pub seen: u64,
    /// Entries of the server's logs.
    pub entries: u64,
    /// Everything that was broken.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Nothing was broken.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds another history's verdict.
    pub fn add(&mut self, other: Self) {
        self.conversations += other.conversations;
        self.sent += other.sent;
        self.acked += other.acked;
        self.repeated += other.repeated;
        self.seen += other.seen;
        self.entries += other.entries;
        self.violations.extend(other.violations);
    }

    /// How often each fault was found.
    pub fn by_fault(&self) -> BTreeMap<Fault, u64> {
        let mut counts = BTreeMap::new();
        for violation in &self.violations {
            *counts.entry(violation.fault).or_default() += 1;
        }
        counts
    }
}

/// Checks a whole history.
pub fn check(history: &[Record]) -> Verdict {
    let mut checker = Checker::default();
    checker.read_logs(history);
    for record in history {
        checker.follow(record);
    }
    checker.verdict.conversations = crate::figures::count(checker.logs.len());
    checker.verdict.entries = checker.logs.values().map(|log| crate::figures::count(log.len())).sum();
    checker.check_logs();
    checker.check_acks();
    checker.check_owners();
    checker.verdict
}

/// A message that was sent.
struct Sent {
    client: u32,
    conversation: Uuid,
    text: u64,
    /// Its number among the client's messages to this conversation.
    number: u64,
    /// The highest place that was acked in the conversation before it was sent.
    floor: u64,
    /// The server had refused it at least once, so that later ones may have overtaken it.
    refused: bool,
    acked: Option<u64>,
    /// The log was being read already when it was acked, so it may lie beyond what was read.
    late: bool,
}

#[derive(Default)]
struct Checker {
    verdict: Verdict,
    /// The server's logs, without repetitions.
    logs: HashMap<Uuid, Vec<Entry>>,
    /// Conversations whose log was not yet being read where `follow` is: what was seen there is older.
    unread: HashSet<Uuid>,
    sent: HashMap<Uuid, Sent>,
    numbers: HashMap<(u32, Uuid), u64>,
    acked_up_to: HashMap<Uuid, u64>,
    readers: HashMap<(u32, Uuid), u64>,
    owners: Vec<(Uuid, u64, u32)>,
    names: HashMap<u32, String>,
    erased: HashSet<Uuid>,
}

impl Checker {
    fn fault(&mut self, fault: Fault, detail: String) {
        self.verdict.violations.push(Violation { fault, detail });
    }

    fn read_logs(&mut self, history: &[Record]) {
        for record in history {
            match &record.op {
                Op::Final { conversation, entry } => {
                    let log = self.logs.entry(*conversation).or_default();
                    let next = log.last().map_or(1, |last| last.seq + 1);
                    let seq = entry.seq;
                    if seq < next {
                        self.fault(Fault::Doubled, format!("{conversation} has number {seq} again after {}", next - 1));
                        continue;
                    }
                    log.push(entry.clone());
                    if seq > next {
                        self.fault(Fault::Gap, format!("{conversation} goes from {} to {seq}", next - 1));
                    }
                }
                // A conversation that was used has a log, be it an empty one.
                Op::Send { conversation, .. } => drop(self.logs.entry(*conversation).or_default()),
                _ => {}
            }
        }
        self.unread = self.logs.keys().copied().collect();
    }

    fn entry(&self, conversation: Uuid, seq: u64) -> Option<&Entry> {
        let log = self.logs.get(&conversation)?;
        log.binary_search_by_key(&seq, |entry| entry.seq).ok().and_then(|index| log.get(index))
    }

    fn end(&self, conversation: Uuid) -> u64 {
        self.logs.get(&conversation).and_then(|log| log.last()).map_or(0, |entry| entry.seq)
    }

    fn follow(&mut self, record: &Record) {
        let client = record.client;
        match &record.op {
            Op::Named { name } => {
                self.names.insert(client, name.clone());
            }
            Op::Send { conversation, id, text } => self.follow_send(client, *conversation, *id, *text),
            Op::Ack { conversation, id, seq } => self.follow_ack(client, *conversation, *id, *seq),
            Op::Refused { id, .. } => {
                if let Some(sent) = self.sent.get_mut(id) {
                    sent.refused = true;
                }
            }
            Op::Owned { conversation, seq } => self.owners.push((*conversation, *seq, client)),
            Op::Seen { conversation, entry } => self.follow_seen(client, *conversation, entry),
            Op::Reset { conversation } => {
                self.readers.insert((client, *conversation), 0);
            }
            Op::Closed { .. } => {}
            Op::Erased { conversation } => {
                self.erased.insert(*conversation);
            }
            Op::Final { conversation, entry } => {
                self.unread.remove(conversation);
                if self.erased.contains(conversation) && entry.kind == Kind::Message && entry.text != 0 {
                    self.fault(Fault::Reappeared, format!("{conversation} number {} is in the log", entry.seq));
                }
            }
            Op::Settled { conversation } => {
                let has = self.readers.get(&(client, *conversation)).copied().unwrap_or(0);
                let end = self.end(*conversation);
                if has < end {
                    let detail = format!("client {client} ends at {has} of {end} in {conversation}");
                    self.fault(Fault::Diverged, detail);
                }
            }
        }
    }

    fn follow_send(&mut self, client: u32, conversation: Uuid, id: Uuid, text: u64) {
        if self.sent.contains_key(&id) {
            self.verdict.repeated += 1;
            return;
        }
        self.verdict.sent += 1;
        let number = self.numbers.entry((client, conversation)).or_default();
        *number += 1;
        let floor = self.acked_up_to.get(&conversation).copied().unwrap_or(0);
        let sent =
            Sent { client, conversation, text, number: *number, floor, refused: false, acked: None, late: false };
        self.sent.insert(id, sent);
    }

    fn follow_ack(&mut self, client: u32, conversation: Uuid, id: Uuid, seq: u64) {
        let Some(sent) = self.sent.get_mut(&id) else {
            let detail = format!("client {client} got an ack for {id}, which nobody sent");
            return self.fault(Fault::Invented, detail);
        };
        match sent.acked {
            None => {
                sent.acked = Some(seq);
                sent.late = !self.unread.contains(&conversation);
                self.verdict.acked += 1;
                let up_to = self.acked_up_to.entry(conversation).or_default();
                *up_to = (*up_to).max(seq);
            }
            Some(before) if before != seq => {
                self.fault(Fault::Moved, format!("{id} was acked as {before} and as {seq} of {conversation}"));
            }
            Some(_) => {}
        }
    }

    fn follow_seen(&mut self, client: u32, conversation: Uuid, entry: &Entry) {
        self.verdict.seen += 1;
        let seq = entry.seq;
        let place = format!("client {client} saw {seq} of {conversation}");
        if self.erased.contains(&conversation) && entry.kind == Kind::Message && entry.text != 0 {
            self.fault(Fault::Reappeared, place.clone());
        }
        let last = self.readers.insert((client, conversation), seq).unwrap_or(0);
        if seq <= last {
            self.readers.insert((client, conversation), last);
            self.fault(Fault::Doubled, format!("{place} again after {last}"));
        } else if seq > last + 1 {
            self.fault(Fault::Gap, format!("{place} after {last}"));
        }
        match self.entry(conversation, seq) {
            Some(logged) if is_same(logged, entry) => {}
            Some(_) => self.fault(Fault::Diverged, format!("{place}, and it is something else in the log")),
            None if seq <= self.end(conversation) => {}
            // The log was read after this was seen, so it should have been in it.
            None if self.unread.contains(&conversation) => self.fault(Fault::Lost, format!("{place}: not in the log")),
            None => {}
        }
    }

    /// The server's logs against what was sent.
    fn check_logs(&mut self) {
        let mut found: HashMap<Uuid, (Uuid, u64)> = HashMap::new();
        let mut faults = Vec::new();
        let mut orders: HashMap<(u32, Uuid), (u64, u64)> = HashMap::new();
        for (conversation, log) in &self.logs {
            for entry in log {
                let place = format!("{conversation} number {}", entry.seq);
                let by_client = matches!(entry.author, Author::Customer | Author::Agent);
                if entry.kind != Kind::Message || !by_client {
                    continue;
                }
                let Some((id, sent)) = entry.id.and_then(|id| Some((id, self.sent.get(&id)?))) else {
                    // Beside their own messages, people say greetings that the server writes for them.
                    if entry.author == Author::Customer || entry.id.is_some() {
                        faults.push((Fault::Invented, format!("{place} was sent by nobody")));
                    }
                    continue;
                };
                if sent.conversation != *conversation {
                    faults.push((Fault::Invented, format!("{place} was sent to {}", sent.conversation)));
                    continue;
                }
                if sent.text != entry.text {
                    faults.push((Fault::Changed, format!("{place} has another text")));
                }
                if let Some((_, first)) = found.insert(id, (*conversation, entry.seq)) {
                    faults.push((Fault::Doubled, format!("{place} is number {first} again")));
                    continue;
                }
                if entry.seq <= sent.floor {
                    let detail = format!("{place} was sent when {} was acked already", sent.floor);
                    faults.push((Fault::Reordered, detail));
                }
                if sent.refused {
                    continue;
                }
                let (number, seq) = orders.entry((sent.client, *conversation)).or_default();
                if sent.number < *number {
                    faults.push((Fault::Reordered, format!("{place} was sent before number {seq}")));
                }
                (*number, *seq) = (sent.number, entry.seq);
            }
        }
        faults.into_iter().for_each(|(fault, detail)| self.fault(fault, detail));
    }

    /// Every ack against the server's logs.
    fn check_acks(&mut self) {
        let mut faults = Vec::new();
        for (id, sent) in &self.sent {
            let Some(seq) = sent.acked else { continue };
            let conversation = sent.conversation;
            match self.entry(conversation, seq) {
                Some(entry) if entry.id == Some(*id) => continue,
                None if sent.late && seq > self.end(conversation) => continue,
                None if seq > self.end(conversation) => {
                    faults.push((Fault::AckedTooEarly, format!("{id}: {conversation} ends before {seq}")));
                    continue;
                }
                _ => {}
            }
            let elsewhere = self.logs.get(&conversation).and_then(|log| log.iter().find(|entry| entry.id == Some(*id)));
            faults.push(match elsewhere {
                Some(entry) => {
                    (Fault::Moved, format!("{id} was acked as {seq} of {conversation} and is {}", entry.seq))
                }
                None => (Fault::Lost, format!("{id} was acked as {seq} of {conversation}")),
            });
        }
        faults.into_iter().for_each(|(fault, detail)| self.fault(fault, detail));
    }

    /// Every confirmed claim against the log, and the log against itself.
    fn check_owners(&mut self) {
        let mut faults = Vec::new();
        let mut claims: HashMap<(Uuid, u64), u32> = HashMap::new();
        for (conversation, seq, client) in &self.owners {
            let place = format!("client {client} was told that it has {conversation} by number {seq}");
            if claims.insert((*conversation, *seq), *client).is_some_and(|other| other != *client) {
                faults.push(format!("{place}, and so was another"));
            }
            let owner = self.entry(*conversation, *seq).and_then(|entry| entry.owner.as_ref());
            let name = self.names.get(client);
            if owner.is_none() || (name.is_some() && owner != name) {
                faults.push(format!("{place}, and the log says {owner:?}"));
            }
        }
        for (conversation, log) in &self.logs {
            let mut owner: Option<&String> = None;
            for entry in log.iter().filter(|entry| entry.kind == Kind::State) {
                if let (Some(before), Some(now)) = (owner, &entry.owner)
                    && before != now
                {
                    faults.push(format!("{conversation} goes from {before} to {now} at {}", entry.seq));
                }
                owner = entry.owner.as_ref();
            }
        }
        faults.into_iter().for_each(|detail| self.fault(Fault::TwoOwners, detail));
    }
}

/// A reader's entry is the log's. Readers that may not read a text know only its number.
fn is_same(logged: &Entry, seen: &Entry) -> bool {
    if logged.kind == Kind::Hidden || seen.kind == Kind::Hidden {
        return true;
    }
    let ids = !matches!((logged.id, seen.id), (Some(logged), Some(seen)) if logged != seen);
    ids && (logged.kind, logged.author, logged.text) == (seen.kind, seen.author, seen.text)
}
