//! Words out of the log: the sentence that carries an intent, the sentences that name a time, and where a quote ends.

use crate::domain::{IntentScore, TurnRecord};

/// Letters of a quote at most.
const QUOTE: usize = 240;

/// The sentence that an intent was read in, if the readings of the sentences tell.
pub(super) fn sentence_of<'t>(text: &'t str, intent: &str, turn: &TurnRecord) -> Option<&'t str> {
    let read = turn.trace.pointer("/analysis/sentences")?.clone();
    let read: Vec<Vec<IntentScore>> = serde_json::from_value(read).ok()?;
    let whole: Vec<&str> = sentences(text).filter(|sentence| count_words(sentence) >= 2).collect();
    if whole.len() != read.len() {
        return None;
    }
    let mut carrying = whole.into_iter().zip(&read).filter(|(_, scores)| {
        scores.iter().max_by(|a, b| a.probability.total_cmp(&b.probability)).is_some_and(|best| best.name == intent)
    });
    carrying.next().map(|(sentence, _)| sentence)
}

pub(super) fn count_words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
}

/// A mark before a blank ends a sentence, and so does a new line.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let ends = |line: &str, at: usize, mark: char| {
        matches!(mark, '.' | '!' | '?' | ';') && line[at + mark.len_utf8()..].starts_with(char::is_whitespace)
    };
    text.lines().flat_map(move |line| {
        let mut start = 0;
        let mut parts: Vec<&str> = Vec::new();
        for (at, mark) in line.char_indices().filter(|(at, mark)| ends(line, *at, *mark)) {
            let end = at + mark.len_utf8();
            parts.push(&line[start..end]);
            start = end;
        }
        parts.push(&line[start..]);
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>()
    })
}

/// A text of the Markdown subset without its signs.
pub(super) fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('[') {
        words.push_str(before);
        match from.split_once("](").and_then(|(label, after)| Some((label, after.split_once(')')?.1))) {
            Some((label, after)) => {
                words.push_str(label);
                rest = after;
            }
            None => rest = from,
        }
    }
    words.push_str(rest);
    let lines = words.lines().map(|line| line.trim().strip_prefix("- ").unwrap_or_else(|| line.trim()));
    lines.collect::<Vec<_>>().join("\n").replace("**", "")
}

/// Whether a sentence names a span ("5 working days", "within an hour") or a day ("2026-11-30", "4 January").
pub(super) fn names_a_time(sentence: &str) -> bool {
    const UNITS: [&str; 5] = ["minute", "hour", "day", "week", "month"];
    const NUMBERS: [&str; 12] =
        ["a", "an", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = sentence.to_lowercase();
    let words: Vec<&str> =
        lower.split_whitespace().map(|word| word.trim_matches(|sign: char| !sign.is_alphanumeric())).collect();
    let digits = |word: &str| word.starts_with(|sign: char| sign.is_ascii_digit());
    words.iter().enumerate().any(|(at, word)| {
        let before = words.get(at.saturating_sub(3)..at).unwrap_or_default();
        let beside = words.get(at + 1).is_some_and(|next| digits(next));
        let unit = UNITS.contains(&word.trim_end_matches('s'));
        let month = MONTHS.contains(word) && (beside || before.last().is_some_and(|last| digits(last)));
        let counted = before.iter().rev().take(2).any(|word| digits(word) || NUMBERS.contains(word));
        (unit && counted) || month || word.parse::<jiff::civil::Date>().is_ok()
    })
}

/// As much of a text as a quote has, cut between words.
pub(super) fn cut(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(QUOTE) else { return text };
    let kept = &text[..end];
    let kept = kept.rsplit_once(' ').map_or(kept, |(whole, _)| whole);
    format!("{kept} …")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_days_are_times_and_other_numbers_are_not() {
        for sentence in [
            "We refund within 5 working days of getting it back.",
            "Banks take 2 to 3 days more.",
            "It is emailed within an hour.",
            "It is expected on 2026-11-30.",
            "It comes on 4 January.",
            "It is open again on January 4.",
        ] {
            assert!(names_a_time(sentence), "{sentence}");
        }
        for sentence in
            ["Order JT-1042 is on its way.", "You may send it back any day.", "It costs 3.95.", "You may order."]
        {
            assert!(!names_a_time(sentence), "{sentence}");
        }
    }

    #[test]
    fn a_quote_has_no_signs_and_ends_between_words() {
        assert_eq!(plain("- **Late** [follow it](https://a.example/x) now [ok"), "Late follow it now ok");
        let long = "word ".repeat(100);
        let quote = cut(&long);
        assert!(quote.ends_with("word …") && quote.chars().count() <= QUOTE + 2, "{quote}");
        assert_eq!(cut(" two\n lines "), "two lines");
        assert_eq!(cut(&"é".repeat(300)).chars().count(), QUOTE + 2);
    }

    #[test]
    fn sentences_end_at_marks_and_lines() {
        let parts: Vec<&str> = sentences("Hi. It cost £4.50!! Why?\nTell me").collect();
        assert_eq!(parts, ["Hi.", "It cost £4.50!!", "Why?", "Tell me"]);
    }
}
