//! `[survey.*]` of `handoff.toml`: which survey follows the end of a conversation. Must not know how it is asked.

use super::source::{Faults, Source};
use super::template::{Constants, impersonal};
use serde::Deserialize;
use toml::Spanned;

/// Customer effort: 1 to 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffortSurvey {
    /// What is asked.
    pub question: String,
    /// After which conversations.
    pub after: HandledBy,
}

/// Net promoter score: 0 to 10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoterSurvey {
    /// What is asked.
    pub question: String,
    /// So many days a customer is not asked again; 1 or more.
    pub every_days: u32,
    /// From which of their conversations on; 1 is the first.
    pub from_conversation: u32,
}

/// Who dealt with a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandledBy {
    /// The bot alone.
    Bot,
    /// A person, at least in part.
    Person,
    /// Anybody.
    Anybody,
}

/// The surveys beside satisfaction, which is asked where none of these is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surveys {
    /// Customer effort, if it is asked at all.
    pub ces: Option<EffortSurvey>,
    /// The net promoter score, if it is asked at all. It goes first.
    pub nps: Option<PromoterSurvey>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSurveys {
    ces: Option<RawEffort>,
    nps: Option<RawPromoter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEffort {
    question: Spanned<String>,
    after: HandledBy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPromoter {
    question: Spanned<String>,
    every_days: Spanned<u32>,
    from_conversation: Spanned<u32>,
}

pub(super) fn check(source: Source<'_>, raw: &RawSurveys, constants: &Constants, faults: &mut Faults) -> Surveys {
    let mut question = |raw: &Spanned<String>| {
        if raw.get_ref().trim().is_empty() {
            faults.add(source, &raw.span(), "a survey needs a question");
        }
        impersonal(source, raw, constants, &[], faults).source()
    };
    let ces = raw.ces.as_ref().map(|raw| EffortSurvey { question: question(&raw.question), after: raw.after });
    let nps = raw.nps.as_ref().map(|raw| PromoterSurvey {
        question: question(&raw.question),
        every_days: *raw.every_days.get_ref(),
        from_conversation: *raw.from_conversation.get_ref(),
    });
    for raw in raw.nps.iter().flat_map(|raw| [&raw.every_days, &raw.from_conversation]) {
        if *raw.get_ref() == 0 {
            faults.add(source, &raw.span(), "this is at least 1");
        }
    }
    Surveys { ces, nps }
}
