//! A wish for a person that no pattern knows: the reader's probability, held against its limits.

use super::super::language::REQUEST;
use super::super::reading::Meaning;
use super::{Candidate, Figures, Seen, Verdict, measured};
use crate::domain::{ActionKind, Reason};

/// What follows from an intent that leads to a person, or from the wish, whichever leads further. Danger and law
/// stand: whoever writes "somebody help me" of them has said why.
pub(super) fn with_intent(seen: &Seen<'_>, figures: &Figures, intent: Verdict) -> Verdict {
    if intent.reasons().iter().any(|reason| reason.code != REQUEST) {
        return intent;
    }
    let wish = of_wish(seen, figures);
    if wish.rank() > intent.rank() { wish } else { intent }
}

fn of_wish(seen: &Seen<'_>, figures: &Figures) -> Verdict {
    let Some(wish) = seen.analysis.wish else {
        return Verdict::Stay;
    };
    // A no to the offer of a person names one too.
    if matches!(seen.reading.meaning, Meaning::Decline(_)) {
        return Verdict::Stay;
    }
    let limits = &seen.policy.wish;
    let (answers, about_bot) = answers(seen);
    // A question about the bot is often the first half of a wish, so it is no evidence against one.
    let handoff = if answers && !about_bot { limits.handoff_beside } else { limits.handoff };
    let reason = |limit: f32| -> Vec<Reason> {
        vec![measured(REQUEST, "understood as a wish for a person".to_owned(), wish.person, limit)]
    };
    if wish.person >= handoff {
        Verdict::Handoff(reason(handoff))
    } else if wish.person >= limits.offer && !answers && figures.rest.is_none() {
        Verdict::Offer(reason(limits.offer))
    } else {
        Verdict::Stay
    }
}

/// Whether the bot has something to say to the message, which is evidence that it is about something else, and
/// whether that is what it is.
fn answers(seen: &Seen<'_>) -> (bool, bool) {
    let Candidate { intent, failed, action, .. } = seen.candidate;
    let about_bot = intent.as_ref() == Some(&seen.prompts.languages().bot_intent);
    (!failed && *action == ActionKind::Reply && intent.is_some(), about_bot)
}
