//! Visible cues of a text: how it is typed, and a few words that say much. They stand beside the
//! model's features in the frustration head, because a lower-casing encoder cannot see shouting.

use super::lexicon::{self, BOT, CONTEMPT, PERSON, REPETITION, SWEARING, THANKS};

/// Names of the cues, in the order of [`cues`]. Stored in the model's configuration, so that
/// weights and cues cannot drift apart.
pub(crate) const CUES: [&str; 11] = [
    "shouting",
    "exclamation",
    "mixed_marks",
    "stretched",
    "swearing",
    "repetition",
    "contempt",
    "thanks",
    "bot",
    "person",
    "length",
];

/// The cues of one text, each 0 to 1.
pub(crate) fn cues(text: &str) -> [f32; CUES.len()] {
    let words = lexicon::words(text);
    let count = |list: &[&str], enough: f32| (lexicon::matches(&words, list).len() as f32 / enough).min(1.0);
    let exclamations = text.matches('!').count() as f32;
    [
        shouting(text),
        (exclamations / 3.0).min(1.0),
        f32::from(u8::from(has_mixed_marks(text))),
        f32::from(u8::from(words.iter().any(|word| is_stretched(word)))),
        count(SWEARING, 1.0),
        count(REPETITION, 2.0),
        count(CONTEMPT, 2.0),
        count(THANKS, 2.0),
        count(BOT, 1.0),
        count(PERSON, 1.0),
        ((words.len() as f32 + 1.0).ln() / 5.0).min(1.0),
    ]
}

/// Share of words typed in capitals, among words of three letters or more; 0 unless there are two
/// such words, so that order numbers and country codes do not shout.
fn shouting(text: &str) -> f32 {
    let words = text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() > 2 && word.chars().all(char::is_alphabetic));
    let (mut all, mut loud) = (0_u16, 0_u16);
    for word in words {
        all = all.saturating_add(1);
        loud = loud.saturating_add(u16::from(word.chars().all(char::is_uppercase)));
    }
    if loud < 2 { 0.0 } else { f32::from(loud) / f32::from(all) }
}

/// Two or more question marks in a row, or question and exclamation mark together.
fn has_mixed_marks(text: &str) -> bool {
    ["??", "?!", "!?"].iter().any(|marks| text.contains(marks))
}

/// A letter three times in a row: `sooo`.
fn is_stretched(word: &str) -> bool {
    let mut threes = word.chars().zip(word.chars().skip(1)).zip(word.chars().skip(2));
    threes.any(|((first, second), third)| first == second && second == third && first.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(text: &str, name: &str) -> f32 {
        cues(text)[CUES.iter().position(|cue| *cue == name).unwrap()]
    }

    #[test]
    fn an_order_number_does_not_shout_and_a_shouted_line_does() {
        assert_eq!(cue("Where is JT-1042? I live in the UK", "shouting"), 0.0);
        assert!(cue("WHERE IS MY ORDER", "shouting") > 0.9);
        assert!(cue("this is SO ABSOLUTELY WRONG", "shouting") > 0.3);
    }

    #[test]
    fn words_and_marks_are_found() {
        assert_eq!(cue("what the hell", "swearing"), 1.0);
        assert_eq!(cue("I already told you, and I am still waiting", "repetition"), 1.0);
        assert_eq!(cue("really?!", "mixed_marks"), 1.0);
        assert_eq!(cue("really?", "mixed_marks"), 0.0);
        assert_eq!(cue("sooooo slow", "stretched"), 1.0);
        assert_eq!(cue("1000 pounds", "stretched"), 0.0);
        assert_eq!(cue("useless bot, absolutely pathetic", "contempt"), 1.0);
    }

    #[test]
    fn every_cue_stays_between_0_and_1() {
        let long = "FUCK you useless bot!!! again again still ".repeat(200);
        for text in ["", "a", "?!?!?!", long.as_str()] {
            for (name, value) in CUES.iter().zip(cues(text)) {
                assert!((0.0..=1.0).contains(&value), "{name} is {value}");
            }
        }
    }
}
