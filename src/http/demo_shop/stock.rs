//! Stock of the demo shop: its pieces, and which sizes are there.

use crate::http::error::{ApiResult, Problem};
use crate::http::extract::{Json, Query};
use serde::{Deserialize, Serialize};

/// One piece. Its sizes stand in order; the sign says how many are there: `+` enough, `~` a few, `-` none.
struct Piece {
    name: &'static str,
    /// What else customers call it, in lower case.
    also: &'static [&'static str],
    colour: &'static str,
    sizes: &'static [(&'static str, char)],
}

static PIECES: [Piece; 11] = [
    Piece {
        name: "Linen shirt",
        also: &["shirt"],
        colour: "sage",
        sizes: &[("XS", '+'), ("S", '+'), ("M", '+'), ("L", '~'), ("XL", '-'), ("XXL", '+')],
    },
    Piece {
        name: "Merino jumper",
        also: &["jumper", "cable jumper", "sweater", "pullover"],
        colour: "juniper",
        sizes: &[("XS", '-'), ("S", '~'), ("M", '+'), ("L", '+'), ("XL", '+'), ("XXL", '-')],
    },
    Piece {
        name: "Orchard wrap dress",
        also: &["orchard dress", "wrap dress", "dress"],
        colour: "clay",
        sizes: &[("8", '+'), ("10", '+'), ("12", '~'), ("14", '-'), ("16", '+'), ("18", '+'), ("20", '-')],
    },
    Piece {
        name: "Fieldfare cords",
        also: &["cords", "corduroys", "cord trousers"],
        colour: "bracken",
        sizes: &[("8", '~'), ("10", '+'), ("12", '+'), ("14", '+'), ("16", '-'), ("18", '+'), ("20", '+'), ("22", '~')],
    },
    Piece { name: "Staithe scarf", also: &["scarf"], colour: "river blue", sizes: &[] },
    Piece {
        name: "Long market coat",
        also: &["market coat", "wool coat", "coat"],
        colour: "oat",
        sizes: &[("S", '-'), ("M", '~'), ("L", '+'), ("XL", '+')],
    },
    Piece {
        name: "Corduroy overshirt",
        also: &["overshirt", "cord overshirt"],
        colour: "rust",
        sizes: &[("S", '+'), ("M", '+'), ("L", '+'), ("XL", '~')],
    },
    Piece {
        name: "Waxed jacket",
        also: &["jacket", "wax jacket"],
        colour: "olive",
        sizes: &[("S", '~'), ("M", '-'), ("L", '+'), ("XL", '+')],
    },
    Piece {
        name: "Pleated trousers",
        also: &["trousers"],
        colour: "navy",
        sizes: &[("8", '+'), ("10", '+'), ("12", '+'), ("14", '~'), ("16", '+')],
    },
    Piece { name: "Wool socks", also: &["socks"], colour: "undyed grey", sizes: &[] },
    Piece { name: "Canvas tote", also: &["tote", "tote bag", "canvas bag"], colour: "natural", sizes: &[] },
];

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::http) struct Wanted {
    article: String,
    size: String,
}

/// What there is of it.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(in crate::http) struct Stock {
    article: &'static str,
    colour: &'static str,
    /// The shop's name for the size; what was asked for if the piece is not made in it.
    size: String,
    /// `in_stock`, `low`, `sold_out`, `not_made`, `one_size`.
    availability: &'static str,
    /// The sizes that are there.
    sizes: Vec<&'static str>,
}

/// `GET /demo/api/stock?article=linen shirt&size=M`: whether a piece is there in a size.
///
/// # Errors
/// `not_found` if the shop has no such piece.
pub(in crate::http) async fn show(Query(wanted): Query<Wanted>) -> ApiResult<Json<Stock>> {
    Ok(Json(look(&wanted).ok_or(Problem::NotFound)?))
}

fn look(wanted: &Wanted) -> Option<Stock> {
    let piece = find(&wanted.article)?;
    let asked = uk_sizes(&wanted.size);
    let fits = |(label, _): &&(&'static str, char)| uk_sizes(label).iter().any(|size| asked.contains(size));
    // A letter may mean two numbers: what is there counts.
    let best = piece.sizes.iter().filter(fits).min_by_key(|(_, stock)| ['+', '~', '-'].iter().position(|s| s == stock));
    let (size, availability) = match best {
        _ if piece.sizes.is_empty() => ("one size".to_owned(), "one_size"),
        Some((label, '+')) => ((*label).to_owned(), "in_stock"),
        Some((label, '~')) => ((*label).to_owned(), "low"),
        Some((label, _)) => ((*label).to_owned(), "sold_out"),
        None => (wanted.size.trim().chars().take(20).collect(), "not_made"),
    };
    let there = piece.sizes.iter().filter(|(_, stock)| *stock != '-').map(|(label, _)| *label);
    Some(Stock { article: piece.name, colour: piece.colour, size, availability, sizes: there.collect() })
}

/// The piece whose longest name stands in the words, as whole words.
fn find(words: &str) -> Option<&'static Piece> {
    let words: Vec<String> = words.split(|sign: char| !sign.is_alphanumeric()).map(str::to_lowercase).collect();
    let words = format!(" {} ", words.join(" "));
    let names = |piece: &'static Piece| {
        let longest = piece.also.iter().map(|name| (*name).to_owned()).chain([piece.name.to_lowercase()]);
        longest.filter(|name| words.contains(&format!(" {name} "))).map(|name| name.len()).max()
    };
    PIECES
        .iter()
        .filter_map(|piece| Some((names(piece)?, piece)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, piece)| piece)
}

/// The UK sizes that a size stands for; none if it is not one.
fn uk_sizes(size: &str) -> &'static [u8] {
    let size = size.to_lowercase();
    let words = size.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !["", "size", "uk", "a"].contains(word));
    match words.collect::<Vec<_>>().join(" ").as_str() {
        "xs" | "extra small" | "6" => &[6],
        "s" | "small" => &[8, 10],
        "m" | "medium" => &[12, 14],
        "l" | "large" => &[16, 18],
        "xl" | "extra large" => &[20, 22],
        "xxl" | "2xl" | "24" => &[24],
        "8" => &[8],
        "10" => &[10],
        "12" => &[12],
        "14" => &[14],
        "16" => &[16],
        "18" => &[18],
        "20" => &[20],
        "22" => &[22],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(article: &str, size: &str) -> Option<(String, &'static str)> {
        look(&Wanted { article: article.into(), size: size.into() })
            .map(|stock| (format!("{} {}", stock.article, stock.size), stock.availability))
    }

    #[test]
    fn a_piece_is_found_under_its_names_and_a_size_under_its_forms() {
        for (article, size, told, availability) in [
            ("linen shirt", "M", "Linen shirt M", "in_stock"),
            ("LINEN  shirt", "size 14", "Linen shirt M", "in_stock"),
            ("the shirt", "large", "Linen shirt L", "low"),
            ("shirt", "XL", "Linen shirt XL", "sold_out"),
            ("overshirt", "xl", "Corduroy overshirt XL", "low"),
            ("wrap dress", "medium", "Orchard wrap dress 12", "low"),
            ("dress", "14", "Orchard wrap dress 14", "sold_out"),
            ("dress", "6", "Orchard wrap dress 6", "not_made"),
            ("coat", "purple", "Long market coat purple", "not_made"),
            ("scarf", "M", "Staithe scarf one size", "one_size"),
        ] {
            assert_eq!(ask(article, size), Some((told.to_owned(), availability)), "{article} {size}");
        }
        assert_eq!(ask("trainers", "M"), None);
        assert_eq!(ask("shirts", "M"), None, "half a word is not a name");
    }

    #[test]
    fn there_is_always_another_size_to_name() {
        for piece in PIECES.iter().filter(|piece| !piece.sizes.is_empty()) {
            assert!(piece.sizes.iter().any(|(_, stock)| *stock != '-'), "{}", piece.name);
            assert!(piece.sizes.iter().all(|(label, stock)| !uk_sizes(label).is_empty() && "+~-".contains(*stock)));
        }
    }
}
