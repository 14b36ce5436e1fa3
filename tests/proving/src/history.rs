//! What every client did and saw, in the order in which it happened, and the log of the server at
//! the end. Knows neither sockets nor what is right.

use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::rc::Rc;
use uuid::Uuid;

/// Who wrote an entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// The customer.
    Customer,
    /// The bot.
    Bot,
    /// A person at a desk.
    Agent,
    /// Nobody.
    System,
}

/// What an entry of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A text.
    Message,
    /// Another owner.
    State,
    /// Only staff may read it.
    Hidden,
    /// Anything else.
    Other,
}

/// One entry of a log, as a reader has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place: 1, 2, 3.
    pub seq: u64,
    /// What it is.
    pub kind: Kind,
    /// Who wrote it.
    pub author: Author,
    /// Under which id a client sent it, where the reader may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// Digest of the text, or of the state.
    pub text: u64,
    /// Who has the conversation from here on, if this says that a person took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// A client has this name: for desks the one that customers see.
    Named {
        /// The name.
        name: String,
    },
    /// A message was put on the wire, for the first time or again.
    Send {
        /// To where.
        conversation: Uuid,
        /// Its id.
        id: Uuid,
        /// Digest of the text.
        text: u64,
    },
    /// The server says that a message is durable.
    Ack {
        /// Where.
        conversation: Uuid,
        /// Its id.
        id: Uuid,
        /// Its place.
        seq: u64,
    },
    /// The server did not take a message, this time or for good.
    Refused {
        /// Where.
        conversation: Uuid,
        /// Its id.
        id: Uuid,
        /// Why.
        code: String,
    },
    /// The server says that a claim was done.
    Owned {
        /// Of what.
        conversation: Uuid,
        /// The place of the entry that says so.
        seq: u64,
    },
    /// A client took an entry into its log.
    Seen {
        /// Of what.
        conversation: Uuid,
        /// The entry.
        entry: Entry,
    },
    /// A client was told to forget its log.
    Reset {
        /// Of what.
        conversation: Uuid,
    },
    /// A connection ended.
    Closed {
        /// Why.
        reason: String,
    },
    /// The texts of a conversation were erased, durably; nobody may see any of them again.
    Erased {
        /// Which.
        conversation: Uuid,
    },
    /// An entry of the server's log after all faults, read from the beginning.
    Final {
        /// Of what.
        conversation: Uuid,
        /// The entry.
        entry: Entry,
    },
    /// A reader had time enough to have the whole log.
    Settled {
        /// Of what.
        conversation: Uuid,
    },
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds of the monotonic clock.
    pub at: u64,
    /// Which client.
    pub client: u32,
    /// What happened.
    #[serde(flatten)]
    pub op: Op,
}

/// A history that is being written, shared by all clients of the one thread.
#[derive(Clone)]
pub struct Recorder {
    records: Rc<RefCell<Vec<Record>>>,
    now: fn() -> u64,
}

impl Recorder {
    /// Empty. `now` tells microseconds that never go back.
    pub fn new(now: fn() -> u64) -> Self {
        Self { records: Rc::default(), now }
    }

    /// Writes a line.
    pub fn record(&self, client: u32, op: Op) {
        self.records.borrow_mut().push(Record { at: (self.now)(), client, op });
    }

    /// The lines so far, which this gives away.
    pub fn take(&self) -> Vec<Record> {
        self.records.take()
    }

    /// A copy of the lines so far.
    pub fn copy(&self) -> Vec<Record> {
        self.records.borrow().clone()
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Recorder of {} lines", self.records.borrow().len())
    }
}

/// Writes a history as JSON lines.
///
/// # Errors
/// If the file cannot be written.
pub fn save(records: &[Record], file: &Path) -> io::Result<()> {
    let mut writer = BufWriter::new(std::fs::File::create(file)?);
    for record in records {
        serde_json::to_writer(&mut writer, record)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()
}

/// Reads a history that [`save`] wrote.
///
/// # Errors
/// If the file cannot be read, or has a line that is none.
pub fn load(file: &Path) -> io::Result<Vec<Record>> {
    let text = std::fs::read_to_string(file)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
