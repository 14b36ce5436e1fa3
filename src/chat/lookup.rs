//! Questions to the business's own system over HTTP, as `prompts/lookups.toml` declares them. What
//! comes back is data of unknown quality: bounded in time and size, never followed elsewhere.

use crate::app::App;
use crate::dialogue::prompts::{Header, Lookup, Method};
use crate::dialogue::{LookupOutcome, PromptError, PromptErrors, Prompts};
use crate::egress::{self, Answer, Egress, EgressError, HeaderMap, HeaderName, HeaderValue, Outgoing, Url};
use crate::secret::{PREFIX, Secrets};
use std::collections::BTreeMap;
use std::time::Duration;

/// Largest reply that is read.
const MAX_BYTES: usize = 64 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Carries out the lookup `name`. Never fails: a customer is told that it did not work. `key` is the
/// same for every try of one turn, so that a turn that is answered again changes nothing twice.
pub async fn fetch(
    app: &App,
    prompts: &Prompts,
    name: &str,
    slots: &BTreeMap<String, String>,
    key: &str,
) -> LookupOutcome {
    let call = prompts.lookup(name).and_then(|lookup| call(lookup, &app.origin, &app.secrets, slots, key));
    let Some(call) = call else {
        tracing::warn!(lookup = name, "a lookup could not be put together");
        return LookupOutcome::Failed;
    };
    match app.egress.send(&call).await {
        Ok(answer) => outcome(name, &answer),
        Err(error) => {
            // The address holds the customer's order number: say which lookup, not which URL.
            tracing::warn!(lookup = name, %error, "a lookup failed");
            if error == EgressError::Late { LookupOutcome::TimedOut } else { LookupOutcome::Failed }
        }
    }
}

fn call(
    lookup: &Lookup,
    origin: &str,
    secrets: &Secrets,
    slots: &BTreeMap<String, String>,
    key: &str,
) -> Option<Outgoing> {
    let mut headers = HeaderMap::from_iter([(HeaderName::from_static("accept"), JSON)]);
    let body = lookup.body(slots)?;
    let changes = lookup.method == Method::Post;
    if changes {
        headers.insert("content-type", JSON);
    }
    for header in &lookup.headers {
        headers.insert(HeaderName::from_bytes(header.name.as_bytes()).ok()?, value(header, secrets)?);
    }
    Some(Outgoing {
        method: if changes { egress::Method::POST } else { egress::Method::GET },
        url: Url::parse(&lookup.url(origin, slots)?).ok()?,
        headers,
        body: if changes { serde_json::to_vec(&body).ok()? } else { Vec::new() },
        timeout: Duration::from_millis(lookup.timeout_ms),
        max_bytes: MAX_BYTES,
        idempotency_key: changes.then(|| format!("{key}-{}", lookup.name)),
    })
}

/// A header's value with its secrets; none if one is missing or cannot stand in a header.
fn value(header: &Header, secrets: &Secrets) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&header.value(|name| secrets.get(name))?).ok()?;
    value.set_sensitive(header.secrets().next().is_some());
    Some(value)
}

fn outcome(name: &str, answer: &Answer) -> LookupOutcome {
    match answer.status {
        404 | 410 => LookupOutcome::NotFound,
        400 | 409 | 412 | 422 => LookupOutcome::Refused,
        _ if answer.is_success() => serde_json::from_slice(&answer.body).map_or_else(
            |_| {
                tracing::warn!(lookup = name, "a lookup brought no JSON");
                LookupOutcome::Failed
            },
            LookupOutcome::Found,
        ),
        status => {
            tracing::warn!(lookup = name, status, "a lookup failed");
            LookupOutcome::Failed
        }
    }
}

/// Checks what the files alone do not tell: that every secret is there, that no header is the
/// connection's own, and that no address is one that may not be asked.
///
/// # Errors
/// Every fault with its line. A secret's value is in none.
pub fn check(prompts: &Prompts, egress: &Egress, secrets: &Secrets, origin: &str) -> Result<(), PromptErrors> {
    let mut faults = Vec::new();
    let mut fault = |line, reason| faults.push(PromptError { file: "lookups.toml".to_owned(), line, reason });
    for lookup in prompts.lookups() {
        let sample = lookup.slots.iter().map(|slot| (slot.clone(), "x".to_owned())).collect();
        let url = lookup.url(origin, &sample).and_then(|url| Url::parse(&url).ok());
        match url.map(|url| egress.check(&url)) {
            None => fault(lookup.url_line, "the url is none".to_owned()),
            Some(Err(refusal)) => fault(lookup.url_line, format!("the url may not be asked: {refusal}")),
            Some(Ok(())) => {}
        }
        for header in &lookup.headers {
            if !egress::may_set(&header.name) {
                fault(header.line, format!("the header `{}` is set by the server itself", header.name));
            }
            let missing: Vec<&str> = header.secrets().filter(|name| secrets.get(name).is_none()).collect();
            for name in &missing {
                fault(header.line, format!("{{secret.{name}}} needs the environment variable {PREFIX}{name}"));
            }
            if missing.is_empty() && value(header, secrets).is_none() {
                fault(
                    header.line,
                    format!("a secret of the header `{}` has signs that no header may have", header.name),
                );
            }
        }
    }
    faults.sort_by_key(|fault: &PromptError| fault.line);
    if faults.is_empty() { Ok(()) } else { Err(PromptErrors(faults)) }
}

#[cfg(test)]
mod tests {
    use super::{Egress, Prompts, Secrets, call, check};
    use crate::dialogue::prompts::Lookup;
    use std::collections::BTreeMap;
    use std::path::Path;

    const TRIAL: &str = r#"
[try_return]
method = "POST"
slots = ["order_number"]
url = "https://shop.example/returns?from=candor"
headers = { authorization = "Bearer {secret.SHOP}", x-shop = "1" }
body = { order = "{order_number}", note = "said \"{order_number}\"" }
timeout_ms = 300
fields = ["number"]
answer = "{number}"
not_found = "None."
failed = "Failed."
"#;

    /// The committed bot with this at the end of its lookups.
    fn bot(lookup: &str) -> Prompts {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts");
        let mut files = BTreeMap::new();
        for folder in ["", "intents/"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let name = format!("{folder}{}", entry.unwrap().file_name().to_str().unwrap());
                if let Ok(text) = std::fs::read_to_string(root.join(&name)) {
                    files.insert(name, text);
                }
            }
        }
        files.get_mut("lookups.toml").unwrap().push_str(lookup);
        let examples: Vec<String> = (0..10).map(|number| format!("\"trial number {number}\"")).collect();
        let intent = format!(
            "[[intent]]\nname = \"try_return\"\ntitle = \"Trial\"\nlookup = \"try_return\"\nexamples = [{}]\n",
            examples.join(", ")
        );
        files.insert("intents/trial.toml".into(), intent);
        Prompts::load(&files).unwrap()
    }

    fn secrets(value: &str) -> Secrets {
        [("CANDOR_SECRET_SHOP".to_owned(), value.to_owned())].into_iter().collect()
    }

    #[test]
    fn a_post_carries_its_body_its_secret_and_its_key() {
        let prompts = bot(TRIAL);
        let lookup: &Lookup = prompts.lookup("try_return").unwrap();
        let slots = BTreeMap::from([("order_number".to_owned(), "JT-\"1042\"\\".to_owned())]);
        let call = call(lookup, "http://127.0.0.1:1", &secrets("s3cret"), &slots, "conversation-7").unwrap();
        assert_eq!(call.url.as_str(), "https://shop.example/returns?from=candor");
        let sent: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(sent, serde_json::json!({"order": "JT-\"1042\"\\", "note": "said \"JT-\"1042\"\\\""}));
        assert_eq!(call.headers["authorization"], "Bearer s3cret");
        assert_eq!((&call.headers["content-type"], &call.headers["x-shop"]), (&super::JSON, &"1".parse().unwrap()));
        assert_eq!(call.idempotency_key.as_deref(), Some("conversation-7-try_return"));
        assert!(!format!("{call:?}").contains("s3cret"), "a secret is not shown");
    }

    #[test]
    fn an_asking_carries_no_key_and_a_missing_value_or_secret_asks_nothing() {
        let prompts = bot(TRIAL);
        let order = prompts.lookup("order_status").unwrap();
        let slots = BTreeMap::from([("order_number".to_owned(), "JT-1042".to_owned())]);
        let asked = call(order, "http://127.0.0.1:1", &Secrets::default(), &slots, "conversation-7").unwrap();
        assert_eq!((asked.idempotency_key, asked.body.len()), (None, 0));
        assert!(call(order, "http://127.0.0.1:1", &Secrets::default(), &BTreeMap::new(), "k").is_none());
        let post = prompts.lookup("try_return").unwrap();
        assert!(call(post, "http://127.0.0.1:1", &Secrets::default(), &slots, "k").is_none());
    }

    #[test]
    fn what_the_files_alone_do_not_tell_is_refused_at_start() {
        let egress = Egress::new(vec!["shop.internal".parse().unwrap(), "127.0.0.1:1".parse().unwrap()]).unwrap();
        let faults = |lookup: &str, secrets: &Secrets| {
            let checked = check(&bot(lookup), &egress, secrets, "http://127.0.0.1:1");
            checked.err().map(|errors| errors.to_string()).unwrap_or_default()
        };
        let with = |from: &str, to: &str| faults(&TRIAL.replace(from, to), &secrets("s3cret"));
        assert_eq!(faults(TRIAL, &secrets("s3cret")), "");
        let missing = faults(TRIAL, &Secrets::default());
        assert!(missing.starts_with("prompts/lookups.toml:"), "{missing}");
        assert!(missing.ends_with("{secret.SHOP} needs the environment variable CANDOR_SECRET_SHOP"), "{missing}");
        let odd = faults(TRIAL, &secrets("s3c\nret"));
        assert!(odd.contains("signs that no header may have") && !odd.contains("s3c"), "{odd}");
        assert!(with("x-shop", "host").contains("set by the server itself"));
        for url in ["https://10.0.0.1/x", "https://[::1]/x", "http://shop.example/x", "https://me@shop.example/x"] {
            assert!(with("https://shop.example/returns", url).contains("may not be asked"), "{url}");
        }
        assert_eq!(with("https://shop.example/returns", "http://shop.internal:8080/x"), "");
    }
}
