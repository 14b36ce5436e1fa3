//! `[pre_chat]` of `business.toml`: what customers are asked before their first message. Must not know how it is shown or
//! where the answers go.

use super::intents::is_code;
use super::source::{Faults, Source};
use super::template::{Constants, impersonal, label};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use toml::Spanned;

/// Fields at most: more is an interrogation.
const MAX_FIELDS: usize = 6;
/// Options of a choice at most.
const MAX_OPTIONS: usize = 20;

/// What is asked before the first message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreChat {
    /// Why it is asked.
    pub intro: String,
    /// What is asked, 1 to 6.
    pub fields: Vec<Question>,
}

/// One question of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Under which name the answer is sent.
    pub name: String,
    /// What stands beside the field.
    pub label: String,
    /// What may be answered.
    pub kind: AnswerKind,
    /// The chat does not begin without it.
    pub required: bool,
    /// What can be chosen; of a choice only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerKind {
    /// A line of text.
    Text,
    /// A mail address.
    Email,
    /// One of the options.
    Choice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPreChat {
    intro: Spanned<String>,
    fields: Spanned<Vec<RawQuestion>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    name: Spanned<String>,
    label: Spanned<String>,
    kind: AnswerKind,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    options: Vec<Spanned<String>>,
}

pub(super) fn check(source: Source<'_>, raw: &RawPreChat, constants: &Constants, faults: &mut Faults) -> PreChat {
    let intro = impersonal(source, &raw.intro, constants, &[], faults).source();
    if !(1..=MAX_FIELDS).contains(&raw.fields.get_ref().len()) {
        faults.add(source, &raw.fields.span(), format!("one to {MAX_FIELDS} fields are asked"));
    }
    let mut names = HashSet::new();
    let mut question = |raw: &RawQuestion| {
        let name = raw.name.get_ref();
        if !is_code(name) || !names.insert(name.clone()) {
            faults.add(
                source,
                &raw.name.span(),
                format!("`{name}` is not a name (a-z, 0-9, _), or another field has it"),
            );
        }
        let wanted = if raw.kind == AnswerKind::Choice { 2..=MAX_OPTIONS } else { 0..=0 };
        if !wanted.contains(&raw.options.len()) {
            faults.add(
                source,
                &raw.name.span(),
                format!("a choice has 2 to {MAX_OPTIONS} options, and nothing else has any"),
            );
        }
        Question {
            name: name.clone(),
            label: label(source, &raw.label, faults),
            kind: raw.kind,
            required: raw.required,
            options: raw.options.iter().map(|option| label(source, option, faults)).collect(),
        }
    };
    let fields = raw.fields.get_ref().iter().map(&mut question).collect();
    PreChat { intro, fields }
}
