//! A database's conversations, decided again page by page, on all cores.

use super::Args;
use crate::dialogue::Prompts;
use crate::domain::{ConversationId, Timestamp, time::DAY_MS};
use crate::replay::report::{Hours, Report};
use crate::replay::{Comparison, PastConversation, compare};
use crate::store::{Archive, ArchivedTurn, HandoverLabels};
use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::path::Path;

/// The two ways of deciding.
struct Sides {
    /// None: what was done then.
    from: Option<Prompts>,
    to: Prompts,
}

/// Compares and prints the report.
///
/// # Errors
/// If the database or the policy cannot be read, or the report cannot be written.
#[tokio::main]
pub(super) async fn run(args: &Args, prompts: Prompts) -> anyhow::Result<()> {
    let location = args.database.as_ref().context("no database")?;
    ensure!(location.path().is_none_or(Path::is_file), "{location}: there is no database");
    let (sides, from_name, to_name) = match &args.policy {
        Some(policy) => {
            let text = std::fs::read_to_string(policy).with_context(|| policy.display().to_string())?;
            let to = prompts.clone().with_policy_file(&policy.display().to_string(), &text)?;
            (Sides { from: Some(prompts), to }, "policy in use".to_owned(), policy.display().to_string())
        }
        None => {
            let name = format!("prompts {}", prompts.version());
            (Sides { from: None, to: prompts }, "as it was".to_owned(), name)
        }
    };
    let archive = Archive::open(location.clone()).await?;
    let since = args.since.map_or(Timestamp(0), start_of_day);
    let (comparison, left_out) = compare_all(&archive, since, &sides).await?;
    let hours = Hours::new(&comparison, archive.handling_times().await?, args.minutes);
    archive.close().await;
    let report = Report { from_name, to_name, left_out, hours, comparison };
    if let Some(file) = &args.json {
        write_json(file, &report)?;
    }
    print!("{}", report.markdown());
    Ok(())
}

fn start_of_day(date: jiff::civil::Date) -> Timestamp {
    let days = jiff::civil::Date::constant(1970, 1, 1).duration_until(date).as_secs().div_euclid(24 * 3600);
    Timestamp(days * DAY_MS)
}

fn write_json(file: &Path, report: &Report) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(file, text).with_context(|| file.display().to_string())
}

/// Reads page after page and compares what is complete; the last conversation of a page may go on in the next.
async fn compare_all(archive: &Archive, since: Timestamp, sides: &Sides) -> anyhow::Result<(Comparison, usize)> {
    let labels = archive.labels().await?;
    let (mut comparison, mut left_out) = (Comparison::default(), 0);
    let mut open: Vec<ArchivedTurn> = Vec::new();
    let mut cursor = None;
    loop {
        let page = archive.turns(cursor, since).await?;
        let Some(last) = page.last() else { break };
        cursor = Some((last.conversation_id, last.seq));
        open.extend(page);
        let unfinished = cursor.map(|(conversation, _)| conversation);
        let complete = open.partition_point(|turn| Some(turn.conversation_id) != unfinished);
        let rest = open.split_off(complete);
        let (part, lost) =
            tokio::task::block_in_place(|| compare_page(std::mem::replace(&mut open, rest), &labels, sides));
        comparison.add(part);
        left_out += lost;
    }
    let (part, lost) = compare_page(open, &labels, sides);
    comparison.add(part);
    Ok((comparison, left_out + lost))
}

/// Whole conversations, shared out among the cores.
fn compare_page(
    turns: Vec<ArchivedTurn>,
    labels: &BTreeMap<ConversationId, HandoverLabels>,
    sides: &Sides,
) -> (Comparison, usize) {
    let mut conversations: Vec<Vec<ArchivedTurn>> = Vec::new();
    for turn in turns {
        match conversations.last_mut() {
            Some(rows) if rows.last().is_some_and(|row| row.conversation_id == turn.conversation_id) => rows.push(turn),
            _ => conversations.push(vec![turn]),
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = conversations.len().div_ceil(cores).max(1);
    let mut shares = Vec::new();
    while !conversations.is_empty() {
        let rest = conversations.split_off(share.min(conversations.len()));
        shares.push(std::mem::replace(&mut conversations, rest));
    }
    let mut whole = (Comparison::default(), 0);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(move || compare_share(share, labels, sides))).collect();
        for thread in threads {
            match thread.join() {
                Ok((comparison, left_out)) => {
                    whole.0.add(comparison);
                    whole.1 += left_out;
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    whole
}

fn compare_share(
    conversations: Vec<Vec<ArchivedTurn>>,
    labels: &BTreeMap<ConversationId, HandoverLabels>,
    sides: &Sides,
) -> (Comparison, usize) {
    let (mut comparison, mut left_out) = (Comparison::default(), 0);
    for rows in conversations {
        let Some(id) = rows.first().map(|row| row.conversation_id) else { continue };
        let (past, lost) = PastConversation::new(id, rows);
        left_out += lost;
        let from = sides.from.as_ref().map_or_else(|| past.recorded(), |prompts| past.decide(prompts));
        let to = past.decide(&sides.to);
        let right = labels.get(&id).map(|labels| positions(&past, labels));
        comparison.add(compare(&past, &from, &to, right.as_deref()));
    }
    (comparison, left_out)
}

/// Where the labelled turns stand among those that can be decided.
fn positions(past: &PastConversation, labels: &HandoverLabels) -> Vec<usize> {
    let place = |seq: &i64| past.turns.iter().position(|turn| turn.seq == *seq);
    labels.needed_at.iter().filter_map(place).collect()
}
