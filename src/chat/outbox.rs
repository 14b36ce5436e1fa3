//! Delivers what has to leave the server: at least once, each attempt later than the one before, for a day. What is
//! delivered was stored in the transaction of what caused it, so a stop or a crash loses nothing. Nodes share the
//! outbox: each takes up what is due for a while, and nobody else tries it meanwhile.

use super::oncall::Call;
use crate::app::{App, Shared};
use crate::egress::{HeaderMap, HeaderName, HeaderValue, Method, Outgoing};
use crate::store::{Attempt, Delivery, OutboxKind};
use crate::telemetry;
use lettre::message::{Mailbox, header::ContentType};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use std::time::Duration;

/// How long one attempt may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);
/// After this long nobody needs to hear of it any more.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long whoever takes a delivery up has it: longer than an attempt, by more than clocks differ.
const CLAIM: Duration = Duration::from_secs(20);
/// Attempts at a time.
const AT_ONCE: u32 = 16;
/// How often it looks although nothing was said to be due: another process may have written.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Largest answer in bytes; nothing in it is read.
const MAX_ANSWER: usize = 64 * 1024;
const CONTENT_TYPE: HeaderName = HeaderName::from_static("content-type");

/// Delivers until the server stops.
pub async fn run(app: Shared) {
    while !app.stop.is_cancelled() {
        let pause = deliver_due(&app).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the outbox could not be read");
            LOOK_EVERY
        });
        tokio::select! {
            () = app.stop.cancelled() => {}
            // Woken at once by what is new.
            _ = tokio::time::timeout(pause, app.outbox_news.notified()) => {}
        }
    }
}

/// Tries everything that is due; returns how long nothing else is.
async fn deliver_due(app: &App) -> super::Result<Duration> {
    while !app.stop.is_cancelled() {
        let due = app.store.claim_deliveries(app.clock.now(), CLAIM, AT_ONCE).await?;
        if due.is_empty() {
            break;
        }
        let attempts = due.iter().map(|delivery| attempt(app, delivery));
        for settled in futures_util::future::join_all(attempts).await {
            settled?;
        }
    }
    let next = app.store.next_delivery().await?;
    let pause = next.map(|at| u64::try_from(at.since(app.clock.now())).unwrap_or(0));
    Ok(pause.map_or(LOOK_EVERY, |millis| Duration::from_millis(millis).min(LOOK_EVERY)))
}

async fn attempt(app: &App, delivery: &Delivery) -> super::Result<()> {
    let id = delivery.id;
    let sent = tokio::select! {
        // An attempt that is cut off is made again by whoever looks next.
        () = app.stop.cancelled() => None,
        sent = tokio::time::timeout(DEADLINE, send(app, delivery)) => Some(sent),
    };
    let now = app.clock.now();
    let settled = match sent.map(|sent| sent.unwrap_or_else(|_| Err("no answer in time".to_owned()))) {
        None => Attempt::PutBack(now),
        Some(Ok(())) => Attempt::Delivered(now),
        Some(Err(why)) if now.since(delivery.created_at) >= i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX) => {
            tracing::error!(%id, why, attempts = delivery.attempts + 1, "a delivery was given up after a day");
            Attempt::GivenUp
        }
        Some(Err(why)) => {
            tracing::warn!(%id, why, attempts = delivery.attempts + 1, "a delivery failed and is tried again");
            Attempt::Again(now.after(pause_after(delivery.attempts)))
        }
    };
    let outcome = match settled {
        Attempt::Delivered(_) => "delivered",
        Attempt::Again(_) => "again",
        Attempt::GivenUp => "given_up",
        Attempt::PutBack(_) => "put_back",
    };
    metrics::counter!(telemetry::DELIVERIES, "kind" => delivery.kind.name(), "outcome" => outcome).increment(1);
    if !app.store.settle_delivery(id, delivery.claim, settled).await? {
        tracing::warn!(%id, "a delivery took so long that another node took it up");
    }
    Ok(())
}

/// The pause after an attempt that failed, with `failed` failures before it.
fn pause_after(failed: i64) -> Duration {
    let doublings = u32::try_from(failed.clamp(0, 16)).unwrap_or(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// One attempt; an error says what failed, without addresses and secrets.
async fn send(app: &App, delivery: &Delivery) -> Result<(), String> {
    match delivery.kind {
        OutboxKind::Webhook => post(app, delivery).await,
        OutboxKind::Mail => mail(app, delivery).await,
    }
}

async fn post(app: &App, delivery: &Delivery) -> Result<(), String> {
    let url = app.config.oncall_webhook.clone().ok_or("there is no --oncall-webhook any more")?;
    let call = Outgoing {
        method: Method::POST,
        url,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
        body: serde_json::to_vec(&delivery.payload).map_err(|_| "it cannot be written")?,
        timeout: DEADLINE,
        max_bytes: MAX_ANSWER,
        idempotency_key: Some(delivery.id.to_string()),
    };
    let answer = app.egress.send(&call).await.map_err(|error| error.to_string())?;
    if answer.is_success() { Ok(()) } else { Err(format!("it was answered with {}", answer.status)) }
}

async fn mail(app: &App, delivery: &Delivery) -> Result<(), String> {
    let (Some(to), Some(smtp)) = (&app.config.oncall_mail, &app.config.smtp) else {
        return Err("there is no --oncall-mail any more".to_owned());
    };
    let call: Call = serde_json::from_value(delivery.payload.clone()).map_err(|_| "it cannot be read")?;
    let to: Mailbox = to.parse().map_err(|_| "--oncall-mail is no address")?;
    let from = match &app.config.smtp_from {
        Some(from) => from.parse().map_err(|_| "--smtp-from is no address")?,
        None => to.clone(),
    };
    let domain = from.email.domain().to_owned();
    let (subject, body) = words(&call);
    let message = Message::builder()
        .message_id(Some(format!("<{}@{domain}>", delivery.id)))
        .from(from)
        .to(to)
        .subject(subject)
        .header(ContentType::TEXT_PLAIN)
        .body(body)
        .map_err(|_| "the mail could not be made")?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp)
        .map_err(|_| "--smtp is no address of a mail server")?
        .timeout(Some(DEADLINE))
        .build();
    transport.send(message).await.map(|_| ()).map_err(|error| {
        // The server's own words may repeat addresses.
        let kind = if error.is_timeout() { "in time" } else { "as it should" };
        format!("the mail server did not answer {kind} ({})", error.status().map_or(0, u16::from))
    })
}

fn words(call: &Call) -> (String, String) {
    let Call { label, link, since, reminder, .. } = call;
    let subject = match reminder {
        0 => format!("{label}: a customer is waiting"),
        number => format!("{label}: a customer is still waiting (reminder {number})"),
    };
    let body = format!(
        "A customer has been waiting for a person since {since}.\n\nReason: {label}\nOpen it: {link}\n\n\
         This mail holds nothing of what the customer wrote.\n"
    );
    (subject, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_ten_minutes() {
        let seconds: Vec<u64> = [0, 1, 2, 9, 10, 400].map(|failed| pause_after(failed).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 512, 600, 600]);
    }
}
