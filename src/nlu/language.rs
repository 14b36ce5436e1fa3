//! Which language a text is written in, from its letters alone.

use whatlang::{Lang, detect};

/// Fewer letters than this say too little.
const MIN_LETTERS: usize = 18;
/// Below this confidence nothing is said; a wrong language is worse than none.
const MIN_CONFIDENCE: f64 = 0.6;

/// ISO 639-1 code, or none if the text is too short or could be one of several languages.
pub(crate) fn detect_language(text: &str) -> Option<String> {
    let letters = text.chars().filter(|letter| letter.is_alphabetic());
    // A Chinese or Japanese letter says as much as a few Latin ones.
    let weight: usize = letters.map(|letter| if letter.is_ascii() { 1 } else { 1 + usize::from(letter as u32 > 0x2E80) * 4 }).sum();
    if weight < MIN_LETTERS {
        return None;
    }
    let found = detect(text)?;
    if !found.is_reliable() && found.confidence() < MIN_CONFIDENCE {
        return None;
    }
    two_letters(found.lang()).map(str::to_owned)
}

fn two_letters(language: Lang) -> Option<&'static str> {
    let code = match language.code() {
        "afr" => "af", "aka" => "ak", "amh" => "am", "ara" => "ar", "aze" => "az", "bel" => "be", "ben" => "bn",
        "bul" => "bg", "cat" => "ca", "ces" => "cs", "cmn" => "zh", "cym" => "cy", "dan" => "da", "deu" => "de",
        "ell" => "el", "eng" => "en", "epo" => "eo", "est" => "et", "fin" => "fi", "fra" => "fr", "guj" => "gu",
        "heb" => "he", "hin" => "hi", "hrv" => "hr", "hun" => "hu", "hye" => "hy", "ind" => "id", "ita" => "it",
        "jav" => "jv", "jpn" => "ja", "kan" => "kn", "kat" => "ka", "khm" => "km", "kor" => "ko", "lat" => "la",
        "lav" => "lv", "lit" => "lt", "mal" => "ml", "mar" => "mr", "mkd" => "mk", "mya" => "my", "nep" => "ne",
        "nld" => "nl", "nob" => "nb", "ori" => "or", "pan" => "pa", "pes" => "fa", "pol" => "pl", "por" => "pt",
        "ron" => "ro", "rus" => "ru", "sin" => "si", "slk" => "sk", "slv" => "sl", "sna" => "sn", "spa" => "es",
        "srp" => "sr", "swe" => "sv", "tam" => "ta", "tel" => "te", "tgl" => "tl", "tha" => "th", "tuk" => "tk",
        "tur" => "tr", "ukr" => "uk", "urd" => "ur", "uzb" => "uz", "vie" => "vi", "yid" => "yi", "zul" => "zu",
        _ => return None,
    };
    Some(code)
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
            ("Hace dos semanas que pedí un abrigo y todavía no ha llegado a mi casa.", Some("es")),
            ("我两周前订购了一件外套，但还没有收到。", Some("zh")),
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
