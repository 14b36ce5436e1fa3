//! How something is said, never what: the register, the acknowledgement before the fix, and the
//! customer's own name in a text.
//!
//! It is decided after everything else and read by nothing but `render`, so that no decision can
//! depend on it. The bot claims no feelings: an acknowledgement says what was understood.

use super::prompts::{Directness, Formality, Intent, Prompts, personal};
use super::render::Rendered;
use super::{Decision, Policy, Reply, Turn};
use crate::domain::{Analysis, Customer, Mood};
use serde::Serialize;
use serde_json::{Value, json};

/// Earlier turns whose mood still counts.
const LATELY: usize = 2;

/// For whom the words are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Register {
    /// Plain and quick.
    #[default]
    Plain,
    /// For somebody who is upset: what is understood, then the fix; no cheer.
    Upset,
}

/// How a reply is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tone {
    /// For whom the words are chosen.
    pub register: Register,
    /// The profile of the customer's locale, by its name in `tone.toml`.
    pub profile: String,
    /// How the customer is addressed.
    pub formality: Formality,
    /// How straight away a thing is said.
    pub directness: Directness,
    /// The acknowledgement that comes first, if one does.
    pub opening: Option<Opening>,
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What it was made from: the conversation remembers it, so that it is not said again.
    pub template: String,
    /// The words.
    pub text: String,
}

impl Tone {
    /// As the trace shows it.
    #[must_use]
    pub fn trace(&self) -> Value {
        let opening = self.opening.as_ref().map(|opening| &opening.text);
        json!({ "register": self.register, "profile": self.profile, "opening": opening })
    }
}

/// What `render` needs besides the reply: how to say it, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'a> {
    /// How.
    pub tone: &'a Tone,
    /// To whom.
    pub customer: &'a Customer,
}

impl Decision {
    /// How this decision is said to a customer.
    #[must_use]
    pub fn voice<'a>(&'a self, customer: &'a Customer) -> Voice<'a> {
        Voice { tone: &self.tone, customer }
    }
}

/// Chooses the tone of a reply that is decided.
pub(super) fn choose(turn: &Turn<'_>, analysis: &Analysis, mood: Mood, reply: &Reply, prompts: &Prompts) -> Tone {
    let texts = prompts.tone();
    let profile = texts.profile(turn.customer.locale.as_deref());
    let now = is_upset_now(analysis, mood, prompts.policy());
    let upset = now || (mood != Mood::Positive && was_upset(turn, prompts.policy()));
    // Who has calmed down is not reminded of it, unless nothing was acknowledged yet.
    let due = now || (upset && turn.before.acknowledged.is_empty());
    let understood = topic(reply).filter(|_| due).and_then(|name| prompts.intent(name)?.understood.as_deref());
    let opening = understood.and_then(|understood| {
        let mut sourced = texts.acknowledgements(profile).iter().map(|template| (template, template.source()));
        let (template, source) = sourced.find(|(_, source)| !turn.before.acknowledged.contains(source))?;
        Some(Opening { text: template.fill(|_| Some(understood.to_owned()))?, template: source })
    });
    Tone {
        register: if upset { Register::Upset } else { Register::Plain },
        profile: profile.name.clone(),
        formality: profile.formality,
        directness: profile.directness,
        opening,
    }
}

/// Two readings have to agree: frustration with hostility, or frustration with a negative sentiment.
fn is_upset_now(analysis: &Analysis, mood: Mood, policy: &Policy) -> bool {
    mood == Mood::Frustrated || (mood == Mood::Negative && analysis.frustration >= policy.frustration.turn)
}

fn was_upset(turn: &Turn<'_>, policy: &Policy) -> bool {
    let limits = &policy.frustration;
    let mut lately = turn.before.history.iter().rev().take(LATELY);
    lately.any(|past| past.frustration >= limits.turn && past.hostility >= limits.hostility)
}

/// The intent that a reply is about, where an acknowledgement may come before it. What was not
/// understood cannot be acknowledged, a hand-over has words of its own, and a question that is
/// asked again should be short.
fn topic(reply: &Reply) -> Option<&str> {
    match reply {
        Reply::Answer { intent } | Reply::Lookup { intent, .. } | Reply::Ask { intent, again: false, .. } => {
            Some(intent)
        }
        Reply::Offer { answer: Some(answer), .. } | Reply::Aside { answer, .. } => topic(answer),
        Reply::Both { first, .. } => topic(first),
        _ => None,
    }
}

/// The answer of an intent in this tone.
pub(super) fn answer(intent: &Intent, voice: Voice<'_>) -> String {
    let variants = &intent.variants;
    let of_formality = || match voice.tone.formality {
        Formality::Formal => variants.formal.as_ref(),
        Formality::Informal => variants.informal.as_ref(),
    };
    let variant = match voice.tone.register {
        Register::Upset => variants.upset.as_ref().or_else(of_formality),
        Register::Plain => of_formality(),
    };
    variant.or(intent.answer.as_ref()).cloned().unwrap_or_default()
}

/// The last step of every reply: what is understood comes first, nobody upset is shouted at, and
/// what is known of the customer is filled in.
pub(super) fn finish(mut rendered: Rendered, voice: Voice<'_>) -> Rendered {
    if rendered.text.is_empty() {
        return rendered;
    }
    if voice.tone.register == Register::Upset {
        rendered.text = calm(&rendered.text);
    }
    if let Some(opening) = &voice.tone.opening {
        rendered.text = format!("{}\n\n{}", opening.text, rendered.text);
    }
    rendered.text = personal::fill(&rendered.text, voice.customer);
    rendered
}

/// Full stops for the exclamation marks that end a sentence.
fn calm(text: &str) -> String {
    let mut calm = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('!') {
        let (before, from) = rest.split_at(at);
        let after = from.trim_start_matches('!');
        calm.push_str(before);
        // Inside an address or a word it is no raised voice.
        if after.is_empty() || after.starts_with(|next: char| next.is_whitespace() || matches!(next, '*' | ')' | '"')) {
            if !before.ends_with(['?', '.']) {
                calm.push('.');
            }
        } else {
            calm.push_str(&from[..from.len() - after.len()]);
        }
        rest = after;
    }
    calm.push_str(rest);
    calm
}

#[cfg(test)]
mod tests {
    use super::calm;

    #[test]
    fn a_raised_voice_is_lowered_and_addresses_are_kept() {
        assert_eq!(calm("Great! We did it!!\n\n- **Now!**"), "Great. We did it.\n\n- **Now.**");
        assert_eq!(calm("Really?! [a](https://x.example/!b)"), "Really? [a](https://x.example/!b)");
        assert_eq!(calm("Nothing to do"), "Nothing to do");
    }
}
