//! Orders that go wrong, so that anybody can see what the bot does when a shop's system does.
//!
//! | order | what its lookup meets |
//! |---|---|
//! | JT-1090 | the answer comes after five seconds |
//! | JT-1091 | a page of HTML where JSON was due |
//! | JT-1092 | 500 |
//! | JT-1093 | a redirect to another order |
//! | JT-1094 | two megabytes |
//!
//! | order (delivered) | what the start of a return meets |
//! |---|---|
//! | JT-1097 | it is started, and the answer comes after five seconds |
//! | JT-1098 | 409 |
//! | JT-1099 | 503 |

use crate::http::error::{ApiError, Problem};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use std::time::Duration;

/// Longer than any lookup of the demo's bot waits.
const SLOW: Duration = Duration::from_secs(5);
/// More than any lookup reads.
const HUGE: usize = 2 * 1024 * 1024;

/// One way to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// After five seconds.
    Slow,
    /// Not JSON.
    Html,
    /// 500.
    Broken,
    /// Elsewhere.
    Redirect,
    /// Too much.
    Huge,
    /// 409.
    Refused,
    /// 503.
    Busy,
}

impl Fault {
    /// What an order's lookup meets.
    pub(super) fn of_order(number: &str) -> Option<Self> {
        Self::find(
            number,
            &[
                ("JT-1090", Self::Slow),
                ("JT-1091", Self::Html),
                ("JT-1092", Self::Broken),
                ("JT-1093", Self::Redirect),
                ("JT-1094", Self::Huge),
            ],
        )
    }

    /// What the start of a return meets.
    pub(super) fn of_return(order_number: &str) -> Option<Self> {
        Self::find(order_number, &[("JT-1097", Self::Slow), ("JT-1098", Self::Refused), ("JT-1099", Self::Busy)])
    }

    fn find(number: &str, table: &[(&str, Self)]) -> Option<Self> {
        table.iter().find(|row| row.0.eq_ignore_ascii_case(number)).map(|row| row.1)
    }

    /// The answer that goes wrong.
    pub(super) async fn answer(self) -> Response {
        match self {
            Self::Slow => {
                wait().await;
                ApiError::from(Problem::Unavailable).into_response()
            }
            Self::Html => Html("<!doctype html><title>Juniper &amp; Thread</title><p>Back soon.").into_response(),
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Self::Redirect => Redirect::temporary("/demo/api/orders/JT-1042").into_response(),
            Self::Huge => ([(header::CONTENT_TYPE, "application/json")], vec![b' '; HUGE]).into_response(),
            Self::Refused => ApiError::new(Problem::Conflict, "this order takes no returns").into_response(),
            Self::Busy => ApiError::from(Problem::Unavailable).into_response(),
        }
    }
}

/// Lets the caller wait longer than it does.
pub(super) async fn wait() {
    tokio::time::sleep(SLOW).await;
}
