//! What a customer's client knows and decides. Knows neither sockets nor time.

use super::frame::Frame;
use super::{Probe, Talk, Task, Turn};
use crate::figures::Shared;
use crate::history::{Author, Op, Recorder};
use crate::load::{Allowance, Ticket};
use crate::random::{digest, mark_of};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;
use uuid::Uuid;

/// Pause after a message was refused as one too many, a little more than the server's refill.
const LIMITED: Duration = Duration::from_millis(1_600);
/// Pause after the server failed.
const FAILED: Duration = Duration::from_millis(300);

/// A message that waits for its ack.
#[derive(Debug)]
struct Pending {
    id: Uuid,
    frame: String,
    text: u64,
    mark: Option<u64>,
    /// Put on the wire of this connection.
    sent: bool,
    _ticket: Option<Ticket>,
}

/// One customer.
#[derive(Debug)]
pub struct Customer {
    number: u32,
    recorder: Recorder,
    probe: Option<Shared<Probe>>,
    token: Option<String>,
    conversation: Option<Uuid>,
    epoch: Option<String>,
    seq: u64,
    outbox: VecDeque<Pending>,
    /// What is left of the outbox from before the first welcome.
    live: bool,
    /// Takes the log from its beginning, for the last look at what the server has.
    reads_final: bool,
    acked: u64,
    refused: u64,
    resets: u64,
}

impl Customer {
    /// A new visitor; `number` tells it from the other clients of the history.
    pub fn new(number: u32, recorder: Recorder, probe: Option<Shared<Probe>>) -> Self {
        Self {
            number,
            recorder,
            probe,
            token: None,
            conversation: None,
            epoch: None,
            seq: 0,
            outbox: VecDeque::new(),
            live: false,
            reads_final: false,
            acked: 0,
            refused: 0,
            resets: 0,
        }
    }

    /// Another client of the same visitor, who has seen nothing yet.
    pub fn twin(&self, number: u32, recorder: Recorder) -> Self {
        let mut twin = Self::new(number, recorder, None);
        (twin.token, twin.conversation) = (self.token.clone(), self.conversation);
        twin
    }

    /// A reader of the same visitor's log for the last look: what it sees is the server's log.
    pub fn auditor(&self, recorder: Recorder) -> Self {
        let mut auditor = self.twin(u32::MAX, recorder);
        auditor.reads_final = true;
        auditor
    }

    /// Its conversation, once it has one.
    pub fn conversation(&self) -> Option<Uuid> {
        self.conversation
    }

    /// Whose it is in the history.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The last entry that it has.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Messages that wait for their ack.
    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// The log was sent up to its end on this connection.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Messages that were acked.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// Times that the server refused a message.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Times that it was told to forget its log.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    fn record(&self, op: Op) {
        self.recorder.record(self.number, op);
    }

    fn queue(&mut self, id: Uuid, frame: String, text: &str, ticket: Option<Ticket>) {
        let (text, mark) = (digest(text), mark_of(text));
        self.outbox.push_back(Pending { id, frame, text, mark, sent: false, _ticket: ticket });
    }

    fn welcome(&mut self, frame: Frame<'_>) -> Result<()> {
        let conversation = frame.conversation.context("a welcome without a conversation")?;
        if let Some(before) = self.conversation.filter(|before| *before != conversation) {
            self.record(Op::Closed { reason: format!("{before} is not known any more") });
            self.seq = 0;
        }
        self.conversation = Some(conversation);
        self.epoch = frame.epoch;
        if frame.token.is_some() {
            self.token = frame.token;
        }
        Ok(())
    }

    fn ack(&mut self, id: Uuid, seq: Option<u64>) {
        let conversation = self.conversation.unwrap_or_default();
        let Some(index) = self.outbox.iter().position(|pending| pending.id == id) else { return };
        let Some(pending) = self.outbox.remove(index) else { return };
        self.acked += 1;
        // An operation without a text, like the button, is no message of the history.
        if pending.text != digest("") {
            self.record(Op::Ack { conversation, id, seq: seq.unwrap_or(0) });
        }
        if let (Some(probe), Some(mark)) = (&self.probe, pending.mark) {
            probe.borrow_mut().acked(mark);
        }
    }

    fn refuse(&mut self, id: Option<Uuid>, code: &str) -> Turn {
        self.refused += 1;
        let conversation = self.conversation.unwrap_or_default();
        // `busy` may have no id: nothing of what is under way can be told from what was taken.
        let under_way = self.outbox.iter().filter(|pending| pending.sent && id.is_none_or(|id| id == pending.id));
        for id in under_way.map(|pending| pending.id).collect::<Vec<_>>() {
            self.record(Op::Refused { conversation, id, code: code.to_owned() });
        }
        match code {
            "rate_limited" => Turn::Pause(LIMITED),
            "internal" | "busy" => Turn::Pause(FAILED),
            _ => {
                self.outbox.retain(|pending| Some(pending.id) != id);
                Turn::Go
            }
        }
    }

    fn see(&mut self, frame: Frame<'_>) -> Result<Turn> {
        let (entry, mark) = frame.entry()?;
        if entry.seq <= self.seq {
            return Ok(Turn::Go);
        }
        if entry.seq > self.seq + 1 {
            return Ok(Turn::Behind);
        }
        self.seq = entry.seq;
        if let (Some(probe), Some(mark), Author::Agent) = (&self.probe, mark, entry.author) {
            probe.borrow_mut().arrived(mark, false);
        }
        let conversation = self.conversation.context("an event before the welcome")?;
        self.record(if self.reads_final {
            Op::Final { conversation, entry }
        } else {
            Op::Seen { conversation, entry }
        });
        Ok(Turn::Whole)
    }
}

impl Talk for Customer {
    fn greet(&mut self) -> String {
        self.live = false;
        let mut hello = json!({ "type": "hello", "site": "default" });
        if let Some(token) = &self.token {
            hello["token"] = json!(token);
            hello["conversation"] = json!(self.conversation);
            hello["after"] = json!(self.seq);
            hello["epoch"] = json!(self.epoch);
        }
        hello.to_string()
    }

    fn receive(&mut self, text: &str) -> Result<Turn> {
        let frame = Frame::read(text)?;
        match (frame.what.as_ref(), frame.id, frame.seq) {
            ("welcome", ..) => self.welcome(frame)?,
            ("reset", ..) => {
                self.resets += 1;
                self.seq = 0;
                if let Some(conversation) = self.conversation {
                    self.record(Op::Reset { conversation });
                }
            }
            ("resumed", _, seq) => {
                if seq.is_some_and(|seq| seq > self.seq) {
                    return Ok(Turn::Behind);
                }
                self.live = true;
            }
            ("event", ..) => return self.see(frame),
            ("ack", Some(id), seq) => self.ack(id, seq),
            ("pong", _, Some(seq)) if seq > self.seq => return Ok(Turn::Behind),
            ("busy", id, _) => {
                let pause = Duration::from_millis(frame.retry_after_ms.unwrap_or(1_000));
                self.refuse(id, "busy");
                return Ok(Turn::Pause(pause));
            }
            ("error", id, _) => {
                let code = frame.code.context("an error without a code")?;
                return Ok(self.refuse(id, &code));
            }
            _ => {}
        }
        Ok(Turn::Go)
    }

    fn next_frame(&mut self) -> Option<String> {
        let conversation = self.conversation?;
        let pending = self.outbox.iter_mut().find(|pending| !pending.sent)?;
        pending.sent = true;
        let (id, text, frame) = (pending.id, pending.text, pending.frame.clone());
        if text != digest("") {
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
            Task::Say { id, text, ticket, .. } => {
                let frame = json!({ "type": "say", "id": id, "text": text }).to_string();
                self.queue(id, frame, &text, ticket);
            }
            Task::Human(id) => {
                let frame = json!({ "type": "human", "id": id }).to_string();
                self.queue(id, frame, "", None);
            }
            Task::Follow(_) | Task::Claim { .. } | Task::Cut | Task::Sleep | Task::Wake => {}
        }
    }

    fn is_idle(&self) -> bool {
        self.live && self.outbox.is_empty()
    }

    fn allowance(&self) -> Allowance {
        Allowance::customer()
    }
}
