//! The one way out: every HTTP call that candor makes to somebody else's system passes here.
//!
//! Whoever writes an address into a file must not be able to make the server ask its own network:
//! only `https`, only addresses of the public internet, checked at the moment of connecting so that
//! a name cannot change its mind in between; everything else has to be allowed by name. No
//! redirects, no proxies from the environment, and every answer is bounded in time and size. It
//! knows nothing of what is asked, and no error of it holds an address or a text.

mod address;
mod host;
#[cfg(test)]
mod tests;

pub use host::{Host, NoHost};
pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, Url};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long a connection may take to stand, with its name and its TLS.
const CONNECT: Duration = Duration::from_secs(2);
/// Between a failed try and the next.
const PAUSE: Duration = Duration::from_millis(50);
/// Longest address.
const MAX_URL: usize = 4096;
/// The header that makes a repeated call harmless.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that say where a message goes or where it ends: not for callers.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "idempotency-key",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// True for a header that a caller may set.
#[must_use]
pub fn may_set(header: &str) -> bool {
    !OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(header))
}

/// One call.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What is done there.
    pub method: Method,
    /// Where.
    pub url: Url,
    /// Further headers.
    pub headers: HeaderMap,
    /// What is sent; none if empty.
    pub body: Vec<u8>,
    /// How long everything may take together, a second try too.
    pub timeout: Duration,
    /// Largest answer in bytes.
    pub max_bytes: usize,
    /// Sent as `Idempotency-Key`: by it the other side knows a repeated call, so that a method that
    /// changes something may be tried twice as well.
    pub idempotency_key: Option<String>,
}

impl Outgoing {
    fn may_repeat(&self) -> bool {
        self.method.is_safe() || self.idempotency_key.is_some()
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status. A redirect is one like any other: it is not followed.
    pub status: u16,
    /// What a success (2xx) brought; empty for every other status, whose text nobody needs.
    pub body: Vec<u8>,
}

impl Answer {
    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why nothing came back. Never says where it was sought, so it can be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Nothing was sent: the call may not be made.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The answer is larger than it may be.
    #[error("the answer is too large")]
    TooLarge,
    /// It took too long.
    #[error("no answer in time")]
    Late,
    /// There is no connection, or it broke.
    #[error("no connection")]
    Unreachable,
}

/// Why a call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither `https`, nor `http` to a host that is allowed by name.
    #[error("only https")]
    Scheme,
    /// A user or a password in the address.
    #[error("credentials in the address")]
    Credentials,
    /// No host, a host with a dot at its end, or an address that is too long.
    #[error("a malformed address")]
    Malformed,
    /// A port below 1024 that is not 443.
    #[error("a port of another protocol")]
    Port,
    /// The host is not on the public internet, and not allowed by name.
    #[error("a host that is not public; --allow-private-host allows one by name")]
    Private,
    /// A header that callers may not set, or a key that cannot be one.
    #[error("a header that may not be set")]
    Header,
}

/// The guard.
#[derive(Clone, Debug)]
pub struct Egress {
    allowed: Vec<Host>,
    /// For everybody: connects to public addresses only.
    open: reqwest::Client,
    /// For hosts that are allowed by name: connects wherever they lie.
    named: reqwest::Client,
}

/// TLS cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("HTTPS cannot be used on this machine: {0}")]
pub struct NoTls(#[from] reqwest::Error);

impl Egress {
    /// `allowed`: the hosts that may be asked wherever they lie, and without TLS.
    ///
    /// # Errors
    /// If the machine has no usable TLS set-up.
    pub fn new(allowed: Vec<Host>) -> Result<Self, NoTls> {
        // Fails only if another provider was installed first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .connect_timeout(CONNECT)
                .user_agent(concat!("candor/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self { allowed, open: builder().dns_resolver(PublicOnly).build()?, named: builder().build()? })
    }

    /// Makes the call. One that may be repeated is tried a second time after a broken connection, a
    /// 5xx or silence; the first try has two thirds of the time then.
    ///
    /// # Errors
    /// Why there is no answer. A status that tells of a failure is an [`Answer`].
    pub async fn send(&self, call: &Outgoing) -> Result<Answer, EgressError> {
        let client = self.client_for(&call.url).map_err(EgressError::Refused)?;
        let headers = headers(call).ok_or(EgressError::Refused(Refusal::Header))?;
        if !call.may_repeat() {
            return try_once(client, call, headers, call.timeout).await;
        }
        let begin = Instant::now();
        let first = try_once(client, call, headers.clone(), call.timeout * 2 / 3).await;
        let failed = match &first {
            Ok(answer) => answer.status >= 500,
            Err(EgressError::Late | EgressError::Unreachable) => true,
            Err(EgressError::Refused(_) | EgressError::TooLarge) => false,
        };
        if !failed || call.timeout.saturating_sub(begin.elapsed()) <= PAUSE {
            return first;
        }
        tokio::time::sleep(PAUSE).await;
        let second = try_once(client, call, headers, call.timeout.saturating_sub(begin.elapsed())).await;
        // The one that nobody answered may have arrived: that nobody is there now does not undo it.
        if (&first, &second) == (&Err(EgressError::Late), &Err(EgressError::Unreachable)) { first } else { second }
    }

    /// Whether an address may be asked at all, as far as it tells by itself; what its name stands for is only
    /// known when it is asked.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &Url) -> Result<(), Refusal> {
        self.client_for(url).map(drop)
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, Refusal> {
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() || host.ends_with('.') || url.as_str().len() > MAX_URL {
            return Err(Refusal::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let named = self.allowed.iter().any(|allowed| allowed.is_of(url));
        match url.scheme() {
            "https" => {}
            "http" if named => {}
            _ => return Err(Refusal::Scheme),
        }
        if named {
            return Ok(&self.named);
        }
        if url.port().is_some_and(|port| port < 1024) {
            return Err(Refusal::Port);
        }
        // Numbers never reach a resolver, so they are looked at here. `Url` has brought all their forms to one.
        let number = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match number.parse::<IpAddr>() {
            Ok(address) if !address::is_public(address) => Err(Refusal::Private),
            _ => Ok(&self.open),
        }
    }
}

/// The call's headers with its key; none if one of them may not be.
fn headers(call: &Outgoing) -> Option<HeaderMap> {
    let mut headers = call.headers.clone();
    if !headers.keys().all(|name| may_set(name.as_str())) {
        return None;
    }
    if let Some(key) = &call.idempotency_key {
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(key).ok()?);
    }
    Some(headers)
}

async fn try_once(
    client: &reqwest::Client,
    call: &Outgoing,
    headers: HeaderMap,
    time: Duration,
) -> Result<Answer, EgressError> {
    let exchange = async {
        let mut request = client.request(call.method.clone(), call.url.clone()).headers(headers);
        if !call.body.is_empty() {
            request = request.body(call.body.clone());
        }
        let mut response = request.send().await.map_err(|error| reason(&error))?;
        let mut answer = Answer { status: response.status().as_u16(), body: Vec::new() };
        if !answer.is_success() {
            return Ok(answer);
        }
        if response.content_length().is_some_and(|length| length > call.max_bytes as u64) {
            return Err(EgressError::TooLarge);
        }
        while let Some(chunk) = response.chunk().await.map_err(|error| reason(&error))? {
            if answer.body.len() + chunk.len() > call.max_bytes {
                return Err(EgressError::TooLarge);
            }
            answer.body.extend_from_slice(&chunk);
        }
        Ok(answer)
    };
    tokio::time::timeout(time, exchange).await.unwrap_or(Err(EgressError::Late))
}

fn reason(error: &reqwest::Error) -> EgressError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return EgressError::Refused(Refusal::Private);
        }
        cause = error.source();
    }
    if error.is_timeout() { EgressError::Late } else { EgressError::Unreachable }
}

/// Resolves names, and keeps of their addresses the public ones: the connection is made to what was checked.
#[derive(Clone, Copy, Debug)]
struct PublicOnly;

/// A name stands for addresses, and none of them is public.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no public address")]
struct NotPublic;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is set by whoever connects.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(only_public(found)?.into_iter()) as Addrs)
        })
    }
}

fn only_public(found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
    let public: Vec<SocketAddr> = found.filter(|socket| address::is_public(socket.ip())).collect();
    if public.is_empty() { Err(NotPublic) } else { Ok(public) }
}
