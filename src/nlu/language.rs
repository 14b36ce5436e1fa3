//! Which language a text is written in, from its letters alone.

use std::sync::LazyLock;
use whatlang::{Detector, Lang};

/// Fewer letters than this say too little.
const MIN_LETTERS: usize = 18;
/// Below this confidence nothing is said; a wrong language is worse than none.
const MIN_CONFIDENCE: f64 = 0.4;
/// The languages told apart, with their ISO 639-1 codes. Small neighbours of big languages
/// (Catalan, Afrikaans, Esperanto ...) are left out: they cost the big ones more than they bring.
const LANGUAGES: [(Lang, &str); 37] = [
    (Lang::Ara, "ar"),
    (Lang::Ben, "bn"),
    (Lang::Bul, "bg"),
    (Lang::Ces, "cs"),
    (Lang::Cmn, "zh"),
    (Lang::Dan, "da"),
    (Lang::Deu, "de"),
    (Lang::Ell, "el"),
    (Lang::Eng, "en"),
    (Lang::Est, "et"),
    (Lang::Fin, "fi"),
    (Lang::Fra, "fr"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Hrv, "hr"),
    (Lang::Hun, "hu"),
    (Lang::Ind, "id"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Lav, "lv"),
    (Lang::Lit, "lt"),
    (Lang::Nld, "nl"),
    (Lang::Nob, "nb"),
    (Lang::Pes, "fa"),
    (Lang::Pol, "pl"),
    (Lang::Por, "pt"),
    (Lang::Ron, "ro"),
    (Lang::Rus, "ru"),
    (Lang::Slk, "sk"),
    (Lang::Spa, "es"),
    (Lang::Swe, "sv"),
    (Lang::Tha, "th"),
    (Lang::Tur, "tr"),
    (Lang::Ukr, "uk"),
    (Lang::Urd, "ur"),
    (Lang::Vie, "vi"),
];

static DETECTOR: LazyLock<Detector> =
    LazyLock::new(|| Detector::with_allowlist(LANGUAGES.iter().map(|(language, _)| *language).collect()));

/// ISO 639-1 code, or none if the text is too short or could be one of several languages.
pub(crate) fn detect_language(text: &str) -> Option<String> {
    // A Chinese or Japanese letter says as much as a few Latin ones.
    let worth = |letter: char| if letter > '\u{2E80}' { 5 } else { 1 };
    let letters = text.chars().filter(|letter| letter.is_alphabetic());
    if letters.map(worth).sum::<usize>() < MIN_LETTERS {
        return None;
    }
    let found = DETECTOR.detect(text)?;
    if !found.is_reliable() && found.confidence() < MIN_CONFIDENCE {
        return None;
    }
    LANGUAGES.iter().find(|(language, _)| *language == found.lang()).map(|(_, code)| (*code).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_recognised_and_scraps_are_not() {
        let cases = [
            ("I ordered a coat two weeks ago and it has still not arrived at my house.", Some("en")),
            ("Ich habe vor zwei Wochen einen Mantel bestellt und er ist noch nicht angekommen.", Some("de")),
            ("J'ai commandé un manteau il y a deux semaines et je ne l'ai toujours pas reçu.", Some("fr")),
            ("¿Dónde está mi pedido? Lo necesito para mañana.", Some("es")),
            ("我两周前订购了一件外套，但还没有收到。", Some("zh")),
            ("can i swap the jumper for a bigger one", Some("en")),
            ("lol ok thanks bro gimme discount plz", None),
            ("JT-1042 XL blue cotton hoodie", None),
            ("ok", None),
            ("JT-1042", None),
            ("", None),
            ("thanks", None),
        ];
        for (text, expected) in cases {
            assert_eq!(detect_language(text).as_deref(), expected, "{text}");
        }
    }
}
