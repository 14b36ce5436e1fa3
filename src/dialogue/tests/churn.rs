//! Signs of leaving: what counts, how it adds up, and what is refused at load.

use super::fixture::{about, analysis, angry, files, nothing};
use crate::dialogue::{ChurnTurn, DialogueState, Prompts, churn_risk, decide};
use crate::domain::{Analysis, Band, ChurnRisk, Customer, Sentiment, State};

const CHURN: &str = r#"
bias = -2.0
medium = 0.3
high = 0.7
priority_bonus = 5
[[signal]]
name = "threat"
label = "Says they will leave"
kind = "rule"
reason = "churn"
weight = 2.0
[[signal]]
name = "frustrated"
label = "Frustrated"
kind = "frustrated"
weight = 0.5
most = 2
[[signal]]
name = "failed"
label = "The bot did not help"
kind = "failed"
weight = 0.25
most = 3
[[signal]]
name = "refund"
label = "Asks for money back"
kind = "intent"
intents = ["refunds"]
weight = 0.5
[[signal]]
name = "packed"
label = "Not sent yet"
kind = "lookup"
lookup = "order_status"
answers = ["packed", "failed"]
weight = 1.0
[[signal]]
name = "again"
label = "Came back"
kind = "contacts"
weight = 0.5
most = 2
[[signal]]
name = "rated"
label = "Rated badly"
kind = "low_rating"
at_most = 2
weight = 1.0
[[signal]]
name = "thumbs"
label = "Thumbs down"
kind = "thumbs_down"
weight = 0.5
[[signal]]
name = "friendly"
label = "Friendly"
kind = "positive"
weight = -1.0
"#;

fn bot(churn: &str) -> Result<Prompts, String> {
    let mut files = files();
    files.insert("churn.toml".to_owned(), churn.to_owned());
    Prompts::load(&files).map_err(|errors| errors.to_string())
}

/// A conversation whose signs are weighed.
struct Weighed {
    prompts: Prompts,
    customer: Customer,
    memory: DialogueState,
    risk: Option<ChurnRisk>,
}

impl Weighed {
    fn new() -> Self {
        let (customer, memory) = (Customer::default(), DialogueState::default());
        Self { prompts: bot(CHURN).unwrap(), customer, memory, risk: None }
    }

    fn turn(&mut self, text: &str, read: &Analysis, looked_up: Option<(&str, &str)>, thumbs_down: u32) -> ChurnRisk {
        let turn = self.memory.turn(text, false, State::Bot, &self.customer);
        let decision = decide(&turn, read, &self.prompts);
        let now = ChurnTurn { turn: &turn, decision: &decision, looked_up, thumbs_down };
        let risk = churn_risk(&now, self.risk.as_ref(), &self.prompts).unwrap();
        self.memory.advance(&decision);
        self.risk = Some(risk.clone());
        risk
    }

    fn say(&mut self, text: &str, read: &Analysis) -> ChurnRisk {
        self.turn(text, read, None, 0)
    }
}

fn seen(risk: &ChurnRisk) -> Vec<(&str, u32, f64)> {
    risk.signals.iter().map(|signal| (signal.name.as_str(), signal.count, signal.contribution)).collect()
}

#[test]
fn nothing_seen_is_the_bias_alone() {
    let risk = Weighed::new().say("when do you open?", &about("opening_hours"));
    assert_eq!((risk.score, risk.band, seen(&risk).len()), (0.1192, Band::Low, 0));
}

#[test]
fn signs_add_up_over_turns_and_are_told_heaviest_first() {
    let mut talk = Weighed::new();
    let first = talk.say("I will never buy here again", &angry(nothing(), 0.7));
    assert_eq!(seen(&first), [("threat", 1, 2.0), ("frustrated", 1, 0.5), ("failed", 1, 0.25)]);
    assert_eq!((first.score, first.band), (0.6792, Band::Medium));
    for _ in 0..3 {
        talk.say("NOTHING works", &angry(about("opening_hours"), 0.7));
    }
    let last = talk.say("where is the money?", &about("refunds"));
    assert!(seen(&last).contains(&("frustrated", 4, 1.0)), "counted on, but only two weigh: {last:?}");
    assert_eq!(last.band, Band::High);
}

#[test]
fn what_was_before_the_conversation_counts_but_not_once_per_turn() {
    let mut talk = Weighed::new();
    talk.customer = Customer { contacts: 3, last_rating: Some(2), ..Customer::default() };
    for _ in 0..2 {
        let risk = talk.turn("when do you open?", &about("opening_hours"), None, 1);
        for sign in [("again", 3, 1.0), ("rated", 1, 1.0), ("thumbs", 1, 0.5)] {
            assert!(seen(&risk).contains(&sign), "{sign:?} in {risk:?}");
        }
    }
}

#[test]
fn a_lookup_counts_by_its_answer() {
    let mut talk = Weighed::new();
    let risk = talk.turn("JT-1042", &about("order_status"), Some(("order_status", "shipped")), 0);
    assert!(seen(&risk).is_empty(), "{risk:?}");
    let risk = talk.turn("and JT-1043?", &about("order_status"), Some(("order_status", "packed")), 0);
    assert!(seen(&risk).contains(&("packed", 1, 1.0)), "{risk:?}");
}

#[test]
fn friendly_words_lower_the_score() {
    let mut talk = Weighed::new();
    let before = talk.say("how do refunds work?", &about("refunds")).score;
    let glad = Analysis {
        sentiment: Sentiment { negative: 0.0, neutral: 0.1, positive: 0.9 },
        ..analysis(&[("greeting", 0.9, 0.8)], 0.0)
    };
    assert!(talk.say("lovely, thank you", &glad).score < before);
}

#[test]
fn the_same_conversation_gives_the_same_risk_also_after_storage() {
    let (mut one, mut other) = (Weighed::new(), Weighed::new());
    for text in ["I will never order again", "refund", "what?"] {
        let risk = one.say(text, &angry(about("refunds"), 0.8));
        let text_of_risk = serde_json::to_string(&other.say(text, &angry(about("refunds"), 0.8))).unwrap();
        other.risk = Some(serde_json::from_str(&text_of_risk).unwrap());
        assert_eq!(Some(risk), other.risk);
    }
}

#[test]
fn without_the_file_nothing_is_weighed() {
    let prompts = super::fixture::prompts();
    let memory = DialogueState::default();
    let customer = Customer::default();
    let turn = memory.turn("I will never buy here again", false, State::Bot, &customer);
    let decision = decide(&turn, &nothing(), &prompts);
    let now = ChurnTurn { turn: &turn, decision: &decision, looked_up: None, thumbs_down: 0 };
    assert_eq!(churn_risk(&now, None, &prompts), None);
}

#[test]
fn faults_are_refused() {
    for (from, to, reason) in [
        ("reason = \"churn\"", "reason = \"burn\"", "there is no reason `burn`"),
        ("intents = [\"refunds\"]", "intents = [\"refund\"]", "there is no intent `refund`"),
        ("lookup = \"order_status\"", "lookup = \"order\"", "there is no lookup `order`"),
        ("\"packed\", ", "\"lost\", ", "there is no answer of this lookup `lost`"),
        ("at_most = 2\n", "", "needs `at_most`"),
        ("kind = \"failed\"", "kind = \"failed\"\nreason = \"churn\"", "has no use for `reason`"),
        ("weight = 2.0", "weight = 20.0", "20 is not between -5 and 5"),
        ("high = 0.7", "high = 0.1", "`high` must not be below `medium`"),
        ("priority_bonus = 5", "priority_bonus = 50", "50 is not between 0 and 20"),
        ("name = \"friendly\"", "name = \"thumbs\"", "the signal `thumbs` is there twice"),
    ] {
        assert!(CHURN.contains(from), "{from}");
        let error = bot(&CHURN.replacen(from, to, 1)).err().unwrap_or_else(|| panic!("accepted {to}"));
        assert!(error.contains(reason) && error.contains("prompts/churn.toml:"), "{error}");
    }
}
