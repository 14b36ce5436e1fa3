//! Our own corpus: dialogues with every customer turn labelled, and short public posts.
//!
//! Which file is for what stands here, in one place: styles are kept apart, so that training,
//! tuning and test share no writer. Knows nothing about models.

use crate::measure::labels::{Level, parse_frustration, parse_sentiment};
use anyhow::{Context as _, Result, anyhow};
use serde::Deserialize;
use std::path::Path;

/// Files of dialogues that the weights are trained on.
pub(crate) const TRAINING: [&str; 20] = [
    "support-a.jsonl",
    "support-b.jsonl",
    "support-d.jsonl",
    "support-e.jsonl",
    "support-f.jsonl",
    "support-g.jsonl",
    "support-h.jsonl",
    "support-i.jsonl",
    "support-j.jsonl",
    "support-l.jsonl",
    "support-m.jsonl",
    "support-o.jsonl",
    "support-p.jsonl",
    "support-q.jsonl",
    "support-r.jsonl",
    "support-s.jsonl",
    "support-v.jsonl",
    "support-w.jsonl",
    "support-x.jsonl",
    "support-y.jsonl",
];
/// Files of dialogues on which calibration and thresholds are chosen, and training is stopped.
pub(crate) const TUNING: [&str; 9] = [
    "support-c.jsonl",
    "support-k.jsonl",
    "support-n.jsonl",
    "support-t.jsonl",
    "support-z.jsonl",
    "support-aa.jsonl",
    "support-ab.jsonl",
    "support-ac.jsonl",
    "support-ad.jsonl",
];
/// The file of dialogues for figures only.
pub(crate) const TEST: &str = "support-u.jsonl";
/// Files of posts that the layers are trained on.
pub(crate) const LAYER_POSTS: [&str; 6] =
    ["posts-a.jsonl", "posts-b.jsonl", "posts-c.jsonl", "posts-d.jsonl", "posts-e.jsonl", "posts-f.jsonl"];
/// Files of posts that the layers never see: what a head learns from layers that know its texts by
/// heart does not hold elsewhere.
pub(crate) const HEAD_POSTS: [&str; 4] = ["posts-k.jsonl", "posts-l.jsonl", "posts-p.jsonl", "posts-q.jsonl"];
/// Files of critics' sentences, for the same.
pub(crate) const CRITICS: [&str; 7] = [
    "posts-g.jsonl",
    "posts-h.jsonl",
    "posts-i.jsonl",
    "posts-j.jsonl",
    "posts-m.jsonl",
    "posts-n.jsonl",
    "posts-o.jsonl",
];
/// All files that weights are trained on.
pub(crate) fn training_files() -> impl Iterator<Item = &'static str> {
    TRAINING.into_iter().chain(LAYER_POSTS).chain(HEAD_POSTS).chain(CRITICS)
}

/// Who said a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Who {
    /// The customer; such a turn is labelled.
    Customer,
    /// The bot.
    Bot,
    /// A person at the desk.
    Agent,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    who: Who,
    text: String,
    #[serde(default)]
    sentiment: String,
    #[serde(default)]
    frustration: String,
    #[serde(default, rename = "target")]
    _target: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "domain")]
    _domain: String,
    #[serde(rename = "channel")]
    _channel: String,
    turns: Vec<Said>,
}

/// A labelled customer turn.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// What the customer wrote.
    pub(crate) text: String,
    /// Class of the sentiment.
    pub(crate) sentiment: usize,
    /// Frustration with the service.
    pub(crate) frustration: Level,
    /// Earlier customer turns of the dialogue, as indices into the list that this turn stands in.
    pub(crate) earlier: Vec<usize>,
    /// The two latest texts of the bot (or of an agent) before it, oldest first.
    pub(crate) heard: Vec<String>,
}

impl Turn {
    /// Training target of the frustration head: mild annoyance counts a little.
    pub(crate) fn target(&self) -> f32 {
        match self.frustration {
            Level::Clear | Level::Severe | Level::Yes => 1.0,
            Level::Mild => 0.3,
            Level::None | Level::No => 0.0,
        }
    }
}

/// The customer turns of one file of dialogues, in order.
pub(crate) fn turns(path: &Path) -> Result<Vec<Turn>> {
    let content = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut all: Vec<Turn> = Vec::new();
    for (at, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}:{}", path.display(), at + 1);
        let dialogue: Line = serde_json::from_str(line).with_context(place)?;
        let (mut earlier, mut heard): (Vec<usize>, Vec<String>) = (Vec::new(), Vec::new());
        for said in dialogue.turns {
            if said.who != Who::Customer {
                heard.push(said.text);
                continue;
            }
            let sentiment =
                parse_sentiment(&said.sentiment, None).map_err(|reason| anyhow!(reason)).with_context(place)?;
            let frustration =
                parse_frustration(&said.frustration).map_err(|reason| anyhow!(reason)).with_context(place)?;
            all.push(Turn {
                text: said.text,
                sentiment: sentiment.context("no sentiment").with_context(place)?,
                frustration: frustration.context("no frustration").with_context(place)?,
                earlier: earlier.clone(),
                heard: heard[heard.len().saturating_sub(2)..].to_vec(),
            });
            earlier.push(all.len() - 1);
        }
    }
    Ok(all)
}

/// The turns of several files of the folder; each file's dialogues keep their context.
pub(crate) fn turns_of(folder: &Path, files: &[&str]) -> Result<Vec<Turn>> {
    let mut all: Vec<Turn> = Vec::new();
    for file in files {
        let first = all.len();
        let mut own = turns(&folder.join(file))?;
        own.iter_mut().flat_map(|turn| &mut turn.earlier).for_each(|index| *index += first);
        all.extend(own);
    }
    Ok(all)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PostLine {
    text: String,
    sentiment: String,
}

/// The posts of some files of the folder: text and class of the sentiment.
pub(crate) fn posts(folder: &Path, files: &[&str]) -> Result<Vec<(String, usize)>> {
    let mut all = Vec::new();
    for file in files {
        let path = folder.join(file);
        let content = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for (at, line) in content.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}:{}", path.display(), at + 1);
            let post: PostLine = serde_json::from_str(line).with_context(place)?;
            let class = parse_sentiment(&post.sentiment, None).map_err(|reason| anyhow!(reason)).with_context(place)?;
            all.push((post.text, class.context("no sentiment").with_context(place)?));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_know_what_was_before_them_in_their_own_dialogue() {
        let folder = tempfile::tempdir().unwrap();
        let line = |text: &str, again: &str| {
            format!(
                r#"{{"domain":"shop","channel":"chat","turns":[{{"who":"customer","text":"{text}","sentiment":"neutral","frustration":"none","target":"none"}},{{"who":"bot","text":"Which order?"}},{{"who":"customer","text":"{again}","sentiment":"negative","frustration":"clear","target":"bot"}}]}}"#
            )
        };
        std::fs::write(folder.path().join("a.jsonl"), line("where is it", "again?") + "\n" + &line("hi", "no"))
            .unwrap();
        std::fs::write(folder.path().join("b.jsonl"), line("hello", "as I said")).unwrap();
        let turns = turns_of(folder.path(), &["a.jsonl", "b.jsonl"]).unwrap();
        assert_eq!(turns.len(), 6);
        assert_eq!(turns[5].earlier, [4]);
        assert_eq!(
            (turns[3].earlier.as_slice(), turns[3].heard.as_slice()),
            (&[2][..], &["Which order?".to_owned()][..])
        );
        assert_eq!((turns[0].target(), turns[1].target()), (0.0, 1.0));
        std::fs::write(folder.path().join("c.jsonl"), line("x", "y").replace("clear", "rather")).unwrap();
        let error = format!("{:#}", turns_of(folder.path(), &["c.jsonl"]).unwrap_err());
        assert!(error.contains("c.jsonl:1") && error.contains("rather"), "{error}");
    }
}
