//! What nodes tell one another: ids and kinds, never a text. A message is
//! `{"v":1,"n":"<node>","s":[["changed","<conversation>"],…]}`.

use super::Signal;
use crate::domain::{AgentId, Author, ConversationId, NodeId};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Version of the form. A message of a later one is passed over.
const VERSION: u64 = 1;
/// Longest message in bytes: PostgreSQL refuses 8,000.
const LONGEST: usize = 7_900;

/// Something that a node tells the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A signal for their listeners.
    Signal(Signal),
    /// Somebody sat down or stood up, and it is written.
    Seats,
    /// The queue moved, and it is written.
    Queue,
    /// News were lost on the way out.
    Doubt,
}

/// One entry of a message.
pub(super) type Entry = Arc<str>;

impl News {
    /// For the wire; none if it means nothing to other nodes. A shown name does not travel: the receiving
    /// face knows the names of the bot and of the conversation's agent.
    pub(super) fn entry(&self) -> Option<Entry> {
        let value = match self {
            Self::Signal(Signal::Changed(id) | Signal::Appended(id, _)) => json!(["changed", id]),
            Self::Signal(Signal::Explained(id, seq)) => json!(["explained", id, seq]),
            Self::Signal(Signal::Typing(id, author, _)) => json!(["typing", id, author]),
            Self::Signal(Signal::Reset) => json!(["reset"]),
            Self::Signal(Signal::Rights(agent)) => json!(["rights", agent]),
            // Each node works these out for itself, from `Seats` and `Queue`, once they are written.
            Self::Signal(Signal::Presence | Signal::Queue(_) | Signal::Again) => return None,
            Self::Seats => json!(["seats"]),
            Self::Queue => json!(["queue"]),
            Self::Doubt => json!(["doubt"]),
        };
        Some(value.to_string().into())
    }

    /// None if it is not understood.
    fn read(entry: &Value) -> Option<Self> {
        let parts = entry.as_array()?;
        let kind = parts.first()?.as_str()?;
        let conversation = || parts.get(1)?.as_str()?.parse::<ConversationId>().ok();
        Some(match kind {
            "changed" => Self::Signal(Signal::Changed(conversation()?)),
            "explained" => Self::Signal(Signal::Explained(conversation()?, parts.get(2)?.as_i64()?)),
            "typing" => Self::Signal(Signal::Typing(conversation()?, Author::deserialize(parts.get(2)?).ok()?, None)),
            "reset" => Self::Signal(Signal::Reset),
            "rights" => Self::Signal(Signal::Rights(parts.get(1)?.as_str()?.parse::<AgentId>().ok()?)),
            "seats" => Self::Seats,
            "queue" => Self::Queue,
            "doubt" => Self::Doubt,
            _ => return None,
        })
    }
}

/// Entries in as few messages as they need; without entries one empty message, a sign of life.
pub(super) fn messages(node: NodeId, entries: &[Entry]) -> Vec<String> {
    let head = format!(r#"{{"v":{VERSION},"n":"{node}","s":["#);
    let mut all = Vec::new();
    let mut message = head.clone();
    for entry in entries {
        // Two for the comma before it and two for the end.
        if message.len() + entry.len() + 3 > LONGEST && message.len() > head.len() {
            all.push(message + "]}");
            message = head.clone();
        }
        if message.len() > head.len() {
            message.push(',');
        }
        message.push_str(entry);
    }
    all.push(message + "]}");
    all
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This node sent it.
    Own,
    /// Another node's news, and how many more were not understood.
    News(Vec<News>, u64),
    /// It has a later version's form.
    Later,
    /// It has no form at all.
    Malformed,
}

#[derive(Deserialize)]
struct Message {
    v: u64,
    #[serde(default)]
    n: Option<NodeId>,
    #[serde(default)]
    s: Vec<Value>,
}

/// Reads a message.
pub(super) fn read(message: &[u8], own: NodeId) -> Heard {
    let Ok(Message { v, n, s }) = serde_json::from_slice(message) else { return Heard::Malformed };
    if v > VERSION {
        return Heard::Later;
    }
    match n {
        None => Heard::Malformed,
        Some(node) if node == own => Heard::Own,
        Some(_) => {
            let news: Vec<News> = s.iter().filter_map(News::read).collect();
            let unknown = u64::try_from(s.len() - news.len()).unwrap_or(0);
            Heard::News(news, unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const A: NodeId = NodeId(Uuid::from_u128(0xa));
    const B: NodeId = NodeId(Uuid::from_u128(0xb));
    const CONVERSATION: ConversationId = ConversationId(Uuid::from_u128(7));

    fn all() -> Vec<News> {
        let typing = |author| News::Signal(Signal::Typing(CONVERSATION, author, None));
        vec![
            News::Signal(Signal::Changed(CONVERSATION)),
            News::Signal(Signal::Explained(CONVERSATION, 12)),
            typing(Author::Customer),
            typing(Author::Bot),
            typing(Author::Agent),
            News::Signal(Signal::Reset),
            News::Signal(Signal::Rights(AgentId(Uuid::from_u128(9)))),
            News::Seats,
            News::Queue,
            News::Doubt,
        ]
    }

    #[test]
    fn news_arrive_as_they_were_sent() {
        let entries: Vec<Entry> = all().iter().filter_map(News::entry).collect();
        let sent = messages(A, &entries);
        assert_eq!(sent.len(), 1);
        assert_eq!(read(sent[0].as_bytes(), B), Heard::News(all(), 0));
        assert_eq!(read(sent[0].as_bytes(), A), Heard::Own);
        let changed = News::Signal(Signal::Changed(CONVERSATION)).entry();
        assert_eq!(News::Signal(Signal::Appended(CONVERSATION, 3)).entry(), changed, "which event it is stays here");
    }

    #[test]
    fn no_text_travels() {
        let named = News::Signal(Signal::Typing(CONVERSATION, Author::Agent, Some("Dana <b>".to_owned())));
        assert_eq!(&*named.entry().unwrap(), r#"["typing","00000000-0000-0000-0000-000000000007","agent"]"#);
        for here in [Signal::Presence, Signal::Queue(CONVERSATION), Signal::Again] {
            assert_eq!(News::Signal(here).entry(), None);
        }
    }

    #[test]
    fn messages_stay_under_the_limit_and_lose_nothing() {
        let entries: Vec<Entry> = (0..1_000)
            .map(|n| News::Signal(Signal::Changed(ConversationId(Uuid::from_u128(n)))))
            .filter_map(|news| news.entry())
            .collect();
        let sent = messages(A, &entries);
        assert!(sent.len() > 4 && sent.iter().all(|message| message.len() < 8_000), "{}", sent.len());
        let heard: usize = sent
            .iter()
            .map(|message| match read(message.as_bytes(), B) {
                Heard::News(news, 0) => news.len(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(heard, 1_000);
        assert_eq!(messages(A, &[]), [r#"{"v":1,"n":"00000000-0000-0000-0000-00000000000a","s":[]}"#]);
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for bad in ["", "x", "[]", "{}", r#"{"v":1}"#, r#"{"v":1,"n":"x","s":[]}"#, r#"{"v":1,"n":5,"s":{}}"#, "\u{0}"]
        {
            assert_eq!(read(bad.as_bytes(), B), Heard::Malformed, "{bad}");
        }
        assert_eq!(read(&[0xff, 0xfe], B), Heard::Malformed);
        assert_eq!(read(br#"{"v":2,"n":{"new":1}}"#, B), Heard::Malformed);
        assert_eq!(read(br#"{"v":2,"signals":[]}"#, B), Heard::Later);
        let mixed = format!(
            r#"{{"v":1,"n":"{A}","s":[["moved","x"],["changed"],["changed","x"],7,[],["typing","{CONVERSATION}","ghost"],["changed","{CONVERSATION}"],["rights","{CONVERSATION}","more"]]}}"#
        );
        let known =
            vec![News::Signal(Signal::Changed(CONVERSATION)), News::Signal(Signal::Rights(AgentId(CONVERSATION.0)))];
        assert_eq!(read(mixed.as_bytes(), B), Heard::News(known, 6));
    }
}
