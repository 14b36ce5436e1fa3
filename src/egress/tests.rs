//! What is refused, and how a real server on this machine is asked.

use super::{Answer, Egress, EgressError, HeaderMap, HeaderValue, Host, Method, Outgoing, Refusal, Url, only_public};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn get(url: &str) -> Outgoing {
    Outgoing {
        method: Method::GET,
        url: Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: Vec::new(),
        timeout: Duration::from_secs(5),
        max_bytes: 1024,
        idempotency_key: None,
    }
}

fn allowing(host: &str) -> Egress {
    Egress::new(vec![host.parse().unwrap()]).unwrap()
}

/// Every notation of a closed address that `Url` takes, and what else may not be asked.
const REFUSED: [(&str, Refusal); 74] = [
    ("https://127.0.0.1/", Refusal::Private),
    ("https://127.1/", Refusal::Private),
    ("https://127.0.1/", Refusal::Private),
    ("https://2130706433/", Refusal::Private),
    ("https://0x7f000001/", Refusal::Private),
    ("https://0x7f.0.0.1/", Refusal::Private),
    ("https://0177.0.0.1/", Refusal::Private),
    ("https://017700000001/", Refusal::Private),
    ("https://0x7F.1/", Refusal::Private),
    ("https://%31%32%37.0.0.1/", Refusal::Private),
    ("https://127.0.0.1:8443/", Refusal::Private),
    ("https://１２７.０.０.１/", Refusal::Private),
    ("https://127。0。0。1/", Refusal::Private),
    ("https://①②⑦.0.0.1/", Refusal::Private),
    ("https://127.0.0.1./", Refusal::Private),
    ("https:\\\\127.0.0.1\\", Refusal::Private),
    ("https:/127.0.0.1/", Refusal::Private),
    ("https:127.0.0.1", Refusal::Private),
    ("https://12\t7.0.0.1/", Refusal::Private),
    ("https://127.255.255.254/", Refusal::Private),
    ("https://0.0.0.0/", Refusal::Private),
    ("https://0/", Refusal::Private),
    ("https://10.0.0.1/", Refusal::Private),
    ("https://10.1/", Refusal::Private),
    ("https://0x0a000001/", Refusal::Private),
    ("https://167772161/", Refusal::Private),
    ("https://012.0.0.1/", Refusal::Private),
    ("https://172.16.0.1/", Refusal::Private),
    ("https://172.31.255.255/", Refusal::Private),
    ("https://192.168.0.1/", Refusal::Private),
    ("https://192.168.257/", Refusal::Private),
    ("https://169.254.169.254/latest/meta-data/", Refusal::Private),
    ("https://2852039166/", Refusal::Private),
    ("https://0xa9fea9fe/", Refusal::Private),
    ("https://0251.0376.0251.0376/", Refusal::Private),
    ("https://100.64.0.1/", Refusal::Private),
    ("https://100.100.100.200/", Refusal::Private),
    ("https://168.63.129.16/", Refusal::Private),
    ("https://192.0.0.192/", Refusal::Private),
    ("https://192.0.2.1/", Refusal::Private),
    ("https://198.18.0.1/", Refusal::Private),
    ("https://198.51.100.1/", Refusal::Private),
    ("https://203.0.113.1/", Refusal::Private),
    ("https://224.0.0.1/", Refusal::Private),
    ("https://240.0.0.1/", Refusal::Private),
    ("https://255.255.255.255/", Refusal::Private),
    ("https://[::1]/", Refusal::Private),
    ("https://[::]/", Refusal::Private),
    ("https://[0:0:0:0:0:0:0:1]/", Refusal::Private),
    ("https://[::127.0.0.1]/", Refusal::Private),
    ("https://[::ffff:127.0.0.1]/", Refusal::Private),
    ("https://[::ffff:7f00:1]/", Refusal::Private),
    ("https://[::ffff:0:127.0.0.1]/", Refusal::Private),
    ("https://[64:ff9b::127.0.0.1]/", Refusal::Private),
    ("https://[64:ff9b::a9fe:a9fe]/", Refusal::Private),
    ("https://[64:ff9b:1::8.8.8.8]/", Refusal::Private),
    ("https://[2002:7f00:1::1]/", Refusal::Private),
    ("https://[2001:0:53aa:64c:0:0:80ff:fffe]/", Refusal::Private),
    ("https://[2001:db8::1]/", Refusal::Private),
    ("https://[3fff::1]/", Refusal::Private),
    ("https://[100::1]/", Refusal::Private),
    ("https://[fc00::1]/", Refusal::Private),
    ("https://[fd00:ec2::254]/", Refusal::Private),
    ("https://[fe80::1]/", Refusal::Private),
    ("https://[fec0::1]/", Refusal::Private),
    ("https://[ff02::1]/", Refusal::Private),
    ("https://localhost./", Refusal::Malformed),
    ("https://shop.example./", Refusal::Malformed),
    ("http://shop.example/", Refusal::Scheme),
    ("http://127.0.0.1/", Refusal::Scheme),
    ("ftp://shop.example/", Refusal::Scheme),
    ("https://user@shop.example/", Refusal::Credentials),
    ("https://:secret@shop.example/", Refusal::Credentials),
    ("https://shop.example:25/", Refusal::Port),
];

#[tokio::test]
async fn what_is_not_the_public_internet_is_refused_in_every_notation() {
    let egress = Egress::new(Vec::new()).unwrap();
    for (url, refusal) in REFUSED {
        let parsed = Url::parse(url).unwrap();
        assert_eq!(egress.check(&parsed), Err(refusal), "{url}");
        assert_eq!(egress.send(&get(url)).await, Err(EgressError::Refused(refusal)), "{url}");
    }
    for url in ["file:///etc/passwd", "data:text/plain,x", "unix:/run/x.sock", "gopher://127.0.0.1:6379/_x"] {
        assert!(egress.check(&Url::parse(url).unwrap()).is_err(), "{url}");
    }
    // What `Url` does not take at all needs no guard.
    for url in ["https://[::1%25lo]/", "https://127.0.0.256/", "https://[fe80::1%eth0]/", "https://", "//127.0.0.1"] {
        assert!(Url::parse(url).is_err(), "{url}");
    }
}

#[test]
fn the_public_internet_is_open() {
    let egress = Egress::new(Vec::new()).unwrap();
    for url in
        ["https://shop.example/orders?x=1", "https://8.8.8.8/", "https://shop.example:8443/", "https://[2606:4700::1]/"]
    {
        assert_eq!(egress.check(&Url::parse(url).unwrap()), Ok(()), "{url}");
    }
}

#[tokio::test]
async fn a_name_for_this_machine_is_refused_when_it_is_asked() {
    let egress = Egress::new(Vec::new()).unwrap();
    // Its name alone looks as good as any, so it is the resolver that has to find out.
    for url in ["https://localhost/", "https://LOCALHOST:8443/", "https://localhost%2e/"] {
        let refused = egress.send(&get(url)).await.unwrap_err();
        assert!(matches!(refused, EgressError::Refused(Refusal::Private | Refusal::Malformed)), "{url} {refused}");
    }
}

#[test]
fn a_name_for_both_is_asked_at_its_public_address_alone() {
    let sockets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    let found = sockets(&["127.0.0.1:0", "8.8.8.8:0", "[::1]:0", "10.0.0.1:0"]);
    assert_eq!(only_public(found.into_iter()).unwrap(), sockets(&["8.8.8.8:0"]));
    assert!(only_public(sockets(&["127.0.0.1:0", "[fd00::1]:0"]).into_iter()).is_err());
    assert!(only_public(std::iter::empty()).is_err());
}

/// A server on this machine that answers its connections, one after the other, with these bytes, and then hangs
/// up. "" hangs up at once, "wait" never answers. What it was sent is kept.
async fn server(answers: Vec<String>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&seen);
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with its test")]
    tokio::spawn(async move {
        let mut held = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = request(&mut stream).await;
            log.lock().unwrap().push(asked);
            if answer == "wait" {
                held.push(stream);
                continue;
            }
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        // Further connections are not taken, but not refused either.
        std::future::pending::<()>().await;
    });
    (address, seen)
}

/// The head of a request, and its body if a length is told.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "{text}");
            continue;
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|length| length.parse());
        if body.len() >= length.map_or(0, Result::unwrap) {
            return text;
        }
    }
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

fn ok(body: &str) -> Result<Answer, EgressError> {
    Ok(Answer { status: 200, body: body.as_bytes().to_vec() })
}

#[tokio::test]
async fn a_host_that_is_allowed_by_name_is_asked() {
    let (address, seen) = server(vec![http("200 OK", "", "{}"), http("200 OK", "", "{}")]).await;
    let egress = allowing(&address);
    let mut call = get(&format!("http://{address}/orders/1?x=%2F"));
    call.headers.insert("x-key", HeaderValue::from_static("s3cret"));
    assert_eq!(egress.send(&call).await, ok("{}"));
    let first = seen.lock().unwrap()[0].clone();
    assert!(first.starts_with("GET /orders/1?x=%2F HTTP/1.1\r\n"), "{first}");
    assert!(first.contains("x-key: s3cret") && first.contains("user-agent: candor/"), "{first}");
    // The same host under its other name is another one.
    let port = address.split(':').nth(1).unwrap();
    let other = egress.send(&get(&format!("http://localhost:{port}/"))).await;
    assert_eq!(other, Err(EgressError::Refused(Refusal::Scheme)));
    let by_name = Egress::new(vec![Host::of_origin(&format!("http://localhost:{port}")).unwrap()]).unwrap();
    assert_eq!(by_name.send(&get(&format!("http://localhost:{port}/"))).await, ok("{}"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let (target, asked) = server(vec![http("200 OK", "", "secret")]).await;
    let (address, _) = server(vec![http("302 Found", &format!("location: http://{target}/\r\n"), "moved")]).await;
    let egress = Egress::new(vec![address.parse().unwrap(), target.parse().unwrap()]).unwrap();
    let answer = egress.send(&get(&format!("http://{address}/"))).await;
    assert_eq!(answer, Ok(Answer { status: 302, body: Vec::new() }));
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_large_answer_is_not_read() {
    let told = "HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n".to_owned();
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    let untold = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{chunk}");
    let just = http("200 OK", "", &"x".repeat(1024));
    let (address, seen) = server(vec![told, untold, just]).await;
    let egress = allowing(&address);
    let call = get(&format!("http://{address}/"));
    assert_eq!(egress.send(&call).await, Err(EgressError::TooLarge));
    assert_eq!(egress.send(&call).await, Err(EgressError::TooLarge));
    assert_eq!(egress.send(&call).await, ok(&"x".repeat(1024)));
    assert_eq!(seen.lock().unwrap().len(), 3, "it would be no smaller the second time");
}

#[tokio::test]
async fn silence_ends_in_time_and_a_second_try_is_inside_it() {
    let (address, seen) = server(vec!["wait".into(), "wait".into(), "wait".into(), http("200 OK", "", "ok")]).await;
    let egress = allowing(&address);
    let mut call = get(&format!("http://{address}/"));
    call.timeout = Duration::from_millis(600);
    let begin = Instant::now();
    assert_eq!(egress.send(&call).await, Err(EgressError::Late));
    assert!(begin.elapsed() >= Duration::from_millis(550) && begin.elapsed() < Duration::from_secs(3));
    assert_eq!(seen.lock().unwrap().len(), 2);
    assert_eq!(egress.send(&call).await, ok("ok"), "lost once, answered at the second try");
    // A body that does not come to its end is silence as well.
    let (address, _) = server(vec!["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n".into()]).await;
    let mut call = get(&format!("http://{address}/"));
    (call.method, call.timeout) = (Method::POST, Duration::from_millis(300));
    let cut = allowing(&address).send(&call).await;
    assert!(matches!(cut, Err(EgressError::Late | EgressError::Unreachable)), "{cut:?}");
}

#[tokio::test]
async fn a_failure_is_tried_once_more_and_only_once() {
    let failure = || http("503 Service Unavailable", "", "");
    let (address, seen) = server(vec![failure(), http("200 OK", "", "ok"), failure(), failure()]).await;
    let egress = allowing(&address);
    let call = get(&format!("http://{address}/"));
    assert_eq!(egress.send(&call).await, ok("ok"));
    assert_eq!(egress.send(&call).await.unwrap().status, 503);
    assert_eq!(seen.lock().unwrap().len(), 4);
    let (address, seen) = server(vec![String::new(), http("200 OK", "", "ok"), http("404 Not Found", "", "")]).await;
    let egress = allowing(&address);
    let call = get(&format!("http://{address}/"));
    assert_eq!(egress.send(&call).await, ok("ok"), "hung up on once");
    assert_eq!(egress.send(&call).await.unwrap().status, 404);
    assert_eq!(seen.lock().unwrap().len(), 3, "a 404 is an answer");
}

#[tokio::test]
async fn what_changes_something_is_repeated_with_its_key_alone() {
    let failure = || http("500 Internal Server Error", "", "");
    let (address, seen) =
        server(vec![failure(), String::new(), failure(), http("201 Created", "", "{\"number\":1}")]).await;
    let egress = allowing(&address);
    let mut call = get(&format!("http://{address}/returns"));
    (call.method, call.body) = (Method::POST, b"{\"item\":\"coat\"}".to_vec());
    assert_eq!(egress.send(&call).await.unwrap().status, 500);
    assert_eq!(egress.send(&call).await, Err(EgressError::Unreachable));
    assert_eq!(seen.lock().unwrap().len(), 2, "each was sent once");
    call.idempotency_key = Some("conversation-7".into());
    assert_eq!(egress.send(&call).await.unwrap(), Answer { status: 201, body: b"{\"number\":1}".to_vec() });
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 4);
    for sent in &seen[2..] {
        assert!(
            sent.contains("idempotency-key: conversation-7\r\n") && sent.ends_with("{\"item\":\"coat\"}"),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn nobody_there_is_said_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let begin = Instant::now();
    assert_eq!(allowing(&address).send(&get(&format!("http://{address}/"))).await, Err(EgressError::Unreachable));
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn headers_that_frame_a_message_are_not_for_callers() {
    let (address, seen) = server(vec![http("200 OK", "", "")]).await;
    for name in ["host", "content-length", "transfer-encoding", "connection", "idempotency-key"] {
        let mut call = get(&format!("http://{address}/"));
        call.headers.insert(name, HeaderValue::from_static("x"));
        assert_eq!(allowing(&address).send(&call).await, Err(EgressError::Refused(Refusal::Header)), "{name}");
    }
    let mut call = get(&format!("http://{address}/"));
    call.idempotency_key = Some("a\r\nhost: b".into());
    assert_eq!(allowing(&address).send(&call).await, Err(EgressError::Refused(Refusal::Header)));
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn no_error_says_where_it_was_sought() {
    for error in
        [EgressError::Refused(Refusal::Private), EgressError::TooLarge, EgressError::Late, EgressError::Unreachable]
    {
        assert!(!error.to_string().contains("://"), "{error}");
    }
}
