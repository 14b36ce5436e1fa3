//! `rules.toml`: patterns that lead to a person, and cues for short answers.

use super::source::{Faults, Source};
use crate::dialogue::pattern::Pattern;
use crate::dialogue::prefilter::Literals;
use crate::dialogue::rules::{Cue, Patterns, Rule, RuleAction, Rules};
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

    /// Checks every pattern. `reasons` are the codes of `handoff.toml`.
    pub(super) fn check(&self, source: Source<'_>, reasons: &[&str], faults: &mut Faults) -> Option<Rules> {
        let (mut rules, mut cues) = (Vec::new(), Vec::new());
        let mut literals = Literals::default();
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
            if (raw.action == RuleAction::Evidence) != (reason == "abuse") {
                let why = "`evidence` is what rules about `abuse` do, and no other".to_owned();
                faults.add(source, &raw.reason.span(), why);
            }
            let patterns = build(source, (&raw.patterns, &raw.unless), &mut literals, faults);
            rules.push(Rule { reason: reason.to_owned(), action: raw.action, patterns });
        }
        for raw in &self.cue {
            cues.push((raw.kind, build(source, (&raw.patterns, &raw.unless), &mut literals, faults)));
        }
        for reason in ["request_human", "safety", "legal"] {
            let hands_over = |rule: &Rule| rule.reason == reason && rule.action == RuleAction::Handoff;
            if !rules.iter().any(hands_over) {
                faults.add_file(source.file, format!("no rule hands over for `{reason}`"));
            }
        }
        for (cue, name) in [(Cue::Affirm, "affirm"), (Cue::Deny, "deny"), (Cue::Unhelpful, "unhelpful")] {
            if !cues.iter().any(|(kind, _)| *kind == cue) {
                faults.add_file(source.file, format!("there is no cue of kind `{name}`"));
            }
        }
        let finder = literals.finder().map_err(|error| faults.add_file(source.file, error.to_string())).ok()?;
        Some(Rules { rules, cues, finder })
    }
}

fn build(
    source: Source<'_>,
    (any, unless): (&Spanned<Vec<Spanned<String>>>, &[Spanned<String>]),
    literals: &mut Literals,
    faults: &mut Faults,
) -> Patterns {
    if any.get_ref().is_empty() {
        faults.add(source, &any.span(), "at least one pattern is needed");
    }
    let mut checked = |list: &[Spanned<String>]| -> Vec<Pattern> {
        let one = |text: &Spanned<String>| -> Option<Pattern> {
            let pattern = Pattern::new(text.get_ref(), literals);
            pattern.map_err(|reason| faults.add(source, &text.span(), reason)).ok()
        };
        list.iter().filter_map(one).collect()
    };
    Patterns { any: checked(any.get_ref()), unless: checked(unless) }
}
