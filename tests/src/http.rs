//! curl, as the client over HTTP that is not ours.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::server::Server;

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, as lines in lower case.
    pub headers: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Makes a request: curl's arguments, the last of which is the URL.
///
/// # Panics
/// If there is no answer.
pub fn curl<S: AsRef<OsStr>>(arguments: &[S]) -> Answer {
    curl_with(arguments, b"")
}

/// The same, with this standard input (`--data-binary @-`).
///
/// # Panics
/// If there is no answer.
pub fn curl_with<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Answer {
    try_curl_with(arguments, input).unwrap_or_else(|told| panic!("no answer: {told}"))
}

/// The same, where it may be that nobody answers: what curl says then.
///
/// # Errors
/// If there is no answer.
///
/// # Panics
/// If there is no curl.
pub fn try_curl_with<S: AsRef<OsStr>>(arguments: &[S], input: &[u8]) -> Result<Answer, String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "60", "--header", "Expect:"]);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("curl is there: Debian's package curl");
    let mut pipe = child.stdin.take().expect("it was asked for");
    let output = std::thread::scope(|scope| {
        // A server that has heard enough closes the connection, and curl then the pipe.
        scope.spawn(move || pipe.write_all(input));
        child.wait_with_output().expect("curl ends")
    });
    let text = output.stdout;
    let end = text.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
    let mut lines = head.lines().map(str::to_owned);
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
    Ok(Answer { status, headers: lines.collect(), body: text[end + 4..].to_vec() })
}

/// Asks a server for a path with parameters, each of which curl encodes.
pub fn get(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Answer {
    let mut arguments = vec!["--get".to_owned()];
    for (name, value) in parameters {
        arguments.extend(["--data-urlencode".to_owned(), format!("{name}={value}")]);
    }
    arguments.push(format!("{}{path}", server.url()));
    curl(&arguments)
}

/// A segment of a path.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Answer {
    /// The body as JSON, if it was this status.
    ///
    /// # Panics
    /// If it was another.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        assert!(self.has("content-type: application/json"), "{self}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The message of an error, which says its own status.
    ///
    /// # Panics
    /// If it was another status.
    #[track_caller]
    pub fn error(&self, status: u16) -> String {
        let error = self.json(status)["error"].take();
        assert_eq!(error["code"], status, "{self}");
        assert!(error["status"].is_string(), "{self}");
        error["message"].as_str().expect("an error has a message").to_owned()
    }

    /// Whether a header is there.
    pub fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|line| line.starts_with(header))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}: {}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}
