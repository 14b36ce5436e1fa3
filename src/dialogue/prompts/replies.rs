//! `business.toml`, `replies.toml` and `handoff.toml`: who speaks, and what is said around answers.

use super::hours::{self, Hours, RawHours};
use super::intents::is_code;
use super::pre_chat::{self, PreChat, RawPreChat};
use super::source::{Faults, Source};
use super::surveys::{self, RawSurveys, Surveys};
use super::template::{Constants, Template, fixed, impersonal, label, open};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// Who the bot speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Business {
    /// The business's name.
    pub name: String,
    /// The bot's name; the faces add that it is a bot.
    pub bot_name: String,
    /// The bot's first line.
    pub greeting: String,
    /// The notice that a bot answers.
    pub disclosure: Disclosure,
    /// When people answer, if the files say so.
    pub hours: Option<Hours>,
    /// Customers may have what was said in a conversation deleted.
    pub customers_may_erase: bool,
    /// What is asked before the first message.
    pub pre_chat: Option<PreChat>,
}

/// The notice that a bot answers, with the version that is logged when it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Changes with the text.
    pub version: String,
    /// Shown before the first message.
    pub text: String,
}

/// Texts around answers.
#[derive(Clone, Debug)]
pub struct Replies {
    pub(in crate::dialogue) clarify: Template,
    pub(in crate::dialogue) clarify_neither: String,
    pub(in crate::dialogue) fallback: String,
    pub(in crate::dialogue) fallback_again: String,
}

/// What is said and shown about one reason for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonTexts {
    /// For the desk, short.
    pub label: String,
    /// 0 to 100; higher is served first.
    pub priority: i64,
    /// Said to the customer at the hand-over.
    pub customer: String,
    /// Said when a person is offered; every reason that can be offered has it.
    pub offer: Option<String>,
    /// Said instead of `customer`, after the words that nobody is there.
    pub nobody: Option<String>,
    /// The on-call person is told.
    pub notify: bool,
}

/// Texts of the way to a person and back.
#[derive(Clone, Debug)]
pub struct HandoffTexts {
    /// Said while the customer waits.
    pub queued: String,
    /// Said when nobody is at a desk and it is not known until when.
    pub nobody_here: String,
    /// Said once to somebody who has waited longer than they were told.
    pub still_waiting: String,
    /// Thanks for a message left while nobody was there.
    pub left_message_thanks: String,
    /// Said when a file came while the bot answers, which cannot look into it.
    pub attachment: Option<String>,
    /// Asks for a rating at the end.
    pub rate: String,
    /// Label of the button that accepts an offer.
    pub offer_yes: String,
    /// Label of the button that declines it.
    pub offer_no: String,
    /// Said after an offer was declined.
    pub offer_declined: String,
    /// Said when the customer ends the conversation.
    pub ended: String,
    /// Said when the customer goes on with a closed one: that a bot answers, among other things.
    pub reopened: String,
    /// Which survey follows the end.
    pub surveys: Surveys,
    nobody_until: Option<Template>,
    claimed: Template,
    returned: Template,
    closed: Template,
}

impl HandoffTexts {
    /// Said when nobody is at a desk. `back_at` says in words when people are there again.
    #[must_use]
    pub fn nobody(&self, back_at: Option<&str>) -> String {
        let until = self.nobody_until.as_ref().zip(back_at);
        let text = until.and_then(|(text, back_at)| text.fill(|_| Some(back_at.to_owned())));
        text.unwrap_or_else(|| self.nobody_here.clone())
    }

    /// Said when a person takes the conversation.
    #[must_use]
    pub fn claimed(&self, agent: &str) -> String {
        named(&self.claimed, agent)
    }

    /// Said when a person gives the conversation back to the bot.
    #[must_use]
    pub fn returned(&self, agent: &str) -> String {
        named(&self.returned, agent)
    }

    /// Said when the conversation ends.
    #[must_use]
    pub fn closed(&self, agent: &str) -> String {
        named(&self.closed, agent)
    }
}

/// These templates have no other field than the agent's name, so the fill cannot fail.
fn named(template: &Template, agent: &str) -> String {
    template.fill(|_| Some(agent.to_owned())).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBusiness {
    name: Spanned<String>,
    bot_name: Spanned<String>,
    greeting: Spanned<String>,
    disclosure: RawDisclosure,
    pub(super) hours: Option<RawHours>,
    #[serde(default = "yes")]
    customers_may_erase: bool,
    pre_chat: Option<RawPreChat>,
    #[serde(default)]
    variables: BTreeMap<Spanned<String>, Spanned<String>>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDisclosure {
    version: Spanned<String>,
    text: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReplies {
    clarify: Spanned<String>,
    clarify_neither: Spanned<String>,
    fallback: Spanned<String>,
    fallback_again: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHandoff {
    reason: BTreeMap<Spanned<String>, RawReason>,
    texts: RawTexts,
    #[serde(default)]
    survey: RawSurveys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReason {
    label: Spanned<String>,
    priority: Spanned<i64>,
    customer: Spanned<String>,
    offer: Option<Spanned<String>>,
    nobody: Option<Spanned<String>>,
    #[serde(default)]
    notify: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTexts {
    queued: Spanned<String>,
    nobody_here: Spanned<String>,
    nobody_until: Option<Spanned<String>>,
    still_waiting: Spanned<String>,
    claimed: Spanned<String>,
    returned: Spanned<String>,
    closed: Spanned<String>,
    rate: Spanned<String>,
    left_message_thanks: Spanned<String>,
    attachment: Option<Spanned<String>>,
    offer_yes: Spanned<String>,
    offer_no: Spanned<String>,
    offer_declined: Spanned<String>,
    ended: Spanned<String>,
    reopened: Spanned<String>,
}

/// The variables that every text may use: the business's own and the built-in ones.
pub(super) fn constants(source: Source<'_>, raw: &RawBusiness, keep_days: u32, faults: &mut Faults) -> Constants {
    let mut constants = Constants::from([
        ("business".to_owned(), raw.name.get_ref().clone()),
        ("bot_name".to_owned(), raw.bot_name.get_ref().clone()),
        ("keep_days".to_owned(), keep_days.to_string()),
    ]);
    for (name, value) in &raw.variables {
        if !is_code(name.get_ref())
            || ["business", "bot_name", "keep_days", "agent", "back_at", "first", "second"]
                .contains(&name.get_ref().as_str())
        {
            faults.add(source, &name.span(), format!("`{}` is reserved or not a name (a-z, 0-9, _)", name.get_ref()));
        }
        if value.get_ref().trim().is_empty() || value.get_ref().contains(['{', '}', '\n']) {
            faults.add(source, &value.span(), "a variable is one line of text without braces");
        }
        constants.insert(name.get_ref().clone(), value.get_ref().clone());
    }
    constants
}

/// Checks `business.toml`.
pub(super) fn check_business(
    source: Source<'_>,
    raw: &RawBusiness,
    constants: &Constants,
    faults: &mut Faults,
) -> Business {
    let text = impersonal(source, &raw.disclosure.text, constants, &[], faults).source();
    if !says_bot(&text) {
        faults.add(
            source,
            &raw.disclosure.text.span(),
            "the disclosure must say that it is a bot (bot, automated or AI)",
        );
    }
    Business {
        name: label(source, &raw.name, faults),
        bot_name: label(source, &raw.bot_name, faults),
        greeting: impersonal(source, &raw.greeting, constants, &[], faults).source(),
        disclosure: Disclosure { version: label(source, &raw.disclosure.version, faults), text },
        hours: raw.hours.as_ref().map(|raw| hours::check(source, raw, faults)),
        customers_may_erase: raw.customers_may_erase,
        pre_chat: raw.pre_chat.as_ref().map(|raw| pre_chat::check(source, raw, constants, faults)),
    }
}

/// Whether a text says of itself that a bot speaks.
fn says_bot(text: &str) -> bool {
    let honest = |word: &str| word == "AI" || ["bot", "automated", "chatbot"].contains(&word.to_lowercase().as_str());
    text.split(|sign: char| !sign.is_alphanumeric()).any(honest)
}

/// Checks `replies.toml`.
pub(super) fn check_replies(
    source: Source<'_>,
    raw: &RawReplies,
    constants: &Constants,
    faults: &mut Faults,
) -> Replies {
    let clarify = open(source, &raw.clarify, constants, &["first", "second"], faults);
    if !["first", "second"].iter().all(|name| clarify.fields().any(|field| field == *name)) {
        faults.add(source, &raw.clarify.span(), "the text needs both {first} and {second}");
    }
    Replies {
        clarify,
        clarify_neither: label(source, &raw.clarify_neither, faults),
        fallback: fixed(source, &raw.fallback, constants, faults),
        fallback_again: fixed(source, &raw.fallback_again, constants, faults),
    }
}

/// Reasons that the code itself gives, and whether it may offer them.
const REASONS: [(&str, bool); 14] = [
    ("request_human", true),
    ("safety", true),
    ("legal", true),
    ("frustration", true),
    ("bot_failure", true),
    ("abuse", true),
    ("repeat_contact", true),
    ("loop", true),
    ("low_rating", true),
    ("excluded_topic", true),
    ("language", true),
    ("button", false),
    ("offer_accepted", false),
    ("agent", false),
];

/// Checks `handoff.toml`. `of_rules` are the reasons that rules give, with whether one offers; `hours` is whether
/// the business says when people answer.
pub(super) fn check_handoff(
    source: Source<'_>,
    raw: &RawHandoff,
    of_rules: &[(&str, bool)],
    hours: bool,
    constants: &Constants,
    faults: &mut Faults,
) -> (BTreeMap<String, ReasonTexts>, HandoffTexts) {
    let mut reasons = BTreeMap::new();
    for (code, raw) in &raw.reason {
        let name = code.get_ref().as_str();
        let mut uses = REASONS.iter().chain(of_rules).filter(|(reason, _)| *reason == name).peekable();
        if uses.peek().is_none() {
            faults.add(source, &code.span(), format!("no rule uses the reason `{name}`"));
        }
        if uses.any(|(_, offers)| *offers) && raw.offer.is_none() {
            faults.add(source, &code.span(), format!("`{name}` can be offered, so it needs an `offer` text"));
        }
        if !is_code(name) {
            faults.add(source, &code.span(), format!("`{name}` is not a name: a-z, 0-9 and _ only, a letter first"));
        }
        if !(0..=100).contains(raw.priority.get_ref()) {
            faults.add(source, &raw.priority.span(), "a priority is between 0 and 100");
        }
        let texts = ReasonTexts {
            label: label(source, &raw.label, faults),
            priority: *raw.priority.get_ref(),
            customer: fixed(source, &raw.customer, constants, faults),
            offer: raw.offer.as_ref().map(|text| fixed(source, text, constants, faults)),
            nobody: raw.nobody.as_ref().map(|text| fixed(source, text, constants, faults)),
            notify: raw.notify,
        };
        reasons.insert(name.to_owned(), texts);
    }
    for (code, _) in REASONS {
        if !reasons.contains_key(code) {
            faults.add_file(source.file, format!("the reason `{code}` has no texts: add [reason.{code}]"));
        }
    }
    let texts = &raw.texts;
    let nobody_until = texts.nobody_until.as_ref().map(|raw| impersonal(source, raw, constants, &["back_at"], faults));
    match (&texts.nobody_until, &nobody_until) {
        (Some(raw), Some(text)) if text.fields().next().is_none() => {
            faults.add(source, &raw.span(), "the text needs {back_at}");
        }
        (None, _) if hours => faults.add_file(
            source.file,
            "business.toml has [hours], so [texts] needs `nobody_until`: nobody is there, until {back_at}",
        ),
        _ => {}
    }
    let mut text = |raw: &Spanned<String>| impersonal(source, raw, constants, &[], faults).source();
    let still_waiting = text(&texts.still_waiting);
    let (ended, reopened) = (text(&texts.ended), text(&texts.reopened));
    let (queued, nobody_here, rate) = (text(&texts.queued), text(&texts.nobody_here), text(&texts.rate));
    let attachment = texts.attachment.as_ref().map(&mut text);
    let (left_message_thanks, offer_declined) = (text(&texts.left_message_thanks), text(&texts.offer_declined));
    let mut agent = |raw: &Spanned<String>| impersonal(source, raw, constants, &["agent"], faults);
    let (claimed, returned, closed) = (agent(&texts.claimed), agent(&texts.returned), agent(&texts.closed));
    for (raw, text) in [(&texts.returned, &returned.source()), (&texts.reopened, &reopened)] {
        if !says_bot(text) {
            faults.add(source, &raw.span(), "the text must say that a bot answers again (bot, automated or AI)");
        }
    }
    let surveys = surveys::check(source, &raw.survey, constants, faults);
    let (offer_yes, offer_no) = (label(source, &texts.offer_yes, faults), label(source, &texts.offer_no, faults));
    let texts = HandoffTexts {
        queued,
        nobody_here,
        still_waiting,
        left_message_thanks,
        attachment,
        rate,
        offer_yes,
        offer_no,
        offer_declined,
        ended,
        reopened,
        surveys,
        nobody_until,
        claimed,
        returned,
        closed,
    };
    (reasons, texts)
}
