//! What a customer answers before their first message. It is their own word, proven by nobody: it stands in the log as
//! they gave it, and nothing is decided by it.

use super::{Error, Result, accounts, text, turn};
use crate::app::App;
use crate::dialogue::prompts::{AnswerKind, PreChat, Question};
use crate::domain::{Author, ConversationId, EventKind};
use crate::store::{Appended, Guard, NewEvent};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Characters of an answer at most.
const MAX_CHARS: usize = 200;

/// Stores the answers. Those that were left empty are not there.
///
/// # Errors
/// `Field` for an answer that cannot be taken, one that is missing, or to something that is not asked; `Closed`;
/// `Conflict`; storage errors.
pub async fn answer(
    app: &App,
    conversation: ConversationId,
    client_id: Uuid,
    answers: &BTreeMap<String, String>,
) -> Result<Appended> {
    let prompts = app.prompts();
    let asked = prompts.business().pre_chat.as_ref().ok_or_else(|| refused("nothing is asked"))?;
    let answered = check(asked, answers)?;
    let mut event = NewEvent::new(EventKind::Note, Author::Customer, app.clock.now());
    event.client_id = Some(client_id);
    let lines: Vec<String> = answered.iter().map(|(question, said)| format!("{}: {said}", question.label)).collect();
    event.text = Some(lines.join("\n"));
    let said: Vec<_> = answered
        .iter()
        .map(|(question, said)| json!({ "name": question.name, "label": question.label, "said": said }))
        .collect();
    event.data = Some(json!({ "pre_chat": said }));
    let appended = app.store.append(conversation, Guard::Open, event).await?;
    turn::announce(app, conversation);
    Ok(appended)
}

fn check<'a>(asked: &'a PreChat, answers: &BTreeMap<String, String>) -> Result<Vec<(&'a Question, String)>> {
    if answers.keys().any(|name| !asked.fields.iter().any(|question| question.name == *name)) {
        return Err(refused("an answer to something that is not asked"));
    }
    let mut answered = Vec::new();
    for question in &asked.fields {
        let given = answers.get(&question.name).map(|given| given.replace('\n', " ")).unwrap_or_default();
        if given.trim().is_empty() {
            if question.required {
                return Err(refused(&format!("`{}` is required", question.name)));
            }
            continue;
        }
        let said = text::clean(&given)?;
        let fits = match question.kind {
            AnswerKind::Text => true,
            AnswerKind::Email => accounts::check_email(&said).is_ok(),
            AnswerKind::Choice => question.options.contains(&said),
        };
        if !fits || said.chars().count() > MAX_CHARS {
            return Err(refused(&format!("`{}` cannot be taken", question.name)));
        }
        answered.push((question, said));
    }
    if answered.is_empty() { Err(refused("nothing was answered")) } else { Ok(answered) }
}

fn refused(why: &str) -> Error {
    Error::Field("answers", why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::dialogue::prompts::{AnswerKind, PreChat, Question};
    use std::collections::BTreeMap;

    fn asked() -> PreChat {
        let question = |name: &str, kind, required, options: &[&str]| Question {
            name: name.to_owned(),
            label: name.to_uppercase(),
            kind,
            required,
            options: options.iter().map(ToString::to_string).collect(),
        };
        let fields = vec![
            question("name", AnswerKind::Text, false, &[]),
            question("email", AnswerKind::Email, true, &[]),
            question("topic", AnswerKind::Choice, false, &["Order", "Return"]),
        ];
        PreChat { intro: "So that we can answer.".to_owned(), fields }
    }

    fn judged(answers: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
        let answers: BTreeMap<_, _> =
            answers.iter().map(|(name, said)| ((*name).to_owned(), (*said).to_owned())).collect();
        let asked = asked();
        let kept = check(&asked, &answers).ok()?;
        Some(kept.into_iter().map(|(question, said)| (question.name.clone(), said)).collect())
    }

    #[test]
    fn answers_are_kept_in_the_order_of_the_questions_and_empty_ones_are_not() {
        let given = [("topic", "Return"), ("email", " ada@shop.example "), ("name", "  ")];
        let kept = [("email", "ada@shop.example"), ("topic", "Return")];
        assert_eq!(judged(&given), Some(kept.map(|(name, said)| (name.to_owned(), said.to_owned())).to_vec()));
    }

    #[test]
    fn what_is_not_asked_not_answered_or_no_answer_is_refused() {
        let email = ("email", "ada@shop.example");
        for given in [
            &[][..],
            &[("name", "Ada")],
            &[("email", "ada at shop")],
            &[email, ("topic", "Else")],
            &[email, ("vip", "yes")],
            &[email, ("name", &"x".repeat(201))],
        ] {
            assert_eq!(judged(given), None, "{given:?}");
        }
    }
}
