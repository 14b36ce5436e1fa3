//! What a desk's client knows and decides: it follows conversations, takes some over and answers in
//! them. Knows neither sockets nor time.

use super::frame::Frame;
use super::{Probe, Talk, Task, Turn};
use crate::figures::Shared;
use crate::history::{Author, Op, Recorder};
use crate::load::{Allowance, Ticket};
use crate::random::{Random, digest, mark_of};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;
use uuid::Uuid;

/// Pause after an operation was refused for now.
const LIMITED: Duration = Duration::from_millis(500);

/// An operation that waits for its answer.
#[derive(Debug)]
struct Pending {
    id: Uuid,
    conversation: Uuid,
    what: What,
    frame: String,
    sent: bool,
    _ticket: Option<Ticket>,
}

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Say { text: u64, mark: Option<u64> },
    Claim,
    Open,
}

/// A person at a desk.
#[derive(Debug)]
pub struct Desk {
    number: u32,
    recorder: Recorder,
    probe: Option<Shared<Probe>>,
    /// Ids of `open`, which the history does not need.
    random: Random,
    /// The last entry of each conversation that it follows.
    seqs: BTreeMap<Uuid, u64>,
    outbox: VecDeque<Pending>,
    /// Conversations that are its own, or not, by what a claim said.
    owned: HashSet<Uuid>,
    forbidden: HashSet<Uuid>,
    live: bool,
}

impl Desk {
    /// A desk of the person `name`; `number` tells it from the other clients of the history.
    pub fn new(number: u32, name: &str, recorder: Recorder, probe: Option<Shared<Probe>>, random: Random) -> Self {
        recorder.record(number, Op::Named { name: name.to_owned() });
        Self {
            number,
            recorder,
            probe,
            random,
            seqs: BTreeMap::new(),
            outbox: VecDeque::new(),
            owned: HashSet::new(),
            forbidden: HashSet::new(),
            live: false,
        }
    }

    /// Whose it is in the history.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The last entry that it has of a conversation.
    pub fn seq(&self, conversation: Uuid) -> u64 {
        self.seqs.get(&conversation).copied().unwrap_or(0)
    }

    /// Conversations that it follows.
    pub fn following(&self) -> Vec<Uuid> {
        self.seqs.keys().copied().collect()
    }

    /// Conversations that a claim made its own.
    pub fn owned(&self) -> &HashSet<Uuid> {
        &self.owned
    }

    /// Claims that were answered.
    pub fn claims(&self) -> usize {
        self.owned.len() + self.forbidden.len()
    }

    /// The desk is connected and was told what there is.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Operations that wait for their answer.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    fn record(&self, op: Op) {
        self.recorder.record(self.number, op);
    }

    fn push(&mut self, id: Uuid, conversation: Uuid, what: What, frame: String, ticket: Option<Ticket>) {
        self.outbox.push_back(Pending { id, conversation, what, frame, sent: false, _ticket: ticket });
    }

    fn open(&mut self, conversation: Uuid) {
        let id = self.random.id();
        let after = self.seq(conversation);
        let frame = json!({ "type": "open", "id": id, "conversation": conversation, "after": after }).to_string();
        // In front: what is said is only seen by who follows.
        let pending = Pending { id, conversation, what: What::Open, frame, sent: false, _ticket: None };
        self.outbox.push_front(pending);
    }

    fn answer(&mut self, id: Uuid) -> Option<Pending> {
        let index = self.outbox.iter().position(|pending| pending.id == id)?;
        self.outbox.remove(index)
    }

    fn ack(&mut self, id: Uuid, seq: Option<u64>) {
        let Some(pending) = self.answer(id) else { return };
        let (conversation, seq) = (pending.conversation, seq.unwrap_or(0));
        match pending.what {
            What::Say { mark, .. } => {
                self.record(Op::Ack { conversation, id, seq });
                if let (Some(probe), Some(mark)) = (&self.probe, mark) {
                    probe.borrow_mut().acked(mark);
                }
            }
            What::Claim => {
                self.owned.insert(conversation);
                self.record(Op::Owned { conversation, seq });
            }
            What::Open => {}
        }
    }

    fn refuse(&mut self, id: Option<Uuid>, code: &str) -> Turn {
        let under_way = self.outbox.iter().filter(|pending| pending.sent && id.is_none_or(|id| id == pending.id));
        for (conversation, id) in under_way.map(|pending| (pending.conversation, pending.id)).collect::<Vec<_>>() {
            self.record(Op::Refused { conversation, id, code: code.to_owned() });
        }
        if matches!(code, "rate_limited" | "internal" | "busy") {
            return Turn::Pause(LIMITED);
        }
        if let Some(pending) = id.and_then(|id| self.answer(id))
            && pending.what == What::Claim
            && !self.owned.contains(&pending.conversation)
        {
            self.forbidden.insert(pending.conversation);
        }
        Turn::Go
    }

    fn see(&mut self, frame: Frame<'_>) -> Result<Turn> {
        let conversation = frame.conversation.context("an event without a conversation")?;
        let (entry, mark) = frame.entry()?;
        let Some(seq) = self.seqs.get_mut(&conversation) else { return Ok(Turn::Go) };
        if entry.seq <= *seq {
            return Ok(Turn::Go);
        }
        if entry.seq > *seq + 1 {
            return Ok(Turn::Behind);
        }
        *seq = entry.seq;
        if let (Some(probe), Some(mark), Author::Customer) = (&self.probe, mark, entry.author) {
            probe.borrow_mut().arrived(mark, true);
        }
        self.record(Op::Seen { conversation, entry });
        Ok(Turn::Whole)
    }
}

impl Talk for Desk {
    fn greet(&mut self) -> String {
        self.live = false;
        "{\"type\":\"hello\"}".to_owned()
    }

    fn receive(&mut self, text: &str) -> Result<Turn> {
        // Most of what a desk hears are cards, readings and summaries: none is part of a log.
        let told = ["\"type\":\"card\"", "\"type\":\"turn\"", "\"type\":\"summary\"", "\"type\":\"agents\""];
        if told.iter().any(|what| text.contains(what)) && !text.contains("\"type\":\"event\"") {
            return Ok(Turn::Go);
        }
        if text.contains("\"type\":\"snapshot\"") {
            if !self.live {
                self.live = true;
                self.outbox.retain(|pending| pending.what != What::Open);
                for conversation in self.following() {
                    self.open(conversation);
                }
            }
            return Ok(Turn::Go);
        }
        let frame = Frame::read(text)?;
        match (frame.what.as_ref(), frame.id, frame.seq) {
            ("event", ..) => return self.see(frame),
            ("ack", Some(id), seq) => self.ack(id, seq),
            ("opened", ..) => {
                let (conversation, seq) = (frame.conversation.unwrap_or_default(), frame.seq.unwrap_or(0));
                if self.seqs.contains_key(&conversation) && self.seq(conversation) < seq {
                    return Ok(Turn::Behind);
                }
            }
            ("busy", id, _) => return Ok(self.refuse(id, "busy")),
            ("error", id, _) => {
                let code = frame.code.context("an error without a code")?;
                return Ok(self.refuse(id, &code));
            }
            _ => {}
        }
        Ok(Turn::Go)
    }

    fn next_frame(&mut self) -> Option<String> {
        let pending = self.outbox.iter_mut().find(|pending| !pending.sent)?;
        pending.sent = true;
        let (id, conversation, frame) = (pending.id, pending.conversation, pending.frame.clone());
        if let What::Say { text, .. } = pending.what {
            self.record(Op::Send { conversation, id, text });
        }
        Some(frame)
    }

    fn has_frame(&self) -> bool {
        self.live && self.outbox.iter().any(|pending| !pending.sent)
    }

    fn retry(&mut self) {
        self.outbox.iter_mut().for_each(|pending| pending.sent = false);
    }

    fn lose(&mut self, reason: &str) {
        self.live = false;
        self.retry();
        self.record(Op::Closed { reason: reason.to_owned() });
    }

    fn take(&mut self, task: Task) {
        match task {
            Task::Say { conversation, id, text, ticket } => {
                let frame = json!({ "type": "say", "id": id, "conversation": conversation, "text": text }).to_string();
                self.push(id, conversation, What::Say { text: digest(&text), mark: mark_of(&text) }, frame, ticket);
            }
            Task::Claim { conversation, id } => {
                let frame = json!({ "type": "claim", "id": id, "conversation": conversation }).to_string();
                self.push(id, conversation, What::Claim, frame, None);
            }
            Task::Follow(conversation) => {
                self.seqs.entry(conversation).or_insert(0);
                if self.live {
                    self.open(conversation);
                }
            }
            Task::Human(_) | Task::Cut | Task::Sleep | Task::Wake => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.live && self.outbox.is_empty()
    }

    fn allowance(&self) -> Allowance {
        Allowance::desk()
    }
}
