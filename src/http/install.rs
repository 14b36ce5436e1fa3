//! What a server has seen of the pages that embed the chat: a manager's test of one of them asks for it. Held in memory,
//! by each server for itself; which customers were there is not known here.

use super::error::{ApiError, ApiResult};
use super::extract::{Json, Manager, Query};
use crate::app::Shared;
use crate::domain::Timestamp;
use crate::egress::Url;
use axum::Extension;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Origins that are remembered: whoever makes some up pushes out the one that was seen longest ago.
const KEPT: usize = 200;

/// A step on the way of the chat onto a page.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// The page asked for the loader.
    Loader,
    /// It framed the chat.
    Chat,
    /// It framed the chat and may not.
    Refused,
    /// The chat on it connected.
    Socket,
}

/// When an origin took each step last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Steps {
    loader_at: Option<Timestamp>,
    chat_at: Option<Timestamp>,
    socket_at: Option<Timestamp>,
    refused_at: Option<Timestamp>,
}

impl Steps {
    fn last(&self) -> Option<Timestamp> {
        [self.loader_at, self.chat_at, self.socket_at, self.refused_at].into_iter().flatten().max()
    }
}

/// The origins that were seen.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, Steps>>);

impl Seen {
    /// Notes that the page at `address` took a step; what is no address of a page is passed over.
    pub(super) fn note(&self, address: &str, step: Step, at: Timestamp) {
        let Some(origin) = origin_of(address) else { return };
        // One step leaves the map whole, so a poisoned lock holds a sound one.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEPT && !seen.contains_key(&origin) {
            let oldest = seen.iter().min_by_key(|(_, steps)| steps.last()).map(|(origin, _)| origin.clone());
            oldest.and_then(|origin| seen.remove(&origin));
        }
        let steps = seen.entry(origin).or_default();
        let place = match step {
            Step::Loader => &mut steps.loader_at,
            Step::Chat => &mut steps.chat_at,
            Step::Refused => &mut steps.refused_at,
            Step::Socket => &mut steps.socket_at,
        };
        *place = Some(at);
    }

    fn steps(&self, origin: &str) -> Steps {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).copied().unwrap_or_default()
    }
}

fn origin_of(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(url.origin().ascii_serialization())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    origin: String,
}

#[derive(Serialize)]
pub(super) struct Found {
    origin: String,
    /// It is one of this server's own, or on the list of those that may embed the chat.
    allowed: bool,
    #[serde(flatten)]
    steps: Steps,
}

/// `GET /v1/install?origin=…`: whether a page of this origin may embed the chat, and when it last did what. The address
/// of a page is taken for its origin.
///
/// # Errors
/// `not_signed_in`, `forbidden`; `invalid` for what is no address of a page.
pub(super) async fn show(
    _manager: Manager,
    State(app): State<Shared>,
    Extension(seen): Extension<Arc<Seen>>,
    Query(page): Query<Page>,
) -> ApiResult<Json<Found>> {
    let origin = origin_of(&page.origin)
        .ok_or_else(|| ApiError::field("origin", "this is no address of a page (https://shop.example)"))?;
    let allowed = is_allowed(&app, &origin);
    let steps = seen.steps(&origin);
    Ok(Json(Found { origin, allowed, steps }))
}

/// Whether pages of this origin may embed the chat.
pub(super) fn is_allowed(app: &Shared, origin: &str) -> bool {
    app.own_origins.iter().chain(&app.config.allow_origin).any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Seen, Step, Steps};
    use crate::domain::Timestamp;

    #[test]
    fn a_page_is_known_by_its_origin_and_what_is_none_by_nothing() {
        let seen = Seen::default();
        seen.note("https://shop.example/coats?size=8", Step::Loader, Timestamp(5));
        seen.note("https://shop.example:443/", Step::Socket, Timestamp(7));
        for address in ["", "shop.example", "data:text/html,x", "javascript:0", "file:///etc"] {
            seen.note(address, Step::Loader, Timestamp(9));
        }
        let steps = Steps { loader_at: Some(Timestamp(5)), socket_at: Some(Timestamp(7)), ..Steps::default() };
        assert_eq!(seen.steps("https://shop.example"), steps);
        assert_eq!(seen.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn whoever_makes_up_pages_pushes_out_the_oldest() {
        let seen = Seen::default();
        let times = KEPT as i64 + 50;
        for time in 0..times {
            seen.note(&format!("https://p{time}.example"), Step::Loader, Timestamp(time));
        }
        assert_eq!(seen.0.lock().unwrap().len(), KEPT);
        assert_eq!(seen.steps("https://p0.example"), Steps::default());
        assert_eq!(seen.steps(&format!("https://p{}.example", times - 1)).loader_at, Some(Timestamp(times - 1)));
    }
}
