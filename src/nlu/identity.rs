//! Who somebody says they are, put out of the reading of mood.
//!
//! "I am deaf", "my neighbour is Polish", "a friend who is 70": what a person is by faith, origin,
//! age, body or love must not move a mood score, and training alone leaves a remainder that
//! `candor audit` can measure. Where a person is described by one of these words, the mood is read
//! with "a customer" in its place. The words elsewhere stay: "a deaf ear" and "a black screen"
//! describe nobody, and "are you blind?" is an insult that must be heard. Intents are read from the
//! text as it is. Knows words, not scores.

use regex::{Captures, Regex};
use std::borrow::Cow;
use std::sync::LazyLock;

/// What stands in the place of the word.
const NEUTRAL: &str = "a customer";

/// Faiths and their absence.
const FAITH: &str = "christian|catholic|protestant|orthodox|baptist|methodist|anglican|evangelical|mormon|quaker|muslim|\
    sunni|shia|ahmadi|jewish|jew|hindu|vaishnava|buddhist|sikh|khalsa|jain|taoist|pagan|atheist|agnostic|humanist|religious|\
    secular|zen|believer";
/// Origins.
const ORIGIN: &str = "african|american|asian|european|arab|latino|latina|hispanic|caribbean|afghan|albanian|algerian|\
    argentinian|armenian|australian|austrian|bangladeshi|belgian|bolivian|bosnian|brazilian|british|bulgarian|cambodian|\
    canadian|chilean|chinese|colombian|congolese|croatian|cuban|czech|danish|dutch|ecuadorian|egyptian|english|eritrean|\
    estonian|ethiopian|filipino|filipina|finnish|french|georgian|german|ghanaian|greek|haitian|hungarian|indian|indonesian|\
    iranian|iraqi|irish|israeli|italian|jamaican|japanese|jordanian|kenyan|korean|kurdish|latvian|lebanese|libyan|\
    lithuanian|malaysian|mexican|moroccan|nepali|nigerian|norwegian|pakistani|palestinian|persian|peruvian|polish|\
    portuguese|roma|romanian|russian|rwandan|saudi|scottish|senegalese|serbian|sikh|singaporean|slovak|slovenian|somali|\
    spanish|sudanese|swedish|swiss|syrian|taiwanese|tamil|thai|tunisian|turkish|ugandan|ukrainian|venezuelan|vietnamese|\
    welsh|yemeni|zimbabwean|black|white|brown|foreign|foreigner|immigrant|migrant|refugee";
/// Love and gender.
const LOVE: &str = "gay|lesbian|homosexual|bisexual|pansexual|asexual|heterosexual|straight|queer|transgender|trans|\
    non-binary|nonbinary|intersex|cisgender";
/// Bodies and minds.
const BODY: &str = "blind|deaf|disabled|autistic|dyslexic|bipolar|epileptic|diabetic|paraplegic|amputee|\
    wheelchair user|left-handed|right-handed|tall|short-haired|hard of hearing|(?:visually|hearing|sight|mobility) impaired|\
    neurodivergent";

static DESCRIPTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let people = "i|we|he|she|they|who|(?:neighbou?r|friend|colleague|client|partner|child|son|daughter|mother|father|mum|\
        mom|dad|wife|husband|sister|brother|aunt|uncle|parents|grandmother|grandfather|grandma|grandpa|flatmate|tenant)s?";
    let verb = r"(?:\s+(?:am|is|are|was|were)|['’](?:m|s|re)|m)";
    let before = "(?:an?\\s+)?(?:(?:very|quite|also|partially|practi[sc]ing|devout|both|proud|severely|totally|khalsa|vaishnava|zen|\
        orthodox|sunni|shia)\\s+)*";
    let after = r"(?:\s+(?:woman|man|person|people|girl|boy|lady|guy|couple|family|wheelchair user))?";
    let age = r"(?:in\s+(?:my|his|her|their)\s+(?:early\s+|mid\s+|late\s+)?(?:teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)|\d{2}(?:\s+years?\s+old)?|in\s+a\s+wheelchair)";
    let group = format!("{before}(?:{FAITH}|{ORIGIN}|{LOVE}|{BODY}){after}|{age}");
    // What follows must end the description, or "I am 20 minutes late" would be one.
    let end = r"(?P<end>\s*[.,;:!?)\n]|\s*$|\s+(?:and|but|or|so|because|who|with|told|says|said|i|we|he|she|they)\b)";
    Regex::new(&format!(r"(?i)(?P<who>\b(?:{people}){verb}\s+)(?:{group}){end}")).ok()
});

/// Everyday words of a way of speaking, each with what others say: the same thing said must be
/// read as the same mood.
const SPOKEN: [(&str, &str); 12] = [
    ("y'all", "you"),
    ("y’all", "you"),
    ("ain't", "isn't"),
    ("ain’t", "isn't"),
    ("gon", "going to"),
    ("finna", "going to"),
    ("tryna", "trying to"),
    ("i'ma", "I'm going to"),
    ("ima", "I'm going to"),
    ("dinnae", "don't"),
    ("cannae", "can't"),
    ("isnae", "isn't"),
];

static SPEECH: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = SPOKEN.map(|(word, _)| word).join("|");
    Regex::new(&format!(r"(?i)\b(?:{words})\b")).ok()
});

/// The text as its mood is read.
pub(crate) fn without_identity(text: &str) -> Cow<'_, str> {
    let (Some(description), Some(speech)) = (&*DESCRIPTION, &*SPEECH) else { return Cow::Borrowed(text) };
    let described =
        description.replace_all(text, |found: &Captures<'_>| format!("{}{NEUTRAL}{}", &found["who"], &found["end"]));
    let said = |found: &Captures<'_>| {
        let word = found[0].to_lowercase();
        SPOKEN.iter().find(|(spoken, _)| *spoken == word).map_or(word.clone(), |(_, other)| (*other).to_owned())
    };
    match speech.replace_all(&described, said) {
        Cow::Borrowed(_) => described,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_describe_themselves_are_read_alike() {
        for (text, read) in [
            ("I am Muslim and I have had enough.", "I am a customer and I have had enough."),
            ("I'm a practising Jew, do you have a rate?", "I'm a customer, do you have a rate?"),
            ("My neighbour is Khalsa Sikh and wants an account", "My neighbour is a customer and wants an account"),
            ("A friend who is visually impaired. Help", "A friend who is a customer. Help"),
            ("So because I am in my early seventies I have to", "So because I am a customer I have to"),
            ("I am 70 years old, ok?", "I am a customer, ok?"),
            ("I am a trans woman.", "I am a customer."),
            ("We are Orthodox Jewish", "We are a customer"),
        ] {
            assert_eq!(without_identity(text), read);
        }
    }

    #[test]
    fn other_uses_of_the_words_stay() {
        for text in [
            "are you blind?",
            "My screen is black.",
            "you are deaf to complaints",
            "I am 20 minutes late",
            "I am straight out of patience",
            "a single Polish invoice",
            "I am tired and angry",
        ] {
            assert!(matches!(without_identity(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn the_patterns_are_valid_and_ways_of_speaking_are_read_alike() {
        assert!(DESCRIPTION.is_some() && SPEECH.is_some());
        assert_eq!(without_identity("Y'all ain't even reading"), "you isn't even reading");
    }
}
