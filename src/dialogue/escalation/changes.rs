//! What would have changed a decision, found by asking [`judge`] again with one thing changed.
//!
//! For a turn on which the bot went on: the smallest change of a figure that would have offered a
//! person or brought one in. For an offer or a hand-over: which thresholds, raised to which value,
//! would have prevented it. Nothing is claimed that was not tried.

use super::super::policy::{Direction, Policy, THRESHOLDS, Threshold};
use super::super::reading::Meaning;
use super::super::{DialogueState, PastTurn};
use super::{Loudness, Seen, Verdict, added, is_abusive, judge};
use crate::domain::ActionKind;
use serde::Serialize;

/// One digit more than is stored.
const STEP: f32 = 0.0001;
/// What one more turn counts beside a change of a probability, when the smallest change is looked for.
const TURN: f64 = 0.25;
/// Counts are tried up to here; no run or memory is longer.
const HIGHEST_COUNT: u32 = 21;
/// Thresholds that are raised together at most.
const TOGETHER: usize = 6;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::dialogue) enum Kind {
    /// A figure of the turn.
    Figure,
    /// A number of `policy.toml`.
    Threshold,
    /// Soft reasons rest no more.
    Rest,
}

/// A change and where it leads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::dialogue) struct Change {
    pub(in crate::dialogue) kind: Kind,
    /// The figure, or the threshold by section and key.
    pub(in crate::dialogue) name: &'static str,
    /// Its value.
    pub(in crate::dialogue) from: f64,
    /// The value that it would need.
    pub(in crate::dialogue) to: f64,
    /// So many more such turns would be needed as well.
    pub(in crate::dialogue) more_turns: u32,
    /// `stay`, `offer` or `handoff`.
    pub(in crate::dialogue) leads_to: &'static str,
}

/// What would have changed a decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(in crate::dialogue) struct Changes {
    /// Codes of the reasons; each was enough by itself.
    pub(in crate::dialogue) sufficient: Vec<String>,
    /// Each of these alone would have led elsewhere; the smallest change first.
    pub(in crate::dialogue) any: Vec<Change>,
    /// Where none alone would have: these thresholds together.
    pub(in crate::dialogue) all: Vec<Change>,
}

impl Changes {
    /// Looks for what would have changed this verdict.
    pub(in crate::dialogue) fn find(seen: &Seen<'_>, verdict: &Verdict) -> Self {
        if *verdict == Verdict::Stay {
            let mut any = figures(seen);
            let distance = |change: &Change| change.to - change.from;
            let effort = |change: &Change| match change.more_turns {
                0 => distance(change),
                turns => f64::from(turns) * TURN + if change.to <= 1.0 { distance(change) } else { 0.0 },
            };
            any.sort_by(|a, b| effort(a).total_cmp(&effort(b)));
            return Self { any, ..Self::default() };
        }
        let sufficient = verdict.reasons().iter().map(|reason| reason.code.clone()).collect();
        let mut any: Vec<Change> =
            raisable().filter_map(|threshold| raised(seen, threshold, |other| other.rank() < verdict.rank())).collect();
        any.sort_by(|a, b| (a.to - a.from).total_cmp(&(b.to - b.from)));
        let all = if any.is_empty() { together(seen, verdict) } else { Vec::new() };
        Self { sufficient, any, all }
    }
}

/// Changes of a figure that would have brought a person nearer.
fn figures(seen: &Seen<'_>) -> Vec<Change> {
    // A no is respected, whatever its tone.
    if matches!(seen.reading.meaning, Meaning::Decline(_)) {
        return Vec::new();
    }
    // In a language that the bot does not speak no mood is read, so another one would change nothing.
    let of_mood = [frustration, hostility, turns].into_iter().filter(|_| !seen.heard.is_foreign());
    let others = [failures, insults, rest].into_iter();
    of_mood.filter_map(|figure| figure(seen)).chain(others.filter_map(|figure| figure(seen))).collect()
}

fn change(name: &'static str, (from, to): (f32, f32), more_turns: u32, verdict: &Verdict) -> Option<Change> {
    let (from, to) = (digits(from), digits(to));
    let leads_to = verdict.name();
    (*verdict != Verdict::Stay).then_some(Change { kind: Kind::Figure, name, from, to, more_turns, leads_to })
}

/// The first of these values, from the smallest, that leads elsewhere.
fn first(mut values: Vec<f32>, above: f32, mut holds: impl FnMut(f32) -> Option<Change>) -> Option<Change> {
    values.retain(|value| *value > above && *value <= 1.0);
    values.sort_by(f32::total_cmp);
    values.dedup();
    values.into_iter().find_map(&mut holds)
}

/// More frustration on this turn.
fn frustration(seen: &Seen<'_>) -> Option<Change> {
    let figures = judge(seen).figures;
    let more = figures.added.sum();
    let (limits, policy) = (figures.limits, &seen.policy.frustration);
    let mut needed = vec![up(limits.turn - more), up(limits.single - more)];
    if let [.., first, second] = seen.before.history.as_slice() {
        let end = (first.frustration + policy.rise).max(second.frustration + policy.rise_step).max(limits.rise_end);
        needed.extend([up(end), up(end) + STEP]);
    }
    first(needed, seen.frustration, |value| {
        let value = up(value);
        change("frustration", (seen.frustration, value), 0, &judge(&Seen { frustration: value, ..*seen }).verdict)
    })
}

/// More hostility on this turn.
fn hostility(seen: &Seen<'_>) -> Option<Change> {
    let policy = &seen.policy.frustration;
    first(vec![policy.hostility, policy.single_hostility], seen.hostility, |value| {
        change("hostility", (seen.hostility, value), 0, &judge(&Seen { hostility: value, ..*seen }).verdict)
    })
}

/// A turn as frustrated as this one or a little more, and as many more of them as it takes.
fn turns(seen: &Seen<'_>) -> Option<Change> {
    let figures = judge(seen).figures;
    let least = up(figures.limits.turn - figures.added.sum()).max(seen.frustration);
    if least > 1.0 {
        return None;
    }
    let calm = super::Candidate { failed: false, gave_up: false, suggests: Vec::new(), ..seen.candidate.clone() };
    let such = Seen { frustration: least, candidate: &calm, ..*seen };
    again(&such, "frustration", (seen.frustration, least))
}

/// More turns with an insult, where there was one.
fn insults(seen: &Seen<'_>) -> Option<Change> {
    let so_far = seen.before.abusive_turns + u32::from(is_abusive(seen.hits));
    if !is_abusive(seen.hits) {
        return None;
    }
    let calm = super::Candidate { failed: false, gave_up: false, suggests: Vec::new(), ..seen.candidate.clone() };
    let such = Seen { frustration: 0.0, hostility: 0.0, candidate: &calm, ..*seen };
    let more = again(&such, "abusive_turns", (0.0, 0.0))?.more_turns;
    let leads_to = "offer";
    let (from, to) = (f64::from(so_far), f64::from(so_far + more));
    Some(Change { kind: Kind::Figure, name: "abusive_turns", from, to, more_turns: more, leads_to })
}

/// More failures of the bot, where this was one.
fn failures(seen: &Seen<'_>) -> Option<Change> {
    let so_far = judge(seen).figures.failures_in_a_row;
    if so_far == 0 {
        return None;
    }
    let failing = super::Candidate { failed: true, gave_up: false, suggests: Vec::new(), ..seen.candidate.clone() };
    let loudness = Loudness::default();
    let such = Seen { frustration: 0.0, hostility: 0.0, loudness, hits: &[], candidate: &failing, ..*seen };
    let found = again(&such, "failures_in_a_row", (0.0, 0.0))?;
    let (from, to) = (f64::from(so_far), f64::from(so_far + found.more_turns));
    Some(Change { from, to, ..found })
}

/// The same without the rest of soft reasons.
fn rest(seen: &Seen<'_>) -> Option<Change> {
    judge(seen).figures.rest?;
    let before = DialogueState { since_return: None, since_decline: None, ..seen.before.clone() };
    let verdict = judge(&Seen { before: &before, ..*seen }).verdict;
    change("rest", (1.0, 0.0), 0, &verdict).map(|change| Change { kind: Kind::Rest, ..change })
}

/// How many turns like this one it takes after it.
fn again(such: &Seen<'_>, name: &'static str, (from, to): (f32, f32)) -> Option<Change> {
    let mut before = such.before.clone();
    (1..=such.policy.frustration.consecutive.max(such.policy.failures.in_a_row).max(such.policy.abuse.offer)).find_map(
        |more_turns| {
            let abusive = is_abusive(such.hits);
            before.remember(PastTurn {
                action: ActionKind::Reply,
                frustration: such.frustration,
                hostility: such.hostility,
                intent: None,
                failed: such.candidate.failed,
                answer: None,
                alone: such.frustration,
                gist: None,
                added: added(such.loudness, abusive, such.policy).sum(),
            });
            before.abusive_turns += u32::from(abusive);
            before.offered = None;
            change(name, (from, to), more_turns, &judge(&Seen { before: &before, ..*such }).verdict)
        },
    )
}

/// The thresholds whose rise brings a person later.
fn raisable() -> impl Iterator<Item = &'static Threshold> {
    THRESHOLDS.iter().filter(|threshold| threshold.raised == Direction::Later)
}

/// The least value of a threshold with which the verdict `differs`; none if no value does. Raising
/// only ever leads further from a person, so the values can be halved.
fn raised(seen: &Seen<'_>, threshold: &'static Threshold, differs: impl Fn(&Verdict) -> bool) -> Option<Change> {
    let from = threshold.get(seen.policy);
    let values: Vec<f64> = values(seen, threshold).into_iter().filter(|value| *value > from).collect();
    let mut policy = seen.policy.clone();
    let mut verdict = |to: f64| {
        threshold.set(&mut policy, to);
        judge(&Seen { policy: &policy, ..*seen }).verdict
    };
    // Most thresholds have no part in most decisions.
    if !values.last().is_some_and(|highest| differs(&verdict(*highest))) {
        return None;
    }
    let to = *values.get(values.partition_point(|value| !differs(&verdict(*value))))?;
    let leads_to = verdict(to).name();
    let from = digits(from as f32);
    Some(Change { kind: Kind::Threshold, name: threshold.path, from, to: digits(to as f32), more_turns: 0, leads_to })
}

/// Where raising could make a difference: just above what the threshold is held against.
fn values(seen: &Seen<'_>, threshold: &Threshold) -> Vec<f64> {
    if !threshold.is_share {
        let mut counts: Vec<u32> = (0..=HIGHEST_COUNT).collect();
        counts.extend([seen.loudness.letters + 1, seen.loudness.marks + 1, seen.before.abusive_turns + 2]);
        counts.sort_unstable();
        return counts.into_iter().map(f64::from).collect();
    }
    let figures = judge(seen).figures;
    let less: f32 = figures.lowered.iter().map(|lowered| lowered.amount).sum();
    let history = &seen.before.history;
    let mut compared = vec![figures.weighed, seen.frustration, seen.hostility, seen.loudness.capitals];
    compared.push(seen.reading.probability);
    compared.extend(seen.analysis.wish.map(|wish| wish.person));
    compared.extend(history.iter().flat_map(|past| [past.frustration + past.added, past.hostility]));
    let read: Vec<f32> = history.iter().map(|past| past.frustration).chain([seen.frustration]).collect();
    compared.extend(read.iter().zip(read.iter().skip(1)).map(|(one, next)| next - one));
    compared.extend(figures.rise);
    let mut values: Vec<f32> =
        compared.iter().flat_map(|figure| [figure + STEP, figure + less + STEP]).map(up).collect();
    values.retain(|value| *value <= 1.0);
    values.sort_by(f32::total_cmp);
    values.into_iter().map(f64::from).collect()
}

/// Thresholds that have to be raised together, found one after the other: each makes a difference.
fn together(seen: &Seen<'_>, verdict: &Verdict) -> Vec<Change> {
    let (mut policy, mut changes): (Policy, Vec<Change>) = (seen.policy.clone(), Vec::new());
    let mut now = verdict.clone();
    for _ in 0..TOGETHER {
        let step = raisable().find_map(|threshold| {
            let here = Seen { policy: &policy, ..*seen };
            let change = raised(&here, threshold, |other| other.rank() < now.rank() || fewer(other, &now))?;
            Some((threshold, change))
        });
        let Some((threshold, change)) = step else {
            return Vec::new();
        };
        threshold.set(&mut policy, change.to);
        now = judge(&Seen { policy: &policy, ..*seen }).verdict;
        changes.retain(|earlier| earlier.name != change.name);
        changes.push(Change { from: digits(threshold.get(seen.policy) as f32), ..change });
        if now.rank() < verdict.rank() {
            return changes;
        }
    }
    Vec::new()
}

/// Whether a verdict rests on less than another: fewer reasons, or another ground for one of them.
fn fewer(verdict: &Verdict, than: &Verdict) -> bool {
    let grounds =
        |verdict: &Verdict| verdict.reasons().iter().map(|reason| reason.evidence.clone()).collect::<Vec<_>>();
    verdict.rank() == than.rank() && grounds(verdict) != grounds(than)
}

/// Rounded up to what is stored.
fn up(value: f32) -> f32 {
    ((f64::from(value) * 10_000.0 - 0.01).ceil() / 10_000.0) as f32
}

/// As it is stored.
fn digits(value: f32) -> f64 {
    (f64::from(value) * 10_000.0).round() / 10_000.0
}
