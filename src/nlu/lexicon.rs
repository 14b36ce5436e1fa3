//! Short word lists of our own: what visible cues and the keyword rules look for.
//!
//! Everything is lower case, without punctuation, words separated by one space. A phrase matches
//! whole words only.

/// Swear words and their usual disguises.
pub(crate) const SWEARING: &[&str] = &[
    "arse",
    "arsehole",
    "ass",
    "asshole",
    "bastard",
    "bastards",
    "bitch",
    "bloody",
    "bollocks",
    "bs",
    "bullshit",
    "crap",
    "damn",
    "damned",
    "dammit",
    "dick",
    "dickheads",
    "effing",
    "ffs",
    "fuck",
    "fucked",
    "fucker",
    "fuckers",
    "fucking",
    "fuckin",
    "fckin",
    "fking",
    "freaking",
    "frigging",
    "goddamn",
    "hell",
    "piss",
    "pissed",
    "shit",
    "shite",
    "shitty",
    "sod",
    "stfu",
    "wanker",
    "wankers",
    "wtf",
];

/// Signs that the writer has been here before.
pub(crate) const REPETITION: &[&str] = &[
    "again",
    "already asked",
    "already said",
    "already told",
    "as i said",
    "been waiting",
    "every time",
    "fifth time",
    "for days",
    "for months",
    "for the last time",
    "for weeks",
    "fourth time",
    "going in circles",
    "going round in circles",
    "hours on",
    "how many more times",
    "how many times",
    "how much longer",
    "i already",
    "i have asked",
    "i just told",
    "i keep",
    "i told you",
    "i ve asked",
    "ive asked",
    "just said that",
    "keep asking",
    "keep getting",
    "keep saying",
    "keep sending",
    "keeps asking",
    "keeps saying",
    "keeps sending",
    "keeps telling",
    "like i said",
    "multiple times",
    "no one answers",
    "no one replies",
    "nobody answers",
    "nobody replies",
    "once again",
    "over and over",
    "same answer",
    "same question",
    "same thing",
    "second time",
    "several times",
    "still",
    "still waiting",
    "third time",
    "times now",
    "twice now",
    "yet again",
    "you just said",
    "you re not listening",
    "youre not listening",
];

/// Contempt for the service, the bot or the firm.
pub(crate) const CONTEMPT: &[&str] = &[
    "a joke",
    "absolute joke",
    "appalling",
    "beyond a joke",
    "clowns",
    "complete joke",
    "cowboys",
    "crooks",
    "disgrace",
    "disgraceful",
    "disgusting",
    "dreadful service",
    "dumb",
    "fed up",
    "fobbed off",
    "garbage",
    "had enough",
    "horrible service",
    "hopeless",
    "i give up",
    "idiot",
    "idiotic",
    "idiots",
    "incompetent",
    "insulting",
    "laughable",
    "liars",
    "ludicrous",
    "moron",
    "morons",
    "muppets",
    "never again",
    "no help",
    "not good enough",
    "not helpful",
    "not helping",
    "outrageous",
    "pathetic",
    "pointless",
    "ridiculous",
    "rip off",
    "ripped off",
    "rubbish",
    "scam",
    "scammers",
    "shambles",
    "shambolic",
    "shameful",
    "sick of",
    "stupid",
    "terrible service",
    "thieves",
    "tired of",
    "trash",
    "unacceptable",
    "unbelievable",
    "unhelpful",
    "useless",
    "waste of time",
    "wasting my time",
    "what a joke",
    "worst company",
    "worst service",
    "worthless",
    "you don t understand",
    "you dont understand",
    "you people",
];

/// Thanks, praise and joy.
pub(crate) const THANKS: &[&str] = &[
    "amazing",
    "appreciate",
    "appreciated",
    "awesome",
    "brilliant",
    "cheers",
    "delighted",
    "excellent",
    "fab",
    "fabulous",
    "fantastic",
    "glad",
    "grateful",
    "great",
    "happy",
    "helpful",
    "legend",
    "lifesaver",
    "love",
    "loved",
    "lovely",
    "nice",
    "perfect",
    "pleased",
    "sorted",
    "superb",
    "ta",
    "thank",
    "thanks",
    "thank you",
    "thanx",
    "thrilled",
    "thx",
    "tysm",
    "wonderful",
    "wow",
    "yay",
];

/// Talk about the thing that answers.
pub(crate) const BOT: &[&str] =
    &["ai", "automated", "bot", "bots", "chat bot", "chatbot", "computer", "machine", "robot", "robots", "this thing"];

/// Asking for a person.
pub(crate) const PERSON: &[&str] = &[
    "a human",
    "a manager",
    "a person",
    "a real person",
    "a supervisor",
    "actual human",
    "actual person",
    "an adult",
    "an agent",
    "another human",
    "customer service",
    "human being",
    "live agent",
    "real human",
    "real person",
    "somebody",
    "someone",
    "someone real",
    "speak to a",
    "talk to a",
    "your manager",
];

/// Plain bad news: negative, but not contempt.
pub(crate) const BAD: &[&str] = &[
    "angry",
    "annoyed",
    "annoying",
    "awful",
    "bad",
    "broke",
    "broken",
    "charged twice",
    "cold",
    "cracked",
    "creased",
    "damaged",
    "defective",
    "delayed",
    "dirty",
    "disappointed",
    "disappointing",
    "doesn t fit",
    "doesn t work",
    "doesnt fit",
    "doesnt work",
    "error",
    "failed",
    "fails",
    "faulty",
    "frayed",
    "frustrated",
    "frustrating",
    "furious",
    "hate",
    "hole",
    "horrible",
    "hurt",
    "ill",
    "late",
    "lost",
    "mess",
    "misled",
    "missing",
    "mistake",
    "never arrived",
    "never came",
    "no reply",
    "not happy",
    "not received",
    "overcharged",
    "poor",
    "problem",
    "ripped",
    "ruined",
    "sad",
    "smells",
    "stained",
    "stolen",
    "stuck",
    "terrible",
    "too big",
    "too late",
    "too small",
    "torn",
    "unhappy",
    "upset",
    "worried",
    "worse",
    "worst",
    "wrong",
];

/// Words that turn the next few words round.
pub(crate) const NEGATION: &[&str] = &[
    "aint", "cannot", "cant", "didnt", "doesnt", "dont", "hardly", "isnt", "never", "no", "not", "nothing", "t",
    "wasnt", "without", "wont",
];

/// A text's lower-case words, apostrophes and other marks read as spaces.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Positions at which a listed word or phrase starts in `words`.
pub(crate) fn matches(words: &[String], list: &[&str]) -> Vec<usize> {
    let starts = |start: &usize| {
        // Most phrases differ from a word in the first letter.
        let letter = words[*start].as_bytes().first();
        list.iter().any(|phrase| phrase.as_bytes().first() == letter && begins(&words[*start..], phrase))
    };
    (0..words.len()).filter(starts).collect()
}

/// Whether the words begin with those of a phrase.
fn begins(words: &[String], phrase: &str) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    match phrase.strip_prefix(first.as_str()) {
        Some("") => true,
        Some(others) => others.strip_prefix(' ').is_some_and(|others| begins(rest, others)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_match_whole_words_only() {
        let found = |text: &str, list: &[&str]| matches(&words(text), list).len();
        assert_eq!(found("That's the THIRD time!", REPETITION), 1);
        assert_eq!(found("I passed the classics to her", SWEARING), 0);
        assert_eq!(found("what a joke. What a JOKE", CONTEMPT), 4, "'a joke' and 'what a joke', twice each");
    }

    #[test]
    fn every_list_is_written_the_way_words_are_read() {
        for list in [SWEARING, REPETITION, CONTEMPT, THANKS, BOT, PERSON, BAD, NEGATION] {
            for phrase in list {
                assert_eq!(words(phrase).join(" "), **phrase, "{phrase:?} could never match");
            }
        }
    }
}
