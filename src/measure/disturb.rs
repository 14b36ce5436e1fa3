//! Typing mistakes, made on purpose and repeatably: how much of a figure is left when people type
//! as they do.
//!
//! Knows characters and a keyboard; must not know what a text says.

use crate::random::Random;

/// Rows of a QWERTY keyboard; keys beside each other in a row, and above one another, are near.
const KEYBOARD: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
/// Kinds of mistakes, equally frequent: swapped, left out, doubled, the key beside.
const KINDS: usize = 4;

/// The text with about a `share` (0 to 1) of its letters mistyped: swapped with the next one, left
/// out, doubled, or replaced by a key beside it. Only ASCII letters are touched; their case is kept.
pub(crate) fn disturb(text: &str, share: f32, random: &mut Random) -> String {
    let signs: Vec<char> = text.chars().collect();
    let mut typed = String::with_capacity(text.len());
    let mut at = 0;
    while at < signs.len() {
        let sign = signs[at];
        at += 1;
        if !sign.is_ascii_alphabetic() || random.unit() >= share {
            typed.push(sign);
            continue;
        }
        match random.below(KINDS) {
            // A last letter has nothing to be swapped with, and stays.
            0 => {
                if let Some(next) = signs.get(at).filter(|next| next.is_ascii_alphabetic()) {
                    typed.push(*next);
                    at += 1;
                }
                typed.push(sign);
            }
            1 => {}
            2 => typed.extend([sign, sign]),
            _ => typed.push(beside(sign, random)),
        }
    }
    typed
}

/// A key beside the one of this letter.
fn beside(letter: char, random: &mut Random) -> char {
    let lower = letter.to_ascii_lowercase();
    let key = |row: usize, column: usize| KEYBOARD.get(row).and_then(|keys| keys.chars().nth(column));
    let place = KEYBOARD.iter().enumerate().find_map(|(row, keys)| Some((row, keys.find(lower)?)));
    let Some((row, column)) = place else { return letter };
    let near = [
        key(row, column.wrapping_sub(1)),
        key(row, column + 1),
        key(row.wrapping_sub(1), column),
        key(row + 1, column),
    ];
    let near: Vec<char> = near.into_iter().flatten().collect();
    let found = near[random.below(near.len())];
    if letter.is_ascii_uppercase() { found.to_ascii_uppercase() } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Where is my order 40213? It was due on Monday, the café said.";

    #[test]
    fn a_seed_gives_the_same_mistakes_and_no_share_gives_none() {
        assert_eq!(disturb(TEXT, 0.3, &mut Random::new(7)), disturb(TEXT, 0.3, &mut Random::new(7)));
        assert_ne!(disturb(TEXT, 0.3, &mut Random::new(7)), disturb(TEXT, 0.3, &mut Random::new(8)));
        assert_eq!(disturb(TEXT, 0.0, &mut Random::new(7)), TEXT);
    }

    #[test]
    fn only_letters_are_touched() {
        for seed in 0..50 {
            let kept = |text: &str| text.chars().filter(|sign| !sign.is_ascii_alphabetic()).collect::<String>();
            assert_eq!(kept(&disturb(TEXT, 1.0, &mut Random::new(seed))), kept(TEXT));
        }
    }

    #[test]
    fn about_the_share_of_letters_is_mistyped() {
        let long = "a".repeat(20_000);
        // A doubled, a missing and a neighbouring key show in a text of one letter; a swap does not.
        let typed = disturb(&long, 0.1, &mut Random::new(3));
        let wrong = typed.chars().filter(|sign| *sign != 'a').count();
        assert!((350..650).contains(&wrong), "{wrong} of about 500");
    }

    #[test]
    fn keys_beside_are_beside() {
        let found: std::collections::BTreeSet<char> =
            (0..100).map(|seed| beside('G', &mut Random::new(seed))).collect();
        assert_eq!(found.into_iter().collect::<String>(), "BFHT");
    }
}
