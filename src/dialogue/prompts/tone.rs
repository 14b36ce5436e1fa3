//! `tone.toml`: how formal and how direct the bot is with whom, and how it acknowledges what an
//! upset customer wrote. Also the check that no such text claims a feeling.
//!
//! Knows nothing of a conversation; which text is said when is decided in `dialogue::tone`.

use super::source::{Faults, Source};
use super::template::{Constants, Template, open};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use toml::Spanned;

/// The profile of everybody whose locale has none.
const DEFAULT: &str = "default";
/// The field that an acknowledgement is filled with.
const UNDERSTOOD: &str = "understood";
/// Longest clause that an acknowledgement is filled with, in characters.
const LONGEST_CLAUSE: usize = 120;

/// How a customer is addressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Formality {
    /// With distance.
    Formal,
    /// As among neighbours.
    #[default]
    Informal,
}

/// Whether a thing is said straight away or led up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Directness {
    /// Straight away.
    #[default]
    Direct,
    /// Led up to.
    Indirect,
}

/// How the bot speaks to people of a locale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name in `tone.toml`.
    pub name: String,
    /// How they are addressed.
    pub formality: Formality,
    /// How straight away a thing is said.
    pub directness: Directness,
}

impl Default for Profile {
    fn default() -> Self {
        Self { name: DEFAULT.to_owned(), formality: Formality::default(), directness: Directness::default() }
    }
}

/// Everything of `tone.toml`. `Default` is a bot without that file: one profile, nothing acknowledged.
#[derive(Clone, Debug, Default)]
pub struct ToneTexts {
    /// The profile of everybody else.
    other: Profile,
    /// By locale, in lower case.
    profiles: BTreeMap<String, Profile>,
    formal: Acknowledgements,
    informal: Acknowledgements,
}

#[derive(Clone, Debug, Default)]
struct Acknowledgements {
    direct: Vec<Template>,
    indirect: Vec<Template>,
}

impl ToneTexts {
    /// The profile of a locale: `fr-CA` has that of `fr-CA`, else that of `fr`, else the default one.
    #[must_use]
    pub fn profile(&self, locale: Option<&str>) -> &Profile {
        let tag = locale.map(tag).unwrap_or_default();
        let mut rest = tag.as_str();
        loop {
            if let Some(profile) = self.profiles.get(rest) {
                return profile;
            }
            match rest.rsplit_once('-') {
                Some((shorter, _)) => rest = shorter,
                None => return &self.other,
            }
        }
    }

    /// The acknowledgements of a profile, in the order in which they are used.
    pub(in crate::dialogue) fn acknowledgements(&self, profile: &Profile) -> &[Template] {
        let of = match profile.formality {
            Formality::Formal => &self.formal,
            Formality::Informal => &self.informal,
        };
        match profile.directness {
            Directness::Direct => &of.direct,
            Directness::Indirect => &of.indirect,
        }
    }
}

/// One spelling of a locale: browsers write `de-AT`, other systems `de_AT`.
fn tag(locale: &str) -> String {
    locale.trim().to_lowercase().replace('_', "-")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTone {
    profile: BTreeMap<Spanned<String>, RawProfile>,
    acknowledge: RawAcknowledge,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    formality: Formality,
    directness: Directness,
    #[serde(default)]
    locales: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAcknowledge {
    formal: RawLists,
    informal: RawLists,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLists {
    direct: Spanned<Vec<Spanned<String>>>,
    indirect: Spanned<Vec<Spanned<String>>>,
}

/// Checks `tone.toml`.
pub(super) fn check(source: Source<'_>, raw: &RawTone, constants: &Constants, faults: &mut Faults) -> ToneTexts {
    let mut texts = ToneTexts {
        other: Profile::default(),
        profiles: BTreeMap::new(),
        formal: lists(source, &raw.acknowledge.formal, constants, faults),
        informal: lists(source, &raw.acknowledge.informal, constants, faults),
    };
    let mut has_default = false;
    for (name, raw) in &raw.profile {
        let profile = Profile { name: name.get_ref().clone(), formality: raw.formality, directness: raw.directness };
        if name.get_ref() == DEFAULT {
            texts.other = profile.clone();
            has_default = true;
        }
        let own = (name.get_ref() != DEFAULT).then_some(name);
        for locale in own.into_iter().chain(&raw.locales) {
            let key = tag(locale.get_ref());
            if !is_locale(&key) {
                let reason = format!("`{}` is not a locale such as de or de-AT", locale.get_ref());
                faults.add(source, &locale.span(), reason);
            } else if let Some(first) = texts.profiles.insert(key, profile.clone()) {
                let reason = format!("the locale `{}` is already in [profile.{}]", locale.get_ref(), first.name);
                faults.add(source, &locale.span(), reason);
            }
        }
    }
    if !has_default {
        faults.add_file(source.file, "there is no [profile.default], for everybody else");
    }
    texts
}

/// A language of two or three letters, and what narrows it down.
fn is_locale(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    (2..=3).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_lowercase())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn lists(source: Source<'_>, raw: &RawLists, constants: &Constants, faults: &mut Faults) -> Acknowledgements {
    let mut list = |raw: &Spanned<Vec<Spanned<String>>>| {
        if raw.get_ref().len() < 2 {
            let reason = "at least two are needed: none is said twice in a conversation";
            faults.add(source, &raw.span(), reason);
        }
        raw.get_ref().iter().map(|text| acknowledgement(source, text, constants, faults)).collect()
    };
    Acknowledgements { direct: list(&raw.direct), indirect: list(&raw.indirect) }
}

fn acknowledgement(source: Source<'_>, text: &Spanned<String>, constants: &Constants, faults: &mut Faults) -> Template {
    let template = open(source, text, constants, &[UNDERSTOOD], faults);
    if !template.fields().any(|field| field == UNDERSTOOD) {
        let reason = "an acknowledgement says what is understood: it needs {understood}";
        faults.add(source, &text.span(), reason);
    }
    check_calm(source, text, faults);
    template
}

/// Checks the clause that acknowledgements are filled with.
pub(super) fn clause(source: Source<'_>, text: &Spanned<String>, faults: &mut Faults) -> String {
    let said = text.get_ref();
    let plain = !said.contains(['\n', '{', '}', '*', '[', ']', '`', '<', '>']) && said.trim() == said;
    let fits = said.starts_with("that ") && !said.ends_with(['.', '?', ',', ';', ':']);
    if !plain || !fits || said.chars().count() > LONGEST_CLAUSE {
        let reason = format!(
            "it goes into \"I understand …\": one plain clause that begins with \"that\", without a full stop, of at most {LONGEST_CLAUSE} characters"
        );
        faults.add(source, &text.span(), reason);
    }
    check_calm(source, text, faults);
    said.clone()
}

/// What no text for an upset customer may hold: a feeling that a program cannot have, cheer, or a raised voice.
pub(super) fn check_calm(source: Source<'_>, text: &Spanned<String>, faults: &mut Faults) {
    if text.get_ref().contains('!') {
        faults.add(source, &text.span(), "no exclamation marks for somebody who is upset");
    }
    if let Some(claim) = claimed_feeling(text.get_ref()) {
        let reason =
            format!("\"{claim}\" claims a feeling, and a bot has none: say what is understood, then what helps");
        faults.add(source, &text.span(), reason);
    }
}

/// The words with which a text claims a feeling; none if it does not.
fn claimed_feeling(text: &str) -> Option<String> {
    let text = text.replace('\u{2019}', "'");
    FEELINGS.iter().flatten().find_map(|claim| claim.find(&text)).map(|found| found.as_str().to_owned())
}

/// Ways of claiming a feeling. Each is compiled once; one that could not be is found by the tests.
static FEELINGS: LazyLock<[Option<Regex>; 7]> = LazyLock::new(|| {
    [
        r"\b(i|we) (truly |really |also |too )?(feel|felt)\b",
        r"\b(i am|i'm|we are|we're)( \w+)? (sorry|sad|saddened|upset|worried|ashamed|devastated|heartbroken)\b",
        r"\b(so|very|truly|terribly|deeply) sorry\b|\bsorry (to hear|that you|you had)\b",
        r"\b(understand|know|imagine|see|feel) how (\w+ )?(you|this|that|it) (must |may |might )?(feel|felt|be|is)\b",
        r"\b(i am|i'm|we are|we're)( \w+)? (thrilled|delighted|excited|happy|glad|pleased|overjoyed)\b",
        r"\b(breaks|broke|warms) (my|our) hearts?\b|\b(my|our) hearts? go(es)? out\b",
        r"\b(i|we) (truly |really )?(hate|love|worry|regret|care)\b",
    ]
    .map(|pattern| RegexBuilder::new(pattern).case_insensitive(true).build().ok())
});

#[cfg(test)]
mod tests {
    use super::{FEELINGS, claimed_feeling, is_locale};

    #[test]
    fn claimed_feelings_are_found_and_plain_words_are_not() {
        assert!(FEELINGS.iter().all(Option::is_some), "every pattern compiles");
        for claim in [
            "I feel your pain",
            "I am sorry that it is late",
            "I\u{2019}m so sorry",
            "We're terribly sorry",
            "I understand how you feel",
            "I can imagine how frustrating this is",
            "Sorry to hear that",
            "We are thrilled to help",
            "I'm happy to look",
            "That breaks our hearts",
            "I really regret this",
        ] {
            assert!(claimed_feeling(claim).is_some(), "{claim}");
        }
        for plain in [
            "I understand that your parcel has not come.",
            "That should not have happened.",
            "A person feels the cloth before it is cut.",
            "You were right to write.",
            "I am looking it up.",
            "It seems that you are not happy with it.",
        ] {
            assert_eq!(claimed_feeling(plain), None, "{plain}");
        }
    }

    #[test]
    fn locales_have_a_language_first() {
        for good in ["de", "de-at", "zh-hant-tw", "gsw"] {
            assert!(is_locale(good), "{good}");
        }
        for bad in ["", "d", "german", "de-", "de at", "*"] {
            assert!(!is_locale(bad), "{bad}");
        }
    }
}
