//! One test per trigger of a person, as docs/escalation.md lists them.

use super::fixture::{Talk, about, analysis, angry, nothing};
use crate::dialogue::{Decision, decide};
use crate::domain::{ActionKind, Analysis, Customer, Mood};
use ActionKind::{Fallback, Handoff, Offer, Reply};

struct Known(Talk, Customer);

impl Known {
    fn say(&mut self, text: &str, read: &Analysis) -> Decision {
        let decision = decide(&self.0.memory.turn(text, false, self.0.state, &self.1), read, &self.0.prompts);
        self.0.memory.advance(&decision);
        self.0.state = decision.next_state(self.0.state);
        decision
    }
}

fn known(customer: Customer) -> Known {
    Known(Talk::new(), customer)
}

fn codes(decision: &Decision) -> (ActionKind, Vec<&str>) {
    (decision.action, decision.reasons.iter().map(|reason| reason.code.as_str()).collect())
}

#[test]
fn a_threat_to_leave_is_offered_a_person_and_a_second_one_given_one() {
    let mut talk = Talk::new();
    assert_eq!(codes(&talk.say("I will never order again", &about("refunds"))), (Offer, vec!["churn"]));
    assert_eq!(codes(&talk.say("never order here again!", &about("refunds"))).0, Handoff);
}

#[test]
fn a_threat_that_only_the_model_reads_is_offered_a_person_too() {
    let mut talk = Talk::new();
    let threat = analysis(&[("going", 0.8, 0.7), ("refunds", 0.1, 0.5)], 0.05);
    let offered = talk.say("it goes in the paper on Friday", &threat);
    assert_eq!(codes(&offered), (Offer, vec!["churn"]));
    assert_eq!(codes(&talk.say("with your name on it", &threat)).0, Handoff);
    let unsure = analysis(&[("going", 0.2, 0.7), ("refunds", 0.1, 0.5)], 0.05);
    assert_eq!(Talk::new().say("it goes in the paper on Friday", &unsure).reasons, []);
}

#[test]
fn an_insult_beside_a_question_is_evidence_and_the_question_is_answered() {
    let mut talk = Talk::new();
    let rude = analysis(&[("rude", 0.75, 0.7), ("opening_hours", 0.2, 0.7)], 0.05);
    let first = talk.say("when do you open, tin can", &rude);
    assert_eq!((first.action, first.intent.as_deref()), (Reply, Some("opening_hours")));
    assert_eq!(codes(&talk.say("well, tin can, when?", &rude)), (Offer, vec!["abuse"]));
}

#[test]
fn insults_count_and_the_second_offers_and_the_third_hands_over_with_a_note() {
    let mut talk = Talk::new();
    let first = talk.say("stupid bot", &about("opening_hours"));
    assert_eq!(first.action, Reply, "the first one alone is no reason");
    assert_eq!(talk.say("when do you open", &about("greeting")).action, Reply);
    let second = talk.say("stupid bot!", &about("refunds"));
    assert_eq!(codes(&second), (Offer, vec!["abuse"]));
    assert_eq!(talk.say("thanks", &about("greeting")).action, Reply);
    let third = talk.say("stupid bot", &about("opening_hours"));
    assert_eq!(codes(&third), (Handoff, vec!["abuse"]));
    assert!(third.reasons[0].evidence.contains("content note"), "{:?}", third.reasons);
    assert_eq!((third.reasons[0].value, third.reasons[0].threshold), (Some(3.0), Some(3.0)));
}

#[test]
fn a_third_insult_goes_through_a_declined_offer() {
    let mut talk = Talk::new();
    talk.say("stupid bot", &about("opening_hours"));
    talk.say("stupid bot", &about("refunds"));
    assert_eq!(talk.say("No, keep going", &about("no")).action, Reply);
    assert_eq!(talk.say("stupid bot", &about("refunds")).action, Handoff);
}

#[test]
fn an_insult_is_evidence_beside_the_mood() {
    let short = |text: &str| {
        let mut talk = Talk::new();
        talk.say("ugh", &angry(about("refunds"), 0.7));
        talk.say(text, &angry(about("opening_hours"), 0.52)).action
    };
    assert_eq!(short("when do you open"), Reply);
    assert_eq!(short("when do you open, stupid bot"), Offer);
}

#[test]
fn shouting_weighs_a_little_and_never_alone() {
    let second = |text: &str, frustration: f32| {
        let mut talk = Talk::new();
        talk.say("ugh", &angry(about("refunds"), 0.7));
        talk.say(text, &angry(about("opening_hours"), frustration))
    };
    assert_eq!(second("when do you open this week", 0.55).action, Reply);
    let loud = second("WHEN DO YOU OPEN THIS WEEK!!!", 0.55);
    assert_eq!(loud.action, Offer);
    assert_eq!(loud.trace["figures"]["added"]["shouting"], 0.06, "two signs, but the cap holds");
    assert_eq!(loud.trace["figures"]["weighed"], 0.61);
    assert_eq!(loud.trace["figures"]["frustration"], 0.55);
    assert_eq!(second("JT 1042!!", 0.55).action, Reply, "too few letters and marks");
    let mut talk = Talk::new();
    for _ in 0..5 {
        let decision = talk.say("LOOK AT THIS LOVELY COAT!!!!!", &angry(about("greeting"), 0.3));
        assert_eq!(decision.action, Reply);
    }
}

#[test]
fn a_second_contact_lowers_the_limits_of_frustration() {
    let play = |contacts: u32| {
        let mut known = known(Customer { contacts, ..Customer::default() });
        known.say("ugh", &angry(about("refunds"), 0.55));
        known.say("ugh", &angry(about("opening_hours"), 0.55))
    };
    assert_eq!(play(0).action, Reply);
    let second = play(1);
    assert_eq!(codes(&second), (Offer, vec!["frustration"]));
    assert_eq!(second.reasons[0].threshold, Some(0.5), "the limit as it was for this customer");
    assert_eq!(second.trace["figures"]["lowered"][0]["by"], "repeat_contact");
    assert_ne!(second.mood, Mood::Frustrated, "the mood is what was read: nobody is named angrier for coming back");
}

#[test]
fn a_third_contact_is_offered_a_person_at_the_first_sign_and_a_fourth_at_once() {
    let third = || known(Customer { contacts: 2, ..Customer::default() });
    assert_eq!(third().say("when do you open", &about("opening_hours")).action, Reply);
    assert_eq!(codes(&third().say("blue", &nothing())), (Offer, vec!["repeat_contact"]));
    assert_eq!(codes(&third().say("hm", &angry(about("refunds"), 0.55))), (Offer, vec!["repeat_contact"]));
    let mut fourth = known(Customer { contacts: 3, ..Customer::default() });
    let first = fourth.say("when do you open", &about("opening_hours"));
    assert_eq!(codes(&first), (Offer, vec!["repeat_contact"]));
    assert!(matches!(first.reply, crate::dialogue::Reply::Offer { answer: Some(_), .. }), "the question is answered");
    assert_eq!(fourth.say("and refunds?", &about("refunds")).action, Reply, "asked once, not on every turn");
}

#[test]
fn marked_customers_have_lower_limits_and_a_higher_place() {
    for customer in [
        Customer { vip: true, verified: true, ..Customer::default() },
        Customer { vulnerable: true, verified: true, ..Customer::default() },
    ] {
        let policy = Talk::new().prompts.policy().clone();
        assert!(policy.priority_bonus(&customer) > 0);
        let mut known = known(customer);
        known.say("ugh", &angry(about("refunds"), 0.55));
        assert_eq!(known.say("ugh", &angry(about("opening_hours"), 0.55)).action, Offer);
    }
    let both = Customer { vip: true, vulnerable: true, ..Customer::default() };
    assert_eq!(Talk::new().prompts.policy().priority_bonus(&both), 20, "the larger, not the sum");
}

#[test]
fn somebody_who_rated_low_is_offered_a_person_at_the_first_sign() {
    let rated = |rating| known(Customer { last_rating: Some(rating), ..Customer::default() });
    assert_eq!(codes(&rated(2).say("blue", &nothing())), (Offer, vec!["low_rating"]));
    assert_eq!(rated(2).say("when do you open", &about("opening_hours")).action, Reply);
    assert_eq!(rated(3).say("blue", &nothing()).action, Fallback);
}

#[test]
fn rests_stop_soft_reasons_and_nothing_hard() {
    let mut talk = Talk::new();
    talk.say("never order again", &nothing());
    talk.say("No, keep going", &about("no"));
    assert_ne!(talk.say("never order again", &about("refunds")).action, Offer);
    for said in ["hurt myself", "my lawyer", "talk to a person"] {
        let mut same = Talk { memory: talk.memory.clone(), ..Talk::new() };
        assert_eq!(same.say(said, &nothing()).action, Handoff, "{said}");
    }
}

#[test]
fn a_calm_problem_is_no_reason() {
    let mut talk = Talk::new();
    for text in ["my parcel arrived broken", "it's a nightmare to iron", "I need a black dress for a funeral"] {
        let mut sad = angry(about("refunds"), 0.35);
        sad.sentiment.negative = 0.95;
        assert_eq!(talk.say(text, &sad).action, Reply, "{text}");
        talk.say("thanks", &about("greeting"));
    }
}
