//! Hosts that are allowed by name, wherever they lie.

use reqwest::Url;
use std::fmt;
use std::str::FromStr;

/// A host, and the port if only one is meant: `shop.internal`, `10.0.0.7:8443`, `[fd00::1]:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// In the form that addresses bring hosts to: lower case, numbers as dotted decimals.
    name: String,
    port: Option<u16>,
}

/// Not a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not HOST or HOST:PORT (an IPv6 address stands in brackets)")]
pub struct NoHost;

impl Host {
    /// The host and port of an origin such as `https://chat.example.com`.
    ///
    /// # Errors
    /// If it is none.
    pub fn of_origin(origin: &str) -> Result<Self, NoHost> {
        let url = Url::parse(origin).map_err(|_| NoHost)?;
        let name = url.host_str().ok_or(NoHost)?.to_owned();
        Ok(Self { name, port: url.port_or_known_default() })
    }

    pub(super) fn is_of(&self, url: &Url) -> bool {
        url.host_str() == Some(&self.name) && self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
    }
}

impl FromStr for Host {
    type Err = NoHost;

    fn from_str(text: &str) -> Result<Self, NoHost> {
        let bracketed = text.rfind(']').unwrap_or(0);
        let (name, port) = match text.rfind(':').filter(|at| *at > bracketed) {
            Some(at) => (&text[..at], Some(text[at + 1..].parse().map_err(|_| NoHost)?)),
            None => (text, None),
        };
        if name.is_empty() || name.contains(['/', '?', '#', '@', '\\', '*']) || name.contains(char::is_whitespace) {
            return Err(NoHost);
        }
        let url = Url::parse(&format!("https://{name}")).map_err(|_| NoHost)?;
        if url.port().is_some() || url.path() != "/" {
            return Err(NoHost);
        }
        Ok(Self { name: url.host_str().ok_or(NoHost)?.to_owned(), port })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, Url};

    fn allows(host: &str, url: &str) -> bool {
        host.parse::<Host>().unwrap().is_of(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_host_is_itself_however_it_is_written() {
        for (host, url) in [
            ("shop.internal", "https://shop.internal/x"),
            ("Shop.Internal", "https://SHOP.internal:8443/"),
            ("shop.internal:443", "https://shop.internal/"),
            ("shop.internal:80", "http://shop.internal/"),
            ("10.0.0.7:8443", "https://10.0.0.7:8443/"),
            ("10.0.0.7", "https://0x0a.7/"),
            ("[fd00::1]:80", "http://[fd00:0::1]/"),
            ("[::1]", "https://[0:0:0:0:0:0:0:1]/"),
        ] {
            assert!(allows(host, url), "{host} {url}");
        }
    }

    #[test]
    fn another_port_or_name_is_another_host() {
        for (host, url) in [
            ("shop.internal:443", "https://shop.internal:8443/"),
            ("shop.internal:443", "http://shop.internal/"),
            ("shop.internal", "https://a.shop.internal/"),
            ("shop.internal", "https://shop.internal.example/"),
            ("shop.internal", "https://shop.internal./"),
            ("shop.internal", "https://shop.internal@evil.example/"),
            ("127.0.0.1:8080", "http://127.0.0.1:8081/"),
        ] {
            assert!(!allows(host, url), "{host} {url}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", ":80", "a b", "https://a", "a/b", "a@b", "a:b", "a:99999", "*.a", "[::1", "::1", "a:1:2"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_names_its_port() {
        let host = Host::of_origin("https://chat.example").unwrap();
        assert!(host.is_of(&Url::parse("https://chat.example/demo").unwrap()));
        assert!(!host.is_of(&Url::parse("https://chat.example:8443/demo").unwrap()));
        assert!(!host.is_of(&Url::parse("http://chat.example/demo").unwrap()));
        assert_eq!(Host::of_origin("http://127.0.0.1:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert!(Host::of_origin("nowhere").is_err());
    }
}
