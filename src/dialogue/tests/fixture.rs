//! A small bot, and analyses as a model would give them.

use crate::dialogue::{Decision, DialogueState, Prompts, decide};
use crate::domain::analysis::EMOTIONS;
use crate::domain::customer::STRANGER;
use crate::domain::{Analysis, IntentScore, Sentiment, Source, State};
use std::collections::BTreeMap;

pub(super) const POLICY: &str = r#"
[intent]
accept_probability = 0.40
accept_similarity = 0.50
margin = 0.15
sure_similarity = 0.90
clarify_probability = 0.45
hard_probability = 0.60
hard_offer_probability = 0.40
hard_similarity = 0.55
[intent_rules]
accept_probability = 0.40
accept_similarity = 0.40
margin = 0.10
sure_similarity = 0.80
clarify_probability = 0.45
hard_probability = 0.60
hard_offer_probability = 0.40
hard_similarity = 0.55
[follow_up]
probability = 0.10
share = 0.50
similarity = 0.30
both = 0.60
[wish]
handoff = 0.80
handoff_beside = 0.90
offer = 0.50
bot = 0.70
[frustration]
turn = 0.60
consecutive = 2
hostility = 0.15
single = 0.90
single_hostility = 0.80
rise = 0.30
rise_step = 0.10
rise_end = 0.50
[shouting]
capitals = 0.7
letters = 10
marks = 3
weight = 0.04
cap = 0.06
[abuse]
weight = 0.10
offer = 2
handoff = 3
[failures]
in_a_row = 2
ask_tries = 2
loop_times = 3
loop_turns = 4
[repeat_contact]
lower_from = 1
lower = 0.10
first_sign_from = 2
offer_from = 3
[customer]
lower = 0.10
vip_priority = 15
vulnerable_priority = 20
[rating]
low = 2
[explain]
frustration = 0.30
[cooldown]
after_return = 2
after_decline = 3
[handover]
remind_after_s = 300
late_after_s = 180
[mood]
negative = 0.5
positive = 0.5
[analysis]
deadline_ms = 800
[privacy]
keep_days = 180
"#;

const INTENTS: [(&str, &str, &str); 14] = [
    ("opening_hours", "Opening hours", "answer = \"We open at **{opens}**.\""),
    ("refunds", "Refunds", "answer = \"Refunds take five days.\""),
    ("order_status", "Order status", "lookup = \"order_status\""),
    ("greeting", "Greeting", "small_talk = true\nanswer = \"Hello.\""),
    ("yes", "Yes", "kind = \"affirm\"\nanswer = \"Good.\""),
    ("no", "No", "kind = \"deny\"\nanswer = \"All right.\""),
    ("not_helpful", "That did not help", "kind = \"unhelpful\"\nfailure = true\nanswer = \"Sorry. Tell me more.\""),
    ("send_back", "Send something back", "task = \"send_back\""),
    (
        "send_back_how",
        "How to send back",
        "answer = \"By post.\"\nbuttons = [{ label = \"Send something back\", say = \"Send something back\" }]\nfollow_ups = [{ patterns = ['how long'], to = \"refunds\" }]",
    ),
    ("remind", "Remind me", "lookup = \"remind\""),
    ("stock", "Stock", "lookup = \"stock\"\nanswer = \"See the page.\""),
    ("doctor", "Medical advice", "kind = \"excluded\"\nanswer = \"I am no doctor.\""),
    ("human", "Talk to a person", "kind = \"request_human\""),
    ("danger", "Danger", "kind = \"safety\""),
];

/// The files of the small bot.
pub(super) fn files() -> BTreeMap<String, String> {
    let intent = |(name, title, content): &(&str, &str, &str)| {
        let examples: Vec<String> = (0..10).map(|number| format!("\"{name} example {number}\"")).collect();
        format!("[[intent]]\nname = \"{name}\"\ntitle = \"{title}\"\nexamples = [{}]\n{content}\n", examples.join(", "))
    };
    let mut intents: String = INTENTS.iter().map(intent).collect();
    intents.push_str(&intent(&("law", "Legal matters", "kind = \"legal\"")));
    intents.push_str(&intent(&("going", "Leaving", "kind = \"leaving\"")));
    intents.push_str(&intent(&("rude", "An insult", "kind = \"insult\"")));
    let reason = |(code, priority, offer): &(&str, u32, bool)| {
        let offer = if *offer { format!("offer = \"A person? ({code})\"\n") } else { String::new() };
        format!(
            "[reason.{code}]\nlabel = \"{code}\"\npriority = {priority}\ncustomer = \"A person comes ({code}).\"\n{offer}"
        )
    };
    let reasons = [
        ("request_human", 20, true),
        ("safety", 90, true),
        ("legal", 60, true),
        ("frustration", 40, true),
        ("bot_failure", 30, true),
        ("language", 25, true),
        ("churn", 35, true),
        ("abuse", 30, true),
        ("repeat_contact", 30, true),
        ("loop", 30, true),
        ("low_rating", 30, true),
        ("excluded_topic", 30, true),
        ("button", 20, false),
        ("offer_accepted", 20, false),
        ("agent", 10, false),
    ];
    let handoff: String = reasons.iter().map(reason).collect();
    let texts = "[texts]\nqueued = \"Wait.\"\nnobody_here = \"Nobody.\"\nstill_waiting = \"Still waiting.\"\nclaimed = \"{agent} is here.\"\nreturned = \"The bot is back.\"\nclosed = \"Closed.\"\nrate = \"How was it?\"\nleft_message_thanks = \"Thanks.\"\noffer_yes = \"Yes, please\"\noffer_no = \"No, keep going\"\noffer_declined = \"I go on.\"\nended = \"Ended.\"\nreopened = \"The bot is back.\"\n";
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    BTreeMap::from([
        file(
            "business.toml",
            "name = \"Shop\"\nbot_name = \"Helper\"\ngreeting = \"Hello from {business}.\"\n[disclosure]\nversion = \"1\"\ntext = \"I am a bot.\"\n[variables]\nopens = \"nine\"\n",
        ),
        file("handoff.toml", &format!("{handoff}{texts}")),
        file(
            "lookups.toml",
            "[order_status]\nslots = [\"order_number\"]\nurl = \"{origin}/orders/{order_number}\"\ntimeout_ms = 2000\nfields = [\"number\", \"status\", \"parcel.carrier\", \"link\", \"items\"]\noptions = \"items\"\nchoose_by = \"status\"\nnot_found = \"No order {order_number}.\"\nfailed = \"The lookup failed.\"\n[order_status.answers]\nshipped = \"{number} ({items}) travels with {parcel.carrier}: [follow]({link}).\"\npacked = \"{number} is packed.\"\n[send_back]\nslots = [\"order_number\", \"item\", \"why\"]\nurl = \"{origin}/back/{order_number}/{item}/{why}\"\ntimeout_ms = 2000\nfields = [\"state\", \"label\"]\nchoose_by = \"state\"\nnot_found = \"Nothing to send back.\"\nfailed = \"It was not started.\"\n[send_back.answers]\nstarted = \"Started: {label}.\"\n[remind]\nslots = [\"email\", \"day\"]\nurl = \"{origin}/remind/{email}/{day}\"\ntimeout_ms = 2000\nfields = [\"state\"]\nchoose_by = \"state\"\nnot_found = \"Nobody.\"\nfailed = \"Not noted.\"\n[remind.answers]\nnoted = \"Noted.\"\n[stock]\nslots = [\"size\"]\nurl = \"{origin}/stock/{size}\"\ntimeout_ms = 2000\nfields = [\"state\"]\nchoose_by = \"state\"\nnot_found = \"Nothing.\"\nfailed = \"No idea.\"\n[stock.answers]\nthere = \"There.\"\n",
        ),
        file(
            "tasks.toml",
            "[send_back]\nslots = [\"order_number\", \"item\", \"why\"]\nlookup = \"send_back\"\nconfirm = \"{item} of {order_number} goes back: {why}. Yes?\"\nconfirm_again = \"Yes or no?\"\nyes = \"Yes, do it\"\nno = \"No, leave it\"\ncancelled = \"Nothing was sent.\"\n",
        ),
        file(
            "languages.toml",
            r"
supported = ['en']
bot_intent = 'greeting'
[words]
w = '[a-z]+'
[language.en]
name = 'English'
bot = ['\bare you a bot\b']
[language.de]
name = 'Deutsch'
sentence = 'Nur Englisch. Ein Mensch?'
yes = 'Ja, bitte'
no = 'Nein'
accept = ['^ja\b']
decline = ['^nein\b']
bot_answer = 'Ja, ein Bot.'
slips = ['menschen']
other = ['\bkeinen <person>\b']
ask = ['\bmit einem <person> sprechen\b', '^<person>$']
bot = ['\bbist du ein (?:<w> )?bot\b']
[language.de.words]
person = 'menschen|mensch|mitarbeiter'
",
        ),
        file("policy.toml", POLICY),
        file(
            "replies.toml",
            "clarify = \"{first} or {second}?\"\nclarify_neither = \"Neither\"\nfallback = \"What?\"\nfallback_again = \"What again?\"\n",
        ),
        file(
            "rules.toml",
            r"
[[rule]]
reason = 'request_human'
patterns = ['\b(talk|speak) to (a|an) (human|person|agent)\b']
unless = ['\bis this a human\b']
[[rule]]
reason = 'safety'
patterns = ['\bhurt myself\b']
[[rule]]
reason = 'legal'
patterns = ['\bmy lawyer\b']
[[rule]]
reason = 'churn'
action = 'offer'
patterns = ['\bnever (buy|order) (here )?again\b']
[[rule]]
reason = 'abuse'
action = 'evidence'
patterns = ['\bstupid bot\b']
[[cue]]
kind = 'affirm'
patterns = ['^(yes|ok)( please)?[.!]*$']
[[cue]]
kind = 'deny'
patterns = ['^no\b']
[[cue]]
kind = 'accept'
patterns = ['^well, if it helps']
[[cue]]
kind = 'decline'
patterns = ['^lol not']
[[cue]]
kind = 'unhelpful'
patterns = ['^that did not help']
[[cue]]
kind = 'first'
patterns = ['^the first']
[[cue]]
kind = 'cancel'
patterns = ['^(never mind|forget it)']
[[cue]]
kind = 'correct'
patterns = ['\b(sorry|i meant|actually)\b', '^not\b']
[[cue]]
kind = 'follow_up'
patterns = ['^(and|what about)\b']
[[cue]]
kind = 'refers'
patterns = ['\bthat\b']
[[cue]]
kind = 'question'
patterns = ['\?|^(when|how|what)\b']
",
        ),
        file(
            "slots.toml",
            r"
[order_number]
pattern = '(?i)\bjt[-\s#]*(\d{4})\b'
loose = '(?i)\b(\d{4})\b'
value = 'JT-$1'
other = '(?i)\bother order\b'
negated = '(?i)\bnot (jt[-\s#]*)?$'
intent = 'order_status'
ask = 'Which order?'
ask_again = 'Which order, again?'
[item]
kind = 'choice'
options_from = { lookup = 'order_status', otherwise = 'Another order?' }
ask = 'Which item?'
ask_again = 'Which item, again?'
[why]
kind = 'choice'
negated = '\bnot $'
choices = [{ value = 'big', label = 'Too big' }, { value = 'faulty', label = 'Faulty', words = ['a hole'] }]
ask = 'Why?'
ask_again = 'Why, again?'
[email]
kind = 'email'
ask = 'Which address?'
ask_again = 'Which address, again?'
invalid = 'No mail reaches that.'
[day]
kind = 'date'
ask = 'Which day?'
ask_again = 'Which day, again?'
invalid = 'No calendar has that.'
[size]
pattern = '(?i)\bsize (\d+)\b'
loose = '(?i)\b(\d+)\b'
value = '$1'
ask = 'Which size?'
ask_again = 'Which size, again?'
",
        ),
        file("intents/all.toml", &intents),
    ])
}

/// The small bot.
pub(super) fn prompts() -> Prompts {
    Prompts::load(&files()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// An analysis with these intents (name, probability, similarity) and this frustration.
pub(super) fn analysis(intents: &[(&str, f32, f32)], frustration: f32) -> Analysis {
    let score = |(name, probability, similarity): &(&str, f32, f32)| IntentScore {
        name: (*name).to_owned(),
        probability: *probability,
        similarity: *similarity,
    };
    Analysis {
        source: Source::Model,
        version: "test".to_owned(),
        sentiment: Sentiment { negative: frustration, neutral: 1.0 - frustration, positive: 0.0 },
        emotions: emotions(frustration),
        frustration,
        language: Some("en".to_owned()),
        intents: intents.iter().map(score).collect(),
        trust: 0.0,
        supported: true,
        sentences: Vec::new(),
        wish: None,
        evidence: None,
    }
}

/// A text that is clearly about one intent.
pub(super) fn about(intent: &str) -> Analysis {
    analysis(&[(intent, 0.9, 0.8), ("greeting", 0.02, 0.2)], 0.05)
}

/// A text about nothing that the bot knows.
pub(super) fn nothing() -> Analysis {
    analysis(&[("refunds", 0.2, 0.2), ("opening_hours", 0.18, 0.2)], 0.05)
}

/// The same analysis with another frustration, and anger to match.
pub(super) fn angry(analysis: Analysis, frustration: f32) -> Analysis {
    Analysis { frustration, emotions: emotions(frustration), ..analysis }
}

/// Anger of this probability and nothing else.
fn emotions(anger: f32) -> Vec<f32> {
    let of = |name: &&str| if *name == "anger" { anger } else { 0.0 };
    EMOTIONS.iter().map(of).collect()
}

/// A conversation with the small bot.
pub(super) struct Talk {
    pub(super) prompts: Prompts,
    pub(super) memory: DialogueState,
    pub(super) state: State,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self { prompts: prompts(), memory: DialogueState::default(), state: State::Bot }
    }

    pub(super) fn say(&mut self, text: &str, analysis: &Analysis) -> Decision {
        let decision = decide(&self.memory.turn(text, false, self.state, &STRANGER), analysis, &self.prompts);
        self.memory.advance(&decision);
        self.state = decision.next_state(self.state);
        decision
    }
}
