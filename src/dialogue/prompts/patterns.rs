//! `rules.toml`: patterns that lead to a person, and cues for short answers.

use super::source::{Faults, Source};
use crate::dialogue::rules::{Cue, Patterns, Rule, RuleAction, Rules, compile};
use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRules {
    rule: Vec<RawRule>,
    cue: Vec<RawCue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    reason: Spanned<String>,
    #[serde(default)]
    action: RuleAction,
    patterns: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    unless: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCue {
    kind: Cue,
    patterns: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    unless: Vec<Spanned<String>>,
}

impl RawRules {
    /// The reasons that rules give, with whether the rule offers.
    pub(super) fn reasons(&self) -> Vec<(&str, bool)> {
        self.rule.iter().map(|rule| (rule.reason.get_ref().as_str(), rule.action == RuleAction::Offer)).collect()
    }

    /// Compiles every pattern. `reasons` are the codes of `handoff.toml`.
    pub(super) fn check(&self, source: Source<'_>, reasons: &[&str], faults: &mut Faults) -> Rules {
        let mut rules = Rules::default();
        for raw in &self.rule {
            let reason = raw.reason.get_ref().as_str();
            if !reasons.contains(&reason) {
                faults.add(source, &raw.reason.span(), format!("there is no reason `{reason}` in handoff.toml"));
            }
            if ["button", "offer_accepted", "agent"].contains(&reason) {
                faults.add(
                    source,
                    &raw.reason.span(),
                    format!("`{reason}` comes from a person's click, not from words"),
                );
            }
            let patterns = build(source, &raw.patterns, &raw.unless, faults);
            rules.rules.push(Rule { reason: reason.to_owned(), action: raw.action, patterns });
        }
        for raw in &self.cue {
            rules.cues.push((raw.kind, build(source, &raw.patterns, &raw.unless, faults)));
        }
        for reason in ["request_human", "safety", "legal"] {
            let hands_over = |rule: &Rule| rule.reason == reason && rule.action == RuleAction::Handoff;
            if !rules.rules.iter().any(hands_over) {
                faults.add_file(source.file, format!("no rule hands over for `{reason}`"));
            }
        }
        for (cue, name) in [(Cue::Affirm, "affirm"), (Cue::Deny, "deny"), (Cue::Unhelpful, "unhelpful")] {
            if !rules.cues.iter().any(|(kind, _)| *kind == cue) {
                faults.add_file(source.file, format!("there is no cue of kind `{name}`"));
            }
        }
        rules
    }
}

fn build(
    source: Source<'_>,
    any: &Spanned<Vec<Spanned<String>>>,
    unless: &[Spanned<String>],
    faults: &mut Faults,
) -> Patterns {
    if any.get_ref().is_empty() {
        faults.add(source, &any.span(), "at least one pattern is needed");
    }
    let mut compiled = |list: &[Spanned<String>]| -> Vec<Regex> {
        let one = |text: &Spanned<String>| {
            compile(text.get_ref()).map_err(|reason| faults.add(source, &text.span(), reason)).ok()
        };
        list.iter().filter_map(one).collect()
    };
    Patterns::new(compiled(any.get_ref()), compiled(unless))
}
