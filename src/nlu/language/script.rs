//! Languages that their letters give away.

use std::sync::LazyLock;
use whatlang::{Detector, Lang};

/// What the letters of a text say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// One language, by its code.
    Language(&'static str),
    /// Latin letters: the words have to tell.
    Latin,
    /// Too few letters, a mixture, or a script of several languages that could not be told apart.
    Unsure,
}

/// Fewer letters than this say too little, in alphabets.
const MIN_LETTERS: usize = 8;
/// ... and in scripts where a sign is a syllable or a word.
const MIN_SIGNS: usize = 4;
/// A text is in a script if this share of its letters is; the rest may be a product's name.
const MOST: f32 = 0.6;

static CYRILLIC: LazyLock<Detector> = LazyLock::new(|| Detector::with_allowlist(vec![Lang::Rus, Lang::Ukr, Lang::Bul]));
static ARABIC: LazyLock<Detector> = LazyLock::new(|| Detector::with_allowlist(vec![Lang::Ara, Lang::Pes, Lang::Urd]));

/// Letters of a text by script.
#[derive(Default)]
struct Letters {
    all: usize,
    latin: usize,
    greek: usize,
    cyrillic: usize,
    hebrew: usize,
    arabic: usize,
    devanagari: usize,
    bengali: usize,
    thai: usize,
    hangul: usize,
    kana: usize,
    han: usize,
}

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self::default();
        for letter in text.chars().filter(|letter| letter.is_alphabetic()) {
            letters.all += 1;
            let count = match letter {
                '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => &mut letters.latin,
                '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => &mut letters.greek,
                '\u{400}'..='\u{52f}' => &mut letters.cyrillic,
                '\u{590}'..='\u{5ff}' => &mut letters.hebrew,
                '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{feff}' => &mut letters.arabic,
                '\u{900}'..='\u{97f}' => &mut letters.devanagari,
                '\u{980}'..='\u{9ff}' => &mut letters.bengali,
                '\u{e00}'..='\u{e7f}' => &mut letters.thai,
                '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7af}' => &mut letters.hangul,
                '\u{3040}'..='\u{30ff}' => &mut letters.kana,
                '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => &mut letters.han,
                _ => continue,
            };
            *count += 1;
        }
        letters
    }
}

/// What the letters of a text say about its language.
pub(super) fn of(text: &str) -> Found {
    let letters = Letters::of(text);
    let is_most = |count: usize, least: usize| count >= least && count as f32 >= MOST * letters.all as f32;
    // A sign of these says as much as several letters of a product's name beside it.
    let east = letters.han + letters.kana + letters.hangul;
    if east >= MIN_SIGNS && east * 3 >= letters.latin {
        return Found::Language(if letters.hangul * 2 >= east {
            "ko"
        } else if letters.kana > 0 {
            "ja"
        } else {
            "zh"
        });
    }
    if is_most(letters.greek, MIN_LETTERS) {
        Found::Language("el")
    } else if is_most(letters.hebrew, MIN_LETTERS) {
        Found::Language("he")
    } else if is_most(letters.devanagari, MIN_SIGNS) {
        Found::Language("hi")
    } else if is_most(letters.bengali, MIN_SIGNS) {
        Found::Language("bn")
    } else if is_most(letters.thai, MIN_LETTERS) {
        Found::Language("th")
    } else if is_most(letters.cyrillic, MIN_LETTERS) {
        cyrillic(text).map_or(Found::Unsure, Found::Language)
    } else if is_most(letters.arabic, MIN_LETTERS) {
        arabic(text).map_or(Found::Unsure, Found::Language)
    } else if is_most(letters.latin, 1) {
        Found::Latin
    } else {
        Found::Unsure
    }
}

/// Small words that only one of the neighbours has.
const RUSSIAN: [&str; 21] = [
    "что",
    "как",
    "мне",
    "меня",
    "где",
    "когда",
    "почему",
    "можно",
    "ли",
    "ещё",
    "еще",
    "и",
    "нужно",
    "пожалуйста",
    "деньги",
    "моя",
    "мой",
    "это",
    "или",
    "есть",
    "сколько",
];
const UKRAINIAN: [&str; 21] = [
    "що",
    "як",
    "мені",
    "мене",
    "де",
    "коли",
    "чому",
    "можна",
    "чи",
    "ще",
    "та",
    "потрібно",
    "ласка",
    "гроші",
    "моя",
    "мій",
    "це",
    "скільки",
    "мушу",
    "від",
    "або",
];
const BULGARIAN: [&str; 16] = [
    "какво",
    "защо",
    "къде",
    "кога",
    "мога",
    "може",
    "моля",
    "още",
    "съм",
    "ли",
    "да",
    "парите",
    "моята",
    "моят",
    "колко",
    "поръчка",
];

fn cyrillic(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase();
    let has = |letters: &[char]| lower.contains(letters);
    match (has(&['і', 'ї', 'є', 'ґ']), has(&['ы', 'э', 'ё'])) {
        (true, false) => return Some("uk"),
        (false, true) => return Some("ru"),
        _ => {}
    }
    let count =
        |list: &[&str]| lower.split(|sign: char| !sign.is_alphabetic()).filter(|word| list.contains(word)).count();
    let found = [("ru", count(&RUSSIAN)), ("uk", count(&UKRAINIAN)), ("bg", count(&BULGARIAN))];
    let most = found.iter().map(|(_, words)| *words).max()?;
    let mut best = found.iter().filter(|(_, words)| *words == most).map(|(code, _)| *code);
    if let (Some(only), None) = (best.next(), best.next()) {
        return Some(only);
    }
    let info = CYRILLIC.detect(text)?;
    let code = match info.lang() {
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Bul => "bg",
        _ => return None,
    };
    // Without the telling letters, a Ukrainian sentence is possible but rare.
    (info.is_reliable() || code == "ru").then_some(code)
}

fn arabic(text: &str) -> Option<&'static str> {
    let has = |letters: &[char]| text.contains(letters);
    if has(&['ٹ', 'ڈ', 'ڑ', 'ے', 'ں']) {
        return Some("ur");
    }
    if has(&['پ', 'چ', 'ژ', 'گ', 'ک', 'ی']) {
        return Some("fa");
    }
    if has(&['ة', 'ى', 'ي', 'ك', 'إ', 'أ']) {
        return Some("ar");
    }
    match ARABIC.detect(text)?.lang() {
        Lang::Ara => Some("ar"),
        Lang::Pes => Some("fa"),
        Lang::Urd => Some("ur"),
        _ => None,
    }
}
