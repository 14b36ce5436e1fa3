//! Languages that the bot does not speak: what is still heard in them, and what is done about it.
//!
//! Two wishes are heard in every language of `languages.toml`, whatever language a text seems to
//! be in: a person, and an honest word about the bot. A text that is surely in a language the bot
//! does not speak leads to the offer of a person in that language; nothing else is guessed of it.

mod plain;

use super::answering::Candidate;
use super::escalation::{Figures, Seen, Verdict};
use super::pattern::Pattern;
use super::prefilter::Finder;
use super::prompts::{IntentKind, Prompts};
use super::reading::{How, Meaning, Reading};
use super::rules::{Hit, RuleAction};
use super::{Reply, Turn};
use crate::domain::analysis::EMOTIONS;
use crate::domain::{ActionKind, Analysis, Reason, Sentiment};
pub(super) use plain::plain;
use plain::with_slips_mended;
use serde::Serialize;

/// Code of the reason for an offer because of the language.
pub(super) const REASON: &str = "language";
/// Code of the reason for a person who was asked for.
pub(super) const REQUEST: &str = "request_human";
/// So many other words around "are you a bot?" may be a question of their own.
const OTHER_WORDS: usize = 4;
/// Longer texts are no slip of the finger away from a short wish.
const MEND_WORDS: usize = 40;
/// So many words of a language in a row are no accident of another one.
const PHRASE_WORDS: usize = 3;
/// Where something was taken out of a text.
const GAP: &str = " # ";

/// All of `languages.toml`.
#[derive(Clone, Debug)]
pub struct Languages {
    /// Codes of the languages that the bot speaks.
    pub(super) supported: Vec<String>,
    /// The intent that "are you a bot?" is.
    pub(super) bot_intent: String,
    pub(super) list: Vec<Language>,
    /// Looks for the literals of all patterns.
    pub(super) finder: Finder,
}

/// One language.
#[derive(Clone, Debug)]
pub(super) struct Language {
    /// ISO 639-1.
    pub(super) code: String,
    /// Its own name.
    pub(super) name: String,
    /// What is said in it; none for a language that the bot speaks.
    pub(super) said: Option<Said>,
    /// Said to "are you a bot?".
    pub(super) bot_answer: Option<String>,
    pub(super) ask: Vec<Pattern>,
    pub(super) bot: Vec<Pattern>,
    pub(super) other: Vec<Pattern>,
    pub(super) accept: Vec<Pattern>,
    pub(super) decline: Vec<Pattern>,
    pub(super) slips: Vec<String>,
}

/// The fixed words in a language that the bot does not speak.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) sentence: String,
    pub(super) yes: String,
    pub(super) no: String,
}

impl Languages {
    /// Codes of the languages that the bot speaks.
    #[must_use]
    pub fn supported(&self) -> &[String] {
        &self.supported
    }

    pub(super) fn get(&self, code: &str) -> Option<&Language> {
        self.list.iter().find(|language| language.code == code)
    }

    /// The wish that a text in plain form holds, if it holds one.
    fn wish(&self, text: &str) -> Option<Wish> {
        let found = self.finder.find(text);
        let wishes = self.list.iter().filter_map(|language| language.wish(text, &found));
        // Neighbours share words: the language that knows most of the text has the say.
        let most = wishes.reduce(|best, next| if next.rank() > best.rank() { next } else { best })?;
        most.what.is_some().then_some(most)
    }

    /// A text in plain form without what only looks like a wish in the bot's own languages.
    fn without_others(&self, text: &str) -> String {
        let found = self.finder.find(text);
        let own = self.list.iter().filter(|language| self.supported.contains(&language.code));
        let others = own.flat_map(|language| &language.other).filter_map(|pattern| pattern.worth(&found));
        others.fold(text.to_owned(), |text, pattern| pattern.replace_all(&text, GAP).into_owned())
    }

    /// The same where no pattern fits, with slips of the finger mended.
    fn mended_wish(&self, text: &str) -> Option<Wish> {
        if text.split(' ').count() > MEND_WORDS {
            return None;
        }
        let known = |word: &str| self.list.iter().any(|language| language.slips.iter().any(|slip| slip == word));
        let wishes = self.list.iter().filter_map(|language| {
            let mended = with_slips_mended(text, &language.slips, &known)?;
            language.wish(&mended, &self.finder.find(&mended)).filter(|wish| wish.what.is_some())
        });
        wishes.reduce(|best, next| if next.rank() > best.rank() { next } else { best })
    }
}

/// What is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// To know whether this is a bot.
    Bot,
    /// A person.
    Person,
}

/// What one language makes of a text.
#[derive(Clone, Debug, Serialize)]
struct Wish {
    language: String,
    /// None where all that looked like a wish was something else.
    what: Option<What>,
    /// The words that say it, in plain form; empty where no pattern knew them.
    words: String,
    /// Its probability, where the reader of wishes saw it and no pattern.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f32>,
    /// Letters that the language's patterns know.
    #[serde(skip)]
    known: usize,
    /// The text without what `other` and `bot` matched.
    #[serde(skip)]
    rest: String,
}

impl Wish {
    fn rank(&self) -> (usize, Option<What>) {
        (self.known, self.what)
    }
}

/// The first part of the text that one of the patterns matches.
fn first<'t>(patterns: &[Pattern], text: &'t str, found: &[bool]) -> Option<&'t str> {
    let worth = patterns.iter().filter_map(|pattern| pattern.worth(found));
    worth.filter_map(|pattern| pattern.find(text)).map(|hit| hit.as_str()).next()
}

impl Language {
    fn wish(&self, text: &str, found: &[bool]) -> Option<Wish> {
        first(&self.ask, text, found).or_else(|| first(&self.bot, text, found))?;
        let mut known = 0;
        let mut take_out = |patterns: &[Pattern], text: String| -> (String, Option<String>) {
            let worth = patterns.iter().filter_map(|pattern| pattern.worth(found));
            let mut words = None;
            let rest = worth.fold(text, |text, pattern| {
                let Some(hit) = pattern.find(&text) else { return text };
                words.get_or_insert_with(|| hit.as_str().trim().to_owned());
                known += pattern.find_iter(&text).map(|hit| hit.len()).sum::<usize>();
                pattern.replace_all(&text, GAP).into_owned()
            });
            (rest, words)
        };
        let (rest, _) = take_out(&self.other, text.to_owned());
        let (rest, bot) = take_out(&self.bot, rest);
        let person = first(&self.ask, &rest, found).map(|words| words.trim().to_owned());
        known += person.as_ref().map_or(0, String::len);
        let what = person.as_ref().map(|_| What::Person).or(bot.as_ref().map(|_| What::Bot));
        Some(Wish {
            language: self.code.clone(),
            what,
            words: person.or(bot).unwrap_or_default(),
            probability: None,
            known,
            rest,
        })
    }
}

/// What was heard in a turn.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Heard {
    wish: Option<Wish>,
    /// The language that the text is surely in, if the bot does not speak it.
    foreign: Option<String>,
}

/// Listens to a turn. `hits` are those of `rules.toml`: a wish for a person in any language joins
/// them, and one that was read into a question about the bot leaves them.
pub(super) fn hear(turn: &Turn<'_>, analysis: &Analysis, prompts: &Prompts, hits: &mut Vec<Hit>) -> Heard {
    let languages = prompts.languages();
    let text = plain(turn.text);
    let known = analysis.language.as_deref().filter(|code| languages.supported.iter().any(|own| own == code));
    // In a text that is surely in a language of the bot's, one or two foreign words are no wish; neighbours share
    // so many words that a language can be mistaken, but no phrase.
    let is_phrase = |wish: &Wish| wish.words.split(' ').count() >= PHRASE_WORDS;
    let most = |wish: &Wish| {
        known.is_none_or(|code| wish.language == code || is_phrase(wish) || wish.known * 3 >= text.len() * 2)
    };
    let own = |wish: &Wish| known.is_none_or(|code| wish.language == code);
    let wish = languages.wish(&text).filter(most).or_else(|| languages.mended_wish(&text).filter(own));
    let foreign = analysis.language.clone().filter(|code| !turn.button && !languages.supported.contains(code));
    if let Some(asked) = bot_question(analysis, prompts, foreign.as_ref(), (wish.as_ref(), hits), &text) {
        hits.retain(|hit| hit.reason != REQUEST);
        return Heard { wish: Some(asked), foreign };
    }
    match &wish {
        Some(Wish { what: Some(What::Person), words, .. }) if hits.iter().all(|hit| hit.reason != REQUEST) => {
            hits.push(Hit { rule: 0, reason: REQUEST.to_owned(), action: RuleAction::Handoff, words: words.clone() });
        }
        Some(Wish { what: Some(What::Person), .. }) => {}
        _ if hits.iter().any(|hit| hit.reason == REQUEST) => {
            let asked = wish.as_ref().map_or(&text, |wish| &wish.rest);
            let asked = languages.without_others(asked);
            let still = asked == text || prompts.rules().search(&asked).0.iter().any(|hit| hit.reason == REQUEST);
            hits.retain(|hit| hit.reason != REQUEST || still);
        }
        _ => {}
    }
    Heard { wish, foreign }
}

/// A question about the bot that no pattern took for one, but the reader of wishes does. In a single sentence it
/// goes before a pattern of `languages.toml` that saw a wish for a person, since the two share their words: "is there
/// a person typing this?" Of several sentences, one may ask and another wish, and the wish goes first.
fn bot_question(
    analysis: &Analysis,
    prompts: &Prompts,
    foreign: Option<&String>,
    (wish, hits): (Option<&Wish>, &[Hit]),
    text: &str,
) -> Option<Wish> {
    let by_rule = hits.iter().any(|hit| hit.reason == REQUEST && hit.rule > 0);
    let by_wish = wish.is_some_and(|wish| wish.what == Some(What::Person));
    let probability = analysis.wish.map(|read| read.bot).filter(|bot| *bot >= prompts.policy().wish.bot)?;
    let languages = prompts.languages();
    let answers = |code: &&String| languages.get(code).is_some_and(|language| language.bot_answer.is_some());
    let language = match (foreign, wish) {
        _ if wish.is_some_and(|wish| wish.what == Some(What::Bot)) => return None,
        _ if by_rule || (by_wish && !is_single_sentence(text)) => return None,
        (Some(code), _) => Some(code).filter(answers),
        (None, Some(wish)) => Some(&wish.language),
        (None, None) => languages.supported.first(),
    };
    Some(Wish {
        language: language?.clone(),
        what: Some(What::Bot),
        words: String::new(),
        probability: Some(probability),
        known: 0,
        rest: text.to_owned(),
    })
}

/// Whether nothing follows the end of a text's first sentence, in plain form.
fn is_single_sentence(text: &str) -> bool {
    const ENDS: [char; 3] = ['?', '!', '.'];
    !text.trim_end_matches([' ', '?', '!', '.']).contains(ENDS)
}

/// A reading in a language that the bot does not speak: what it says of mood and intent means nothing.
pub(super) fn unguessed(analysis: &Analysis, heard: &Heard) -> Option<Analysis> {
    heard.foreign.as_ref()?;
    Some(Analysis {
        sentiment: Sentiment { negative: 0.0, neutral: 1.0, positive: 0.0 },
        emotions: vec![0.0; EMOTIONS.len()],
        frustration: 0.0,
        intents: Vec::new(),
        sentences: Vec::new(),
        trust: 0.0,
        evidence: None,
        ..analysis.clone()
    })
}

/// Words of a message that is no more than an answer to an offer.
const ANSWER_WORDS: usize = 6;

/// Yes or no to an offer that was made in a language which the bot does not speak.
pub(super) fn answer_to_offer(turn: &Turn<'_>, prompts: &Prompts) -> Option<bool> {
    let language = prompts.languages().get(turn.before.offered_in.last()?)?;
    let text = plain(turn.text);
    let is = |label: fn(&Said) -> &String| language.said.as_ref().is_some_and(|said| plain(label(said)) == text);
    // A long message says more than yes or no, perhaps in another language.
    let short = text.split(' ').count() <= ANSWER_WORDS;
    let is_said = |pattern: &Pattern| pattern.regex().is_some_and(|regex| regex.is_match(&text));
    let says = |patterns: &[Pattern]| short && patterns.iter().any(is_said);
    if is(|said| &said.no) || says(&language.decline) {
        Some(false)
    } else if is(|said| &said.yes) || says(&language.accept) {
        Some(true)
    } else {
        None
    }
}

impl Heard {
    /// Whether the text is surely in a language that the bot does not speak.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// The language of a question about the bot, if no person was asked for as well.
    fn bot_question(&self) -> Option<&Wish> {
        self.wish.as_ref().filter(|wish| wish.what == Some(What::Bot))
    }

    /// Lets "are you a bot?" in a language that the bot speaks stand, where nothing else is asked.
    pub(super) fn settle(&self, reading: &mut Reading, prompts: &Prompts) {
        let languages = prompts.languages();
        let Some(wish) = self.bot_question().filter(|wish| languages.supported.contains(&wish.language)) else {
            return;
        };
        let kind = |name: &String| prompts.intent(name).map(|intent| (intent.kind, intent.small_talk));
        let asks = match &reading.meaning {
            Meaning::Accept | Meaning::Decline(_) | Meaning::Both(..) => return,
            Meaning::Intent(name) if *name == languages.bot_intent => return,
            Meaning::Intent(name) => match kind(name) {
                Some((kind, _)) if kind.is_grave() => return,
                Some((IntentKind::Answer, small_talk)) => !small_talk,
                _ => false,
            },
            Meaning::Either(..) | Meaning::Neither | Meaning::Unknown => false,
        };
        let others = wish.rest.split(' ').filter(|word| word.chars().any(char::is_alphanumeric)).count();
        if !asks || others <= OTHER_WORDS {
            reading.meaning = Meaning::Intent(languages.bot_intent.clone());
            reading.how = How::Cue;
            reading.probability = 1.0;
        }
    }

    /// What the bot would say, where that is not for the intents to decide.
    pub(super) fn candidate(&self, turn: &Turn<'_>, reading: &Reading, prompts: &Prompts) -> Option<Candidate> {
        if matches!(reading.meaning, Meaning::Accept | Meaning::Decline(_)) {
            return None;
        }
        let languages = prompts.languages();
        let bot = self.bot_question().and_then(|wish| languages.get(&wish.language));
        if let Some(language) = bot.filter(|language| language.bot_answer.is_some()) {
            return Some(Candidate {
                intent: Some(languages.bot_intent.clone()),
                ..Candidate::new(Reply::BotQuestion { language: language.code.clone() }, ActionKind::Reply)
            });
        }
        // Not even a value is taken from what is not understood.
        self.foreign.as_ref().map(|_| {
            let again = turn.before.history.last().is_some_and(|last| last.failed);
            Candidate { failed: true, ..Candidate::new(Reply::Fallback { again }, ActionKind::Fallback) }
        })
    }

    /// Offers a person once in each language; after an offer, going on in it hands over.
    pub(super) fn verdict(&self, seen: &Seen<'_>, figures: &Figures) -> Option<Verdict> {
        let code = self.foreign.as_ref().filter(|_| self.bot_question().is_none())?;
        if matches!(seen.reading.meaning, Meaning::Decline(_)) {
            return None;
        }
        let name = seen.prompts.languages().get(code).map_or(code.as_str(), |language| &language.name);
        let reason = |evidence: String| Reason { code: REASON.to_owned(), evidence, value: None, threshold: None };
        let offered = seen.before.offered_in.contains(code);
        match (offered, seen.before.offered.is_some()) {
            (true, true) => Some(Verdict::Handoff(vec![reason(format!("went on in {name} after the offer"))])),
            (false, _) if figures.rest.is_none() => Some(Verdict::Offer(vec![reason(format!("wrote in {name}"))])),
            _ => None,
        }
    }

    /// An offer in the customer's language, if there are words for it.
    pub(super) fn offer(&self, reason: &str, prompts: &Prompts) -> Option<Reply> {
        let code = self.foreign.as_ref()?;
        prompts.languages().get(code)?.said.as_ref()?;
        Some(Reply::OtherLanguage { language: code.clone(), reason: reason.to_owned() })
    }
}
