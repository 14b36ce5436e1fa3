//! The widget's scripts as they are served: without comments and indentation, and the loader in one piece.
//!
//! It knows how the files under `widget/` are written (one statement of import or export a line, comments on
//! lines of their own or after a blank at a line's end) and nothing of what they do.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What the loader is made of, in the order in which one needs the other.
pub(super) const LOADER_PARTS: [&str; 6] =
    ["language.js", "contrast.js", "sheet.js", "launcher-style.js", "launcher.js", "loader.js"];
/// What stands before the launcher's words in a file of texts: JSON and a semicolon follow.
const WORDS: &str = "export const launcher = ";

/// A script without comments, indentation and empty lines. Its lines stay lines, so that an error still names
/// a statement.
pub(super) fn lean(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut in_comment = false;
    for line in source.lines() {
        let line = line.trim();
        if in_comment || line.starts_with("/*") {
            in_comment = !line.ends_with("*/");
            continue;
        }
        let line = without_remark(line);
        if !line.is_empty() {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// A line without `// why` at its end. What has a quotation mark behind the slashes may be a text with slashes
/// in it, and stays.
fn without_remark(line: &str) -> &str {
    if line.starts_with("//") {
        return "";
    }
    match line.rsplit_once(" // ") {
        Some((before, remark)) if !remark.contains(['"', '\'', '`']) => before.trim_end(),
        _ => line,
    }
}

/// The loader as one script that leaves no name behind. `parts` are the files of [`LOADER_PARTS`]; `words` is
/// the object of what the launcher says, `triggers` that of the invitations, both as JSON.
pub(super) fn loader(parts: &[Cow<'_, str>], words: &str, triggers: &str, build: &str) -> String {
    let mut script = String::from("(() => {\n\"use strict\";\n");
    for part in parts {
        for line in lean(part).lines().filter(|line| !line.starts_with("import {")) {
            script.push_str(line.strip_prefix("export ").unwrap_or(line));
            script.push('\n');
        }
    }
    script.push_str("})();\n");
    script.replace("__BUILD__", build).replace("\"__WORDS__\"", words).replace("\"__TRIGGERS__\"", triggers)
}

/// The launcher's words of every language in one JSON object. `texts` are languages and their files; one
/// without such a line is left out.
pub(super) fn words<'a>(texts: impl Iterator<Item = (&'a str, Cow<'a, str>)>) -> String {
    let mut all = String::from("{");
    for (language, text) in texts {
        let found = text.lines().find_map(|line| line.strip_prefix(WORDS)?.strip_suffix(';'));
        if let Some(object) = found {
            let comma = if all.len() > 1 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(all, "{comma}\"{language}\":{object}");
        }
    }
    all.push('}');
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_texts_stay() {
        let source = "/**\n * What it does.\n */\nexport function f() {\n  // Why.\n  const a = 1; // so many\n\n  \
            return `https://x.example // \"${a}\"`;\n}\n";
        assert_eq!(lean(source), "export function f() {\nconst a = 1;\nreturn `https://x.example // \"${a}\"`;\n}\n");
        assert_eq!(lean("/* one line */\na();\n"), "a();\n");
    }

    #[test]
    fn the_loader_is_one_function_with_everything_filled_in() {
        let parts = [
            "export const a = 1;\n".into(),
            "import { a } from \"./a.js\";\nuse(a, \"__WORDS__\", \"__TRIGGERS__\", \"__BUILD__\");\n".into(),
        ];
        let words = words(
            [("en", "// x\nexport const launcher = {\"openChat\":\"Open\"};\n".into()), ("xx", "".into())].into_iter(),
        );
        assert_eq!(
            loader(&parts, &words, "[]", "b1"),
            "(() => {\n\"use strict\";\nconst a = 1;\nuse(a, {\"en\":{\"openChat\":\"Open\"}}, [], \"b1\");\n})();\n"
        );
    }
}
