//! Customer texts: the Markdown subset they may use, and the `{variables}` inside them. What is
//! known of a customer, `{customer.name|there}`, stays in braces until the text is spoken: `personal`.
//!
//! A text is checked when it is loaded, so that nothing is discovered in front of a customer.

use super::personal;
use super::source::{Faults, Source};
use std::collections::BTreeMap;
use toml::Spanned;

/// Values known when the prompts are loaded: the business's own variables.
pub(super) type Constants = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

/// A checked text whose business variables are filled in; what is left are the fields of one
/// conversation (a slot, a lookup's JSON field, an agent's name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// Checks a text and fills in the constants. `fields` are the names that may stay open.
    pub(super) fn parse(text: &str, constants: &Constants, fields: &[&str]) -> Result<Self, String> {
        let template = Self::parse_parts(text.trim(), constants, fields, true)?;
        check_markdown(&template.source())?;
        Ok(template)
    }

    /// The same without Markdown and without the customer: for addresses.
    pub(super) fn parse_plain(text: &str, constants: &Constants, fields: &[&str]) -> Result<Self, String> {
        Self::parse_parts(text, constants, fields, false)
    }

    fn parse_parts(text: &str, constants: &Constants, fields: &[&str], may_name: bool) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut open = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            open.push_str(before);
            let name = from
                .strip_prefix('{')
                .and_then(|inner| inner.split_once('}'))
                .map(|(name, _)| name)
                .filter(|name| is_variable(name) || (may_name && personal::is_variable(name)))
                .ok_or_else(|| format!("stray brace near `{}`", excerpt(from)))?;
            if let Some(value) = constants.get(name) {
                open.push_str(value);
            } else if fields.contains(&name) {
                parts.push(Part::Text(std::mem::take(&mut open)));
                parts.push(Part::Field(name.to_owned()));
            } else if may_name && personal::is_variable(name) {
                personal::check(name)?;
                open.push_str(&format!("{{{name}}}"));
            } else {
                return Err(format!("unknown variable {{{name}}}; known here: {}", known(constants, fields)));
            }
            rest = from.get(name.len() + 2..).unwrap_or_default();
        }
        open.push_str(rest);
        parts.push(Part::Text(open));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self { parts })
    }

    /// Fills the fields in; none if one of them has no value.
    #[must_use]
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.clone()),
                Part::Field(name) => value(name),
            })
            .collect()
    }

    /// The names that a fill needs, in order, with repeats.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// True where the field is used as a link's target, and so must hold an address.
    #[must_use]
    pub fn is_link(&self, field: &str) -> bool {
        self.source().contains(&format!("]({{{field}}})"))
    }

    /// The text with open fields in braces again.
    #[must_use]
    pub fn source(&self) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Field(name) => format!("{{{name}}}"),
            })
            .collect()
    }
}

/// A text that needs nothing from the conversation: checked, and ready to be said.
pub(super) fn fixed(source: Source<'_>, text: &Spanned<String>, constants: &Constants, faults: &mut Faults) -> String {
    open(source, text, constants, &[], faults).source()
}

/// A text with fields; after a fault its raw form stands in, and the load fails as a whole.
pub(super) fn open(
    source: Source<'_>,
    text: &Spanned<String>,
    constants: &Constants,
    fields: &[&str],
    faults: &mut Faults,
) -> Template {
    Template::parse(text.get_ref(), constants, fields).unwrap_or_else(|reason| {
        faults.add(source, &text.span(), reason);
        Template { parts: vec![Part::Text(text.get_ref().clone())] }
    })
}

/// A text that is said without `render`, or before anybody is known: it may not name the customer.
pub(super) fn impersonal(
    source: Source<'_>,
    text: &Spanned<String>,
    constants: &Constants,
    fields: &[&str],
    faults: &mut Faults,
) -> Template {
    let template = open(source, text, constants, fields, faults);
    if personal::is_personal(&template.source()) {
        faults.add(source, &text.span(), "this text cannot name the customer");
    }
    template
}

/// A one-line label.
pub(super) fn label(source: Source<'_>, text: &Spanned<String>, faults: &mut Faults) -> String {
    line(source, text, 60, faults)
}

/// A plain line of at most `most` characters.
pub(super) fn line(source: Source<'_>, text: &Spanned<String>, most: usize, faults: &mut Faults) -> String {
    if let Err(reason) = check_plain(text.get_ref(), most) {
        faults.add(source, &text.span(), reason);
    }
    text.get_ref().clone()
}

/// Checks a plain line: no Markdown, no variables.
fn check_plain(text: &str, most: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    if text.trim() != text || text.contains('\n') {
        return Err("a label is one line without blanks around it".to_owned());
    }
    if text.chars().count() > most {
        return Err(format!("a label has at most {most} characters"));
    }
    match text.find(['{', '}', '*', '[', ']', '`', '<', '>']) {
        Some(at) => Err(format!("a label is plain text; found `{}`", excerpt(text.get(at..).unwrap_or_default()))),
        None => Ok(()),
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && name.split('.').all(|part| !part.is_empty())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}

fn known(constants: &Constants, fields: &[&str]) -> String {
    let names: Vec<&str> = fields.iter().copied().chain(constants.keys().map(String::as_str)).collect();
    names.join(", ")
}

fn excerpt(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Refuses whatever the widget would show as raw signs: it draws paragraphs, `- ` lists, bold and links only.
fn check_markdown(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("the text is empty".to_owned());
    }
    text.lines().try_for_each(check_line)
}

fn check_line(line: &str) -> Result<(), String> {
    let start = line.trim_start();
    let numbered = start
        .split_once(". ")
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    if start.starts_with(['#', '>', '|']) || start.starts_with("* ") || start.starts_with("+ ") || numbered {
        return Err(format!("not in the Markdown subset (only paragraphs and `- ` lists): `{}`", excerpt(start)));
    }
    if let Some(at) = line.find('`') {
        return Err(format!("back quotes are not in the Markdown subset: `{}`", excerpt(&line[at..])));
    }
    let tag =
        |at: usize| line[at + 1..].starts_with(|next: char| next.is_ascii_alphabetic() || next == '/' || next == '!');
    if line.match_indices('<').any(|(at, _)| tag(at)) {
        return Err("HTML is not allowed".to_owned());
    }
    if line.matches("**").count() % 2 == 1 {
        return Err(format!("`**` is not closed on its line: `{}`", excerpt(start)));
    }
    if line.replace("**", "").contains('*') {
        return Err("single `*` is not in the Markdown subset; bold is `**`".to_owned());
    }
    if line.split_whitespace().any(|word| word.starts_with('_') || word.ends_with('_')) {
        return Err("`_` around words is not in the Markdown subset; bold is `**`".to_owned());
    }
    check_links(line)
}

fn check_links(line: &str) -> Result<(), String> {
    let mut rest = line;
    while let Some(at) = rest.find(['[', ']']) {
        let (before, from) = rest.split_at(at);
        if before.ends_with('!') && from.starts_with('[') {
            return Err("images are not in the Markdown subset".to_owned());
        }
        let link = from
            .strip_prefix('[')
            .and_then(|inner| inner.split_once("]("))
            .and_then(|(label, after)| after.split_once(')').map(|(target, tail)| (label, target, tail)));
        let Some((label, target, tail)) = link else {
            return Err(format!("`[` and `]` are for links, [text](https://…): `{}`", excerpt(from)));
        };
        let address = target.starts_with("https://") || target.starts_with("mailto:");
        let field = target.starts_with('{') && target.ends_with('}') && !personal::is_personal(target);
        if label.trim().is_empty()
            || label.contains(['[', ']'])
            || target.contains(char::is_whitespace)
            || !(address || field)
        {
            return Err(format!("a link is [text](https://…) or [text](mailto:…): `{}`", excerpt(from)));
        }
        rest = tail;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn constants() -> Constants {
        Constants::from([("days".to_owned(), "30".to_owned())])
    }

    #[test]
    fn constants_are_filled_at_load_and_fields_later() {
        let template = Template::parse("In **{days}** days, {name}.", &constants(), &["name"]).unwrap();
        assert_eq!(template.source(), "In **30** days, {name}.");
        assert_eq!(template.fill(|_| Some("Ada".to_owned())).unwrap(), "In **30** days, Ada.");
        assert_eq!(template.fill(|_| None), None, "a missing value is never shown as a brace");
    }

    #[test]
    fn the_customer_is_named_when_it_is_known_who_it_is() {
        let template = Template::parse("{customer.name|There} is {name}.", &constants(), &["name"]).unwrap();
        assert_eq!(template.fill(|_| Some("Ada".to_owned())).unwrap(), "{customer.name|There} is Ada.");
        let field = Template::parse("{customer.name}", &constants(), &["customer.name"]).unwrap();
        assert_eq!(field.fields().collect::<Vec<_>>(), ["customer.name"], "a field of a look-up may be called so");
        assert!(Template::parse_plain("https://a.example/{customer.name|x}", &constants(), &[]).is_err());
    }

    #[test]
    fn everything_outside_the_subset_is_refused() {
        let refused = [
            "",
            "  \n ",
            "# Title",
            "> said",
            "1. first",
            "* item",
            "+ item",
            "use `code`",
            "a <b>bold</b> word",
            "**open",
            "an *italic* word",
            "an _italic_ word",
            "![x](https://a.example)",
            "[x](http://a.example)",
            "[x](javascript:alert)",
            "[x](https://a.example",
            "[](https://a.example)",
            "a ] b",
            "| table",
            "{unknown}",
            "{",
            "}",
            "{a b}",
            "{}",
            "{.}",
            "{a..b}",
            "{customer.name}",
            "{customer.name|}",
            "{customer}",
            "{name|there}",
            "[x]({customer.link|https://a.example})",
        ];
        for text in refused {
            assert!(Template::parse(text, &constants(), &["name"]).is_err(), "accepted {text:?}");
        }
    }

    #[test]
    fn the_whole_subset_is_accepted() {
        let text = "A **bold** word, 3 < 4, snake_case and a [link](https://shop.example/a_b).\n\n- one\n- [mail](mailto:a@b.example)\n- [track]({url})";
        let template = Template::parse(text, &Constants::new(), &["url"]).unwrap();
        assert!(template.is_link("url"));
        assert_eq!(template.fields().collect::<Vec<_>>(), ["url"]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(?s).{0,80}") {
            let _ = Template::parse(&text, &constants(), &["name"]);
            let _ = check_plain(&text, 60);
        }

        #[test]
        fn an_accepted_text_without_fields_is_kept(text in "[a-z ]{1,30}[a-z]") {
            let template = Template::parse(&text, &constants(), &[]).unwrap();
            prop_assert_eq!(template.fill(|_| None).unwrap(), text.trim());
        }
    }
}
