//! Requests that reach a loopback address through a browser.
//!
//! Owns how they are told from those of programs: a page sends where it is from, and a name that was made to point here
//! (DNS rebinding) stands in the request.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Request};

/// Whether a page in a browser sent the request.
pub(crate) fn is_of_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN)
}

/// Whether a request calls this machine by a name that nobody else can give away. Every name in it has to be one.
pub(crate) fn is_for_loopback<B>(request: &Request<B>) -> bool {
    let mut names = Vec::new();
    for host in request.headers().get_all(HOST) {
        match host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) {
            Some(authority) => names.push(authority),
            None => return false,
        }
    }
    names.extend(request.uri().authority().cloned());
    !names.is_empty() && names.iter().all(|name| is_loopback(name.host()))
}

fn is_loopback(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host == "localhost" || host.ends_with(".localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        let check = |uri: &str, hosts: &[&str], expected: bool| {
            let mut request = Request::builder().uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            assert_eq!(is_for_loopback(&request.body(()).unwrap()), expected, "{uri} {hosts:?}");
        };
        for host in [
            "localhost",
            "LOCALHOST:7401",
            "localhost.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:7401",
            "[::ffff:127.0.0.1]",
        ] {
            check("/", &[host], true);
            check(&format!("http://{host}/"), &[], true);
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "notlocalhost",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[fe80::1]",
            "2130706433",
            "",
            "localhost@example.com",
            "a b",
        ] {
            check("/", &[host], false);
        }
        check("/", &[], false);
        check("http://example.com/", &["localhost"], false);
        check("http://localhost/", &["example.com"], false);
        check("/", &["localhost", "example.com"], false);
    }
}
