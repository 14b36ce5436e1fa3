//! How things are said: to whom, in which register, and never twice.

use super::fixture::{about, analysis, angry, files, nothing};
use crate::dialogue::{Decision, DialogueState, Prompts, Register, decide, render};
use crate::domain::{ActionKind, Analysis, Customer, Sentiment, State};

const TONE: &str = r#"
[profile.default]
formality = "informal"
directness = "direct"
[profile.de]
formality = "formal"
directness = "direct"
locales = ["nl"]
[profile.fr]
formality = "formal"
directness = "indirect"
[profile.en-GB]
formality = "informal"
directness = "indirect"
[acknowledge.informal]
direct = ["I understand {understood}.", "I see {understood}."]
indirect = ["From what you write, I understand {understood}.", "If I read you right, {business} hears {understood}."]
[acknowledge.formal]
direct = ["I have noted {understood}.", "Your message tells me {understood}."]
indirect = ["From your message, I understand {understood}.", "Please confirm {understood}."]
"#;

/// The small bot with a tone.
pub(super) fn toned() -> std::collections::BTreeMap<String, String> {
    let mut files = files();
    files.insert("tone.toml".into(), TONE.into());
    let intents = files.get_mut("intents/all.toml").unwrap();
    let replace = |text: &mut String, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        *text = text.replacen(from, to, 1);
    };
    replace(
        intents,
        "answer = \"Refunds take five days.\"",
        "understood = \"that your money has not come\"\nanswer = \"Great news, {customer.name|dear customer}! Refunds take five days.\"\nbuttons = [{ label = \"Open when?\", say = \"Opening hours\" }]\n[intent.variants]\nupset = \"{customer.name|You} will have the refund within five days.\"\nformal = \"Refunds take five days, {customer.title|Sir or Madam}.\"",
    );
    replace(
        intents,
        "lookup = \"order_status\"",
        "understood = \"that you wait for your order\"\nlookup = \"order_status\"",
    );
    replace(intents, "We open at **{opens}**.", "We open at **{opens}**!");
    files
}

struct Talk {
    prompts: Prompts,
    memory: DialogueState,
    state: State,
    customer: Customer,
}

impl Talk {
    fn new(locale: Option<&str>) -> Self {
        let prompts = Prompts::load(&toned()).unwrap_or_else(|errors| panic!("{errors}"));
        let mut policy = prompts.policy().clone();
        // Offers of a person have their own tests.
        policy.frustration.consecutive = 10;
        let prompts = prompts.with_policy(policy);
        let customer = Customer { locale: locale.map(str::to_owned), ..Customer::default() };
        Self { prompts, memory: DialogueState::default(), state: State::Bot, customer }
    }

    fn hear(&mut self, text: &str, analysis: &Analysis) -> (Decision, String) {
        let turn = self.memory.turn(text, false, self.state, &self.customer);
        let decision = decide(&turn, analysis, &self.prompts);
        let said = render(&self.prompts, &decision.reply, None, decision.voice(&self.customer)).text;
        self.memory.advance(&decision);
        self.state = decision.next_state(self.state);
        (decision, said)
    }

    fn say(&mut self, text: &str, analysis: &Analysis) -> String {
        self.hear(text, analysis).1
    }
}

fn cheerful(analysis: Analysis) -> Analysis {
    Analysis { sentiment: Sentiment { negative: 0.0, neutral: 0.1, positive: 0.9 }, ..analysis }
}

#[test]
fn calm_customers_get_the_answer_and_nothing_else() {
    let mut talk = Talk::new(None);
    assert_eq!(talk.say("when is the refund", &about("refunds")), "Great news, dear customer! Refunds take five days.");
    assert_eq!(talk.say("when do you open", &cheerful(about("opening_hours"))), "We open at **nine**!");
}

#[test]
fn upset_customers_hear_what_is_understood_then_the_fix_and_never_the_same_twice() {
    let mut talk = Talk::new(None);
    let first = talk.say("WHERE is my money", &angry(about("refunds"), 0.7));
    assert_eq!(first, "I understand that your money has not come.\n\nYou will have the refund within five days.");
    let second = talk.say("and my order??", &angry(about("order_status"), 0.7));
    assert!(second.starts_with("I see that you wait for your order.\n\n"), "{second}");
    let third = talk.say("where is my money I said", &angry(about("refunds"), 0.7));
    assert!(!third.contains("that your money"), "both were used, so none is said: {third}");
    assert_eq!(talk.memory.acknowledged.len(), 2);
    talk.memory.returned_by_agent();
    assert_eq!(talk.memory.acknowledged.len(), 2, "it is still the same conversation");
}

#[test]
fn who_has_just_been_upset_is_not_cheered_at_and_is_acknowledged_once() {
    let mut talk = Talk::new(None);
    talk.say("useless thing", &angry(nothing(), 0.7));
    let late = talk.say("where is my refund", &about("refunds"));
    assert!(late.starts_with("I understand that your money"), "nothing was acknowledged so far: {late}");
    let calm = talk.say("when do you open", &about("opening_hours"));
    assert_eq!(calm, "We open at **nine**.", "one of the two turns before was an upset one");
    let thawed = talk.say("where is jt 1042", &cheerful(about("order_status")));
    assert!(!thawed.contains("I see"), "{thawed}");
    assert_eq!(talk.say("when do you open", &about("opening_hours")), "We open at **nine**!");
}

#[test]
fn frustration_alone_is_no_upset_customer() {
    let mut talk = Talk::new(None);
    let lone = Analysis { frustration: 0.9, ..about("refunds") };
    assert_eq!(talk.hear("refund status please", &lone).0.tone.register, Register::Plain);
    let negative = Analysis { sentiment: Sentiment { negative: 0.9, neutral: 0.1, positive: 0.0 }, ..about("refunds") };
    assert_eq!(talk.hear("it came broken", &negative).0.tone.register, Register::Plain, "a problem told calmly");
}

#[test]
fn what_is_not_understood_is_not_acknowledged() {
    let mut talk = Talk::new(None);
    let close = analysis(&[("refunds", 0.41, 0.7), ("order_status", 0.39, 0.68)], 0.7);
    let (decision, said) = talk.hear("argh", &close);
    assert_eq!((decision.action, said.as_str()), (ActionKind::Clarify, "Refunds or Order status?"));
    let (decision, _) = talk.hear("I want to talk to a human", &angry(about("refunds"), 0.9));
    assert_eq!((decision.action, decision.tone.opening), (ActionKind::Handoff, None));
}

#[test]
fn an_offer_that_answers_acknowledges_first() {
    let mut talk = Talk::new(None);
    let (decision, said) = talk.hear("WHERE IS MY MONEY", &angry(about("refunds"), 0.97));
    assert_eq!(decision.action, ActionKind::Offer);
    assert!(said.starts_with("I understand that your money has not come.\n\nA person? (frustration)"), "{said}");
}

#[test]
fn a_locale_finds_its_profile_by_its_language() {
    let talk = Talk::new(None);
    let profile = |locale: Option<&str>| talk.prompts.tone().profile(locale).name.clone();
    for (locale, name) in [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_ch", "de"),
        ("nl-BE", "de"),
        ("fr-CA", "fr"),
        ("en-GB", "en-GB"),
        ("en-US", "default"),
        ("ja", "default"),
        ("", "default"),
        ("x", "default"),
    ] {
        assert_eq!(profile(Some(locale)), name, "{locale}");
    }
    assert_eq!(profile(None), "default");
    let upset = angry(about("refunds"), 0.7);
    let opening = |locale| Talk::new(Some(locale)).hear("money!", &upset).0.trace["tone"].clone();
    assert_eq!(opening("de")["opening"], "I have noted that your money has not come.");
    assert_eq!(opening("fr-CA")["opening"], "From your message, I understand that your money has not come.");
    assert_eq!(opening("en-GB")["opening"], "From what you write, I understand that your money has not come.");
    assert_eq!(opening("en-US")["register"], "upset");
}

#[test]
fn variants_buttons_and_the_customers_name() {
    let mut talk = Talk::new(Some("de"));
    let formal = talk.say("when is the refund", &about("refunds"));
    assert_eq!(formal, "Refunds take five days, Sir or Madam.");
    let mut ada = Talk::new(None);
    ada.customer.name = Some("Ada **Ng**".into());
    let (decision, said) = ada.hear("when is the refund", &about("refunds"));
    assert_eq!(said, "Great news, Ada Ng! Refunds take five days.");
    let options = render(&ada.prompts, &decision.reply, None, decision.voice(&ada.customer)).options;
    assert_eq!(options.iter().map(|option| option.label.as_str()).collect::<Vec<_>>(), ["Open when?"]);
    assert_eq!(ada.hear(&options[0].say, &nothing()).0.intent.as_deref(), Some("opening_hours"));
    let upset = ada.say("where is my REFUND", &angry(about("refunds"), 0.7));
    assert!(upset.ends_with("\n\nAda Ng will have the refund within five days."), "{upset}");
}

#[test]
fn faults_of_tone_are_refused_with_a_reason() {
    let fault = |file: &str, from: &str, to: &str| {
        let mut files = toned();
        let text = files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file} holds no {from:?}");
        *text = text.replacen(from, to, 1);
        Prompts::load(&files).err().map_or_else(|| panic!("accepted {to:?} in {file}"), |errors| errors.to_string())
    };
    for (file, from, to, reason) in [
        ("tone.toml", "I see {understood}.", "I feel {understood}.", "claims a feeling"),
        ("tone.toml", "I see {understood}.", "I'm so sorry {understood}.", "claims a feeling"),
        ("tone.toml", "I see {understood}.", "Oh, {understood}!", "exclamation"),
        ("tone.toml", "I see {understood}.", "I see.", "needs {understood}"),
        ("tone.toml", ", \"I see {understood}.\"", "", "at least two"),
        ("tone.toml", "[profile.default]", "[profile.en]", "[profile.default]"),
        ("tone.toml", "locales = [\"nl\"]", "locales = [\"fr\"]", "already in"),
        ("tone.toml", "locales = [\"nl\"]", "locales = [\"Dutch!\"]", "not a locale"),
        ("tone.toml", "\"formal\"", "\"polite\"", "unknown variant"),
        ("intents/all.toml", "that your money has not come", "your money has not come", "one plain clause"),
        ("intents/all.toml", "that your money has not come", "that you wait.", "one plain clause"),
        ("intents/all.toml", "upset = \"{customer", "upset = \"We are thrilled, {customer", "claims a feeling"),
        ("intents/all.toml", "within five days.\"", "within five days!\"", "exclamation"),
        ("intents/all.toml", "{customer.name|You}", "{customer.name}", "needs words for when it is not known"),
        ("intents/all.toml", "{customer.name|You}", "{customer.name|}", "one plain piece of text"),
        ("intents/all.toml", "say = \"Opening hours\"", "say = \"Sesame\"", "no intent has"),
        ("intents/all.toml", "upset = ", "angry = ", "unknown field"),
        (
            "intents/all.toml",
            "answer = \"Hello.\"",
            "answer = \"Hello.\"\nunderstood = \"that you are here\"",
            "only a question",
        ),
        (
            "intents/all.toml",
            "lookup = \"order_status\"",
            "lookup = \"order_status\"\nvariants = { upset = \"Hm.\" }",
            "another wording",
        ),
        ("business.toml", "Hello from", "Hello {customer.name|there} from", "cannot name the customer"),
        ("handoff.toml", "queued = \"Wait.\"", "queued = \"Wait, {customer.name|you}.\"", "cannot name the customer"),
    ] {
        let told = fault(file, from, to);
        assert!(told.contains(&format!("prompts/{file}:")) && told.contains(reason), "{from} -> {to}: {told}");
    }
}
