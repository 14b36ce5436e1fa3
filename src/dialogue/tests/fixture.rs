//! A small bot, and analyses as a model would give them.

use crate::dialogue::{Decision, DialogueState, Prompts, decide};
use crate::domain::analysis::EMOTIONS;
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
[frustration]
turn = 0.60
consecutive = 2
hostility = 0.15
single = 0.90
single_hostility = 0.80
rise = 0.30
rise_step = 0.10
rise_end = 0.50
[failures]
in_a_row = 2
ask_tries = 2
[cooldown]
after_return = 2
after_decline = 3
[mood]
negative = 0.5
positive = 0.5
[analysis]
deadline_ms = 800
[privacy]
keep_days = 180
"#;

const INTENTS: [(&str, &str, &str); 9] = [
    ("opening_hours", "Opening hours", "answer = \"We open at **{opens}**.\""),
    ("refunds", "Refunds", "answer = \"Refunds take five days.\""),
    ("order_status", "Order status", "lookup = \"order_status\""),
    ("greeting", "Greeting", "small_talk = true\nanswer = \"Hello.\""),
    ("yes", "Yes", "kind = \"affirm\"\nanswer = \"Good.\""),
    ("no", "No", "kind = \"deny\"\nanswer = \"All right.\""),
    ("not_helpful", "That did not help", "kind = \"unhelpful\"\nfailure = true\nanswer = \"Sorry. Tell me more.\""),
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
        ("churn", 35, true),
        ("button", 20, false),
        ("offer_accepted", 20, false),
        ("agent", 10, false),
    ];
    let handoff: String = reasons.iter().map(reason).collect();
    let texts = "[texts]\nqueued = \"Wait.\"\nnobody_here = \"Nobody.\"\nclaimed = \"{agent} is here.\"\nreturned = \"The bot is back.\"\nclosed = \"Closed.\"\nrate = \"How was it?\"\nleft_message_thanks = \"Thanks.\"\noffer_yes = \"Yes, please\"\noffer_no = \"No, keep going\"\noffer_declined = \"I go on.\"\n";
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    BTreeMap::from([
        file(
            "business.toml",
            "name = \"Shop\"\nbot_name = \"Helper\"\ngreeting = \"Hello from {business}.\"\n[disclosure]\nversion = \"1\"\ntext = \"I am a bot.\"\n[variables]\nopens = \"nine\"\n",
        ),
        file("handoff.toml", &format!("{handoff}{texts}")),
        file(
            "lookups.toml",
            "[order_status]\nslots = [\"order_number\"]\nurl = \"{origin}/orders/{order_number}\"\ntimeout_ms = 2000\nfields = [\"number\", \"status\", \"parcel.carrier\", \"link\", \"items\"]\nchoose_by = \"status\"\nnot_found = \"No order {order_number}.\"\nfailed = \"The lookup failed.\"\n[order_status.answers]\nshipped = \"{number} ({items}) travels with {parcel.carrier}: [follow]({link}).\"\npacked = \"{number} is packed.\"\n",
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
intent = 'order_status'
ask = 'Which order?'
ask_again = 'Which order, again?'
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
        let decision = decide(&self.memory.turn(text, false, self.state), analysis, &self.prompts);
        self.memory.advance(&decision);
        self.state = decision.next_state(self.state);
        decision
    }
}
