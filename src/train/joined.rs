//! Two turns of one writer made one: a calm sentence beside an angry one must not drown it, and two
//! calm ones must not add up to anger. Knows texts and what they teach, not where they come from.

use super::network::Example;
use crate::measure::labels::NEUTRAL;
use crate::random::Random;

/// Longer turns are not joined, in bytes: what comes of two of them resembles no chat message.
const LONGEST: usize = 110;
/// The other turn is one of the next so many, which are nearly always of the same file.
const NEAR: usize = 40;
/// Tries to find another turn that fits.
const TRIES: usize = 8;

/// For each short turn a text of it and another; `weight` is what a row counts in the polarity. The
/// frustration is the higher of the two. Turns that are glad and unhappy make no pair,
/// because their order would say which mood is the last.
pub(crate) fn joined(turns: &[Example], weight: f32, seed: u64) -> Vec<Example> {
    let mut random = Random::new(seed ^ 0x006A_6F69);
    let short = |turn: &&Example| turn.text.len() <= LONGEST && turn.sentiment.is_some();
    let turns: Vec<&Example> = turns.iter().filter(short).collect();
    let mut all = Vec::with_capacity(turns.len());
    for (at, turn) in turns.iter().enumerate() {
        let pair = (0..TRIES).find_map(|_| {
            let other = turns.get(at + 1 + random.below(NEAR))?;
            Some((*other, stronger(turn, other)?))
        });
        let Some((other, class)) = pair else { continue };
        let (first, second) = if random.unit() < 0.5 { (*turn, other) } else { (other, *turn) };
        let mut shares = [0.0; 3];
        shares[class] = 1.0;
        let frustration = [first, second].into_iter().filter_map(|turn| turn.frustration);
        all.push(Example {
            text: join(&first.text, &second.text, &mut random),
            emotions: None,
            sentiment: Some((shares, weight)),
            frustration: frustration.reduce(|one, other| if other.0 > one.0 { other } else { one }),
        });
    }
    all
}

/// The polarity of the two together: the one that is not neutral; none if they contradict.
fn stronger(one: &Example, other: &Example) -> Option<usize> {
    let class = |example: &Example| {
        let (shares, _) = example.sentiment?;
        shares.iter().position(|share| *share > 0.5)
    };
    match (class(one)?, class(other)?) {
        (left, right) if left == right => Some(left),
        (left, right) if left == NEUTRAL => Some(right),
        (left, right) if right == NEUTRAL => Some(left),
        _ => None,
    }
}

/// Two sentences, a comma between them, or two lines.
fn join(first: &str, second: &str, random: &mut Random) -> String {
    let bare = first.trim_end_matches(['.', ',', '!', ';', ' ']);
    match random.below(8) {
        0 => format!("{first}\n{second}"),
        1 | 2 if !first.ends_with('?') => format!("{bare}, {second}"),
        3 if !first.ends_with('?') => format!("{bare} and {second}"),
        4 if first.ends_with(|sign: char| sign.is_alphanumeric()) => format!("{first} {second}"),
        _ if first.ends_with(|sign: char| sign.is_alphanumeric()) => format!("{first}. {second}"),
        _ => format!("{first} {second}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::labels::{NEGATIVE, POSITIVE};

    fn turn(text: &str, class: usize, frustration: f32) -> Example {
        let mut shares = [0.0; 3];
        shares[class] = 1.0;
        Example {
            text: text.to_owned(),
            emotions: None,
            sentiment: Some((shares, 1.0)),
            frustration: Some((frustration, 4.0)),
        }
    }

    #[test]
    fn the_angrier_half_decides_and_contradictions_make_no_pair() {
        let turns: Vec<Example> = (0..30)
            .flat_map(|_| {
                [turn("where is it", NEUTRAL, 0.0), turn("I am fed up.", NEGATIVE, 1.0), turn("ta!", POSITIVE, 0.0)]
            })
            .collect();
        let pairs = joined(&turns, 2.0, 7);
        assert!(pairs.len() > 60, "{}", pairs.len());
        for pair in &pairs {
            let angry = pair.text.contains("fed up");
            assert_eq!(pair.frustration, Some((f32::from(u8::from(angry)), 4.0)), "{}", pair.text);
            assert!(!(angry && pair.text.contains("ta")), "{}", pair.text);
            let class = if angry {
                NEGATIVE
            } else if pair.text.contains("ta") {
                POSITIVE
            } else {
                NEUTRAL
            };
            let (shares, weight) = pair.sentiment.unwrap();
            assert!((shares[class] - 1.0).abs() < 1e-6 && weight == 2.0);
        }
        let text = |pairs: &[Example]| pairs.iter().map(|pair| pair.text.clone()).collect::<Vec<_>>();
        assert_eq!(text(&pairs), text(&joined(&turns, 2.0, 7)), "the seed decides");
    }
}
