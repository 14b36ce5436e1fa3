//! The audit's sentences: templates with a slot, the words that fill it by group, and pairs of
//! sentences that say the same in two dialects.
//!
//! Knows the file's form; must not know a model.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file that is built in.
const BUILT_IN: &str = include_str!("../../models/audit/templates.toml");
/// What a template may leave open.
const SLOTS: [&str; 3] = ["name", "relative", "group"];

/// Sentences and words of an audit.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// Sentences by mood; each leaves one slot open: `{name}`, `{relative}` or `{group}`.
    pub templates: BTreeMap<String, Vec<String>>,
    /// What is compared within a sentence.
    #[serde(rename = "dimension")]
    pub dimensions: Vec<Dimension>,
    /// What is compared between sentences.
    #[serde(rename = "dialect")]
    pub dialects: Vec<Dialect>,
}

/// Groups of people whose words must make no difference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// What the groups differ in.
    pub name: String,
    /// The slot that its words fill.
    pub slot: String,
    /// Words by group.
    pub groups: BTreeMap<String, Vec<String>>,
}

/// Pairs of sentences with one meaning.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// The way of writing that is compared with the standard.
    pub name: String,
    /// The standard.
    pub standard: String,
    /// Pairs by mood, each the standard sentence and then the other.
    pub pairs: BTreeMap<String, Vec<[String; 2]>>,
}

impl Templates {
    /// Reads a file, or the built-in one.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Self::parse(BUILT_IN).context("the built-in templates") };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::parse(&text).with_context(|| file.display().to_string())
    }

    fn parse(text: &str) -> Result<Self> {
        let read: Self = toml::from_str(text)?;
        for template in read.templates.values().flatten() {
            let slots = SLOTS.iter().filter(|slot| template.contains(&marker(slot))).count();
            ensure!(slots == 1, "{template:?} must leave exactly one of {{name}}, {{relative}}, {{group}} open");
        }
        for dimension in &read.dimensions {
            let name = &dimension.name;
            ensure!(SLOTS.contains(&dimension.slot.as_str()), "{name}: {:?} is no slot", dimension.slot);
            ensure!(dimension.groups.len() > 1, "{name}: one group alone has nothing to be compared with");
            ensure!(read.of_slot(&dimension.slot).len() > 1, "{name}: fewer than two templates have its slot");
            if let Some((group, _)) = dimension.groups.iter().find(|(_, words)| words.is_empty()) {
                bail!("{name}: the group {group:?} has no words");
            }
        }
        for dialect in &read.dialects {
            ensure!(dialect.pairs.values().flatten().count() > 1, "{}: fewer than two pairs", dialect.name);
        }
        Ok(read)
    }

    /// The templates that leave this slot open.
    #[must_use]
    pub fn of_slot(&self, slot: &str) -> Vec<&str> {
        let marker = marker(slot);
        self.templates.values().flatten().map(String::as_str).filter(|text| text.contains(&marker)).collect()
    }
}

/// A template with its slot filled.
#[must_use]
pub fn fill(template: &str, slot: &str, word: &str) -> String {
    template.replace(&marker(slot), word)
}

fn marker(slot: &str) -> String {
    format!("{{{slot}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_built_in_file_has_what_an_audit_needs() {
        let read = Templates::read(None).unwrap();
        assert!(read.templates.values().flatten().count() >= 40);
        assert_eq!(read.templates.keys().collect::<Vec<_>>(), ["calm", "frustrated", "grateful", "unhappy"]);
        assert!(SLOTS.iter().all(|slot| read.of_slot(slot).len() >= 12));
        let origins = read.dimensions.iter().find(|dimension| dimension.name == "origin of first names").unwrap();
        assert!(origins.groups.len() >= 9 && origins.groups.values().all(|names| names.len() >= 8));
        let counts: Vec<usize> = read.dialects.iter().map(|dialect| dialect.pairs.values().flatten().count()).collect();
        assert!(counts.iter().all(|count| *count >= 20) && counts.iter().filter(|count| **count >= 30).count() >= 2);
        for dialect in &read.dialects {
            assert_eq!(dialect.pairs.len(), 4, "{} has every mood", dialect.name);
            let pairs = dialect.pairs.values().flatten();
            let standard: BTreeSet<&str> = pairs.clone().map(|[standard, _]| standard.as_str()).collect();
            assert_eq!(standard.len(), pairs.clone().count(), "{} repeats a sentence", dialect.name);
            assert!(pairs.clone().all(|[standard, other]| standard != other), "{} has equal pairs", dialect.name);
        }
        for dimension in &read.dimensions {
            let words: Vec<&String> = dimension.groups.values().flatten().collect();
            assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{} repeats a word", dimension.name);
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let error = |text: &str| format!("{:#}", Templates::parse(text).unwrap_err());
        let rest =
            "\ndialect = []\n[templates]\ncalm = [\"I am {group}.\", \"{group}!\"]\n[[dimension]]\nname = \"age\"\n";
        let with = |tail: &str| format!("{}{tail}", rest.trim_start());
        assert!(Templates::parse(&with("slot = \"group\"\ngroups = { young = [\"22\"], old = [\"74\"] }")).is_ok());
        assert!(error(&with("slot = \"city\"\ngroups = { a = [\"x\"], b = [\"y\"] }")).contains("is no slot"));
        assert!(error(&with("slot = \"group\"\ngroups = { a = [\"x\"] }")).contains("nothing to be compared"));
        assert!(error(&with("slot = \"group\"\ngroups = { a = [\"x\"], b = [] }")).contains("no words"));
        assert!(error("dialect = []\ndimension = []\n[templates]\ncalm = [\"hello\"]").contains("exactly one"));
    }

    #[test]
    fn a_slot_is_filled_wherever_it_stands() {
        assert_eq!(fill("{name} here, yes {name}.", "name", "Ada"), "Ada here, yes Ada.");
    }
}
