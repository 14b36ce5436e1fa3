//! The demo's day of sample conversations, so that nobody looks at an empty desk. Customers'
//! lines are ours (`sample_day.toml`); the bot's answers and every reading come from the real
//! model and policy, through the same steps as a live turn. Each sample is marked and removable.

use super::{Result, turn};
use crate::app::App;
use crate::bus::Signal;
use crate::domain::{Agent, Author, ConversationId, EventKind, Role, State, Timestamp, Visibility};
use crate::store::{Change, Guard, NewAgent, NewEvent, Opening};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;

const DAY: &str = include_str!("sample_day.toml");
/// Of several nodes that start at once, the one that holds this lease writes the day; it takes it again before each
/// conversation.
const LEASE: &str = "sample_day";
const LEASE_FOR: Duration = Duration::from_secs(30);
/// How often the others look whether it is written, or its writer gone.
const LOOK: Duration = Duration::from_secs(5);
/// How long the bot seems to take; live it is shorter still.
const BOT_DELAY: Duration = Duration::from_millis(400);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    colleague: Vec<Colleague>,
    conversation: Vec<Script>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Colleague {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    hours_ago: f64,
    locale: String,
    page: String,
    ends: Ending,
    agent: Option<String>,
    csat: Option<i64>,
    comment: Option<String>,
    line: Vec<Line>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Ending {
    Closed,
    Open,
    Queued,
    Assigned,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    from: Speaker,
    after_s: u64,
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    Customer,
    Agent,
    Note,
    Button,
}

/// Writes the sample day, once in the life of a database: what a manager removed stays removed.
/// The server must be answering: the bot looks orders up in the demo shop. A day that a crash cut
/// short is begun again.
///
/// # Errors
/// Storage errors.
pub async fn fill(app: &App) -> Result<()> {
    let day: Day = match toml::from_str(DAY) {
        Ok(day) => day,
        Err(error) => {
            tracing::error!(%error, "the sample day cannot be read");
            return Ok(());
        }
    };
    while !app.store.is_sampled().await? {
        if holds_lease(app).await? && write(app, &day).await? {
            app.bus.publish(&Signal::Reset);
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn holds_lease(app: &App) -> Result<bool> {
    Ok(app.store.take_lease(LEASE, app.node, app.clock.now(), LEASE_FOR).await?.is_some())
}

/// False if the lease went to another node meanwhile, which begins again.
async fn write(app: &App, day: &Day) -> Result<bool> {
    // Whoever had the lease until now may have just ended.
    if app.store.is_sampled().await? {
        return Ok(true);
    }
    app.store.remove_samples().await?;
    let mut colleagues = HashMap::new();
    for Colleague { name } in &day.colleague {
        let email = format!("{}@sample.invalid", name.to_lowercase());
        // No password hash: nobody can sign in as a sample colleague.
        let new = NewAgent { email, name: name.clone(), role: Role::Agent, password_hash: String::new(), demo: true };
        colleagues.insert(name.as_str(), app.store.create_agent(new, app.clock.now()).await?);
    }
    for script in &day.conversation {
        if !holds_lease(app).await? {
            return Ok(false);
        }
        let agent = script.agent.as_deref().and_then(|name| colleagues.get(name));
        Stage::open(app, script).await?.play(script, agent).await?;
    }
    app.store.mark_sampled().await?;
    Ok(true)
}

/// One sample conversation while it is written.
struct Stage<'a> {
    app: &'a App,
    id: ConversationId,
    now: Timestamp,
}

impl<'a> Stage<'a> {
    async fn open(app: &'a App, script: &Script) -> Result<Self> {
        let now = app.clock.now().before(Duration::from_secs_f64(script.hours_ago.clamp(0.0, 48.0) * 3_600.0));
        // A token that nobody holds.
        let visitor = app.store.create_visitor(crate::token::hash(&crate::token::mint()?), now).await?;
        let opening = Opening {
            visitor,
            locale: Some(script.locale.clone()),
            page: Some(script.page.clone()),
            disclosure: app.prompts().business().disclosure.version.clone(),
            demo: true,
            at: now,
        };
        let id = app.store.open_conversation(opening).await?;
        Ok(Self { app, id, now })
    }

    async fn play(mut self, script: &Script, agent: Option<&Agent>) -> Result<()> {
        for line in &script.line {
            self.now = self.now.after(Duration::from_secs(line.after_s));
            match (line.from, agent) {
                (Speaker::Customer | Speaker::Button, _) => self.hear_customer(line).await?,
                (Speaker::Agent, Some(agent)) => {
                    self.claim(agent).await?;
                    self.write(EventKind::Message, Visibility::All, agent, line).await?;
                }
                (Speaker::Note, Some(agent)) => {
                    self.write(EventKind::Note, Visibility::Staff, agent, line).await?;
                }
                (Speaker::Agent | Speaker::Note, None) => {}
            }
        }
        match (script.ends, agent) {
            (Ending::Assigned, Some(agent)) => self.claim(agent).await,
            (Ending::Closed, Some(agent)) => {
                self.claim(agent).await?;
                self.now = self.now.after(Duration::from_secs(40));
                let text = self.app.prompts().handoff().closed(&agent.name);
                let change = Change::Close { agent: agent.id, survey: None };
                self.app.store.change_owner(self.id, change, Some(text), self.now).await?;
                self.rate(script).await
            }
            _ => Ok(()),
        }
    }

    async fn hear_customer(&mut self, line: &Line) -> Result<()> {
        let kind = if line.from == Speaker::Button { EventKind::HumanRequest } else { EventKind::Message };
        let mut event = NewEvent::new(kind, Author::Customer, self.now);
        event.text.clone_from(&line.text);
        let appended = self.app.store.append(self.id, Guard::Open, event).await?;
        let (conversation, memory, customer) = turn::load(self.app, self.id).await?;
        let Some(event) = self.app.store.event(self.id, appended.seq).await? else { return Ok(()) };
        let judging = turn::Judging::wait(self.app).await?;
        let bot = self.app.bot();
        let mut write =
            turn::decide(self.app, &bot, &conversation, (&memory, &customer), &event, true, judging).await?;
        self.now = self.now.after(BOT_DELAY);
        write.record.at = self.now;
        self.app.store.record_turn(write).await?;
        Ok(())
    }

    /// The colleague takes it, from the queue or from the bot, if they do not have it yet.
    async fn claim(&mut self, agent: &Agent) -> Result<()> {
        let state = self.app.store.conversation(self.id).await?.map(|conversation| conversation.state);
        if state == Some(State::Assigned) {
            return Ok(());
        }
        let text = self.app.prompts().handoff().claimed(&agent.name);
        let change = Change::Claim { agent: agent.id, name: agent.name.clone(), from: None };
        self.app.store.change_owner(self.id, change, Some(text), self.now).await?;
        self.now = self.now.after(Duration::from_secs(5));
        Ok(())
    }

    async fn write(&self, kind: EventKind, visibility: Visibility, agent: &Agent, line: &Line) -> Result<()> {
        let mut event = NewEvent::new(kind, Author::Agent, self.now);
        event.visibility = visibility;
        event.author_id = Some(agent.id.0);
        event.author_name = Some(agent.name.clone());
        event.text.clone_from(&line.text);
        self.app.store.append(self.id, Guard::Exists, event).await?;
        Ok(())
    }

    async fn rate(&self, script: &Script) -> Result<()> {
        let Some(score) = script.csat else { return Ok(()) };
        let mut event = NewEvent::new(EventKind::Rating, Author::Customer, self.now.after(Duration::from_secs(20)));
        event.text.clone_from(&script.comment);
        event.data = Some(json!({ "kind": "csat", "score": score }));
        self.app.store.rate(self.id, "csat", score, script.comment.clone(), event).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, Day, Ending, Speaker};

    #[test]
    fn the_day_can_be_read_and_played() {
        let day: Day = toml::from_str(DAY).unwrap();
        let names: Vec<_> = day.colleague.iter().map(|colleague| colleague.name.as_str()).collect();
        assert!(day.conversation.len() >= 20);
        for script in &day.conversation {
            assert!((0.0..24.0).contains(&script.hours_ago));
            let needs_agent = matches!(script.ends, Ending::Closed | Ending::Assigned)
                || script.line.iter().any(|line| matches!(line.from, Speaker::Agent | Speaker::Note));
            match &script.agent {
                Some(agent) => assert!(names.contains(&agent.as_str())),
                None => assert!(!needs_agent),
            }
            for line in &script.line {
                assert_eq!(line.text.is_none(), line.from == Speaker::Button);
            }
        }
    }
}
