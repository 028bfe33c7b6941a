//! How a webhook shows who it is: by a secret in a header, or by a signature over what it sends.
//!
//! Owns which requests of a source are believed, and what is told to those that are not: nothing that helps to guess.

use ::http::{HeaderMap, HeaderName};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use counterfoil_proto::v1::Authentication;
use counterfoil_verify::time::Moment;

use super::secret::Secrets;

/// How a source shows who it is.
#[derive(Clone, Debug)]
pub enum Check {
    /// A header holds a secret, as Okta's event hooks and Freshservice's webhooks do it.
    Secret {
        /// The header.
        header: HeaderName,
        /// The header's whole value is one of them.
        secrets: Secrets,
    },
    /// A header holds an HMAC of the body.
    Signature(Signature),
}

/// An HMAC of the body.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The header that holds it.
    pub header: HeaderName,
    /// What stands before it in the header, such as "sha256=".
    pub prefix: String,
    /// How it is made.
    pub algorithm: Algorithm,
    /// How it is written.
    pub encoding: Encoding,
    /// What is signed.
    pub signed: Signed,
    /// The keys that it may be made with.
    pub secrets: Secrets,
}

/// What a signature is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The body alone. An old request can be sent again; its events are known then.
    Body,
    /// A time of sending, and the body.
    Timed {
        /// The header that holds the time, in seconds since 1970.
        header: HeaderName,
        /// What stands before the time: "v0:".
        before: String,
        /// What stands between the time and the body: ":".
        between: String,
        /// How far from now that time may be, in seconds.
        tolerance_s: u32,
    },
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
    /// HMAC-SHA-1, of systems that have nothing better.
    Sha1,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Two hexadecimal digits a byte.
    Hex,
    /// Base64 with its padding.
    Base64,
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not say who it is.
    #[error("the header that shows who sends is missing")]
    Missing,
    /// It does not know the secret.
    #[error("the secret or signature is not the source's: compare it with the secret file of the configuration")]
    Wrong,
    /// What it signed was sent at another time.
    #[error("the signed time is missing or too far from now: compare the clocks")]
    Stale,
}

impl Check {
    /// Whether the headers alone rule a request out, before its body is read.
    ///
    /// # Errors
    /// [`Refusal`] if so.
    pub fn headers(&self, headers: &HeaderMap, now: Moment) -> Result<(), Refusal> {
        match self {
            Self::Secret { header, secrets } => {
                let given = headers.get(header).ok_or(Refusal::Missing)?;
                let is_known = secrets.iter().fold(false, |known, secret| secret.is(given.as_bytes()) | known);
                is_known.then_some(()).ok_or(Refusal::Wrong)
            }
            Self::Signature(signature) => signature.time(headers, now).map(|_| ()),
        }
    }

    /// Who sent a request, as far as it shows.
    ///
    /// # Errors
    /// [`Refusal`] if it is not the source.
    pub fn whole(&self, headers: &HeaderMap, body: &[u8], now: Moment) -> Result<Authentication, Refusal> {
        self.headers(headers, now)?;
        match self {
            Self::Secret { .. } => Ok(Authentication::WebhookSecret),
            Self::Signature(signature) => {
                signature.verify(headers, body, now)?;
                Ok(Authentication::SourceSignature)
            }
        }
    }
}

impl Signature {
    fn verify(&self, headers: &HeaderMap, body: &[u8], now: Moment) -> Result<(), Refusal> {
        let time = self.time(headers, now)?;
        let given = headers.get(&self.header).ok_or(Refusal::Missing)?.to_str().map_err(|_| Refusal::Wrong)?;
        let written = given.strip_prefix(&self.prefix).ok_or(Refusal::Wrong)?;
        let tag = self.encoding.read(written).ok_or(Refusal::Wrong)?;
        let message = match (&self.signed, time) {
            (Signed::Timed { before, between, .. }, Some(time)) => {
                [before.as_bytes(), time.as_bytes(), between.as_bytes(), body].concat()
            }
            _ => body.to_vec(),
        };
        let is_right = |key: &[u8]| hmac::verify(&hmac::Key::new(self.algorithm.hmac(), key), &message, &tag).is_ok();
        let is_known = self.secrets.iter().fold(false, |known, secret| is_right(secret.bytes()) | known);
        is_known.then_some(()).ok_or(Refusal::Wrong)
    }

    /// The time of sending, as it is signed, where it is.
    fn time<'a>(&self, headers: &'a HeaderMap, now: Moment) -> Result<Option<&'a str>, Refusal> {
        let Signed::Timed { header, tolerance_s, .. } = &self.signed else { return Ok(None) };
        let written = headers.get(header).and_then(|value| value.to_str().ok()).ok_or(Refusal::Stale)?;
        let sent: i64 = written.parse().map_err(|_| Refusal::Stale)?;
        let is_near = sent.abs_diff(now.seconds) <= u64::from(*tolerance_s);
        is_near.then_some(Some(written)).ok_or(Refusal::Stale)
    }
}

impl Algorithm {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
}

impl Encoding {
    fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => BASE64_STANDARD.decode(text).ok(),
            Self::Hex => {
                let digits: Option<Vec<u8>> =
                    text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
                let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
                Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment { seconds: 1_531_420_618, nanos: 0 };

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_secret_in_a_header() {
        let secrets = Secrets::read(b"0123456789abcdef").unwrap();
        let check = Check::Secret { header: "authorization".parse().unwrap(), secrets };
        for (given, expected) in [
            (&[("authorization", "0123456789abcdef")][..], Ok(Authentication::WebhookSecret)),
            (&[("authorization", "0123456789abcdeF")], Err(Refusal::Wrong)),
            (&[("authorization", "")], Err(Refusal::Wrong)),
            (&[("x-authorization", "0123456789abcdef")], Err(Refusal::Missing)),
        ] {
            assert_eq!(check.whole(&headers(given), b"{}", NOW), expected, "{given:?}");
        }
    }

    #[test]
    fn a_signature_of_body_and_time() {
        // The example of Slack's documentation, "Verifying requests from Slack".
        let secrets = Secrets::read(b"8f742231b10e8888abcd99yyyzzz85a5").unwrap();
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
            channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
            response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&\
            trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        let check = Check::Signature(Signature {
            header: "x-slack-signature".parse().unwrap(),
            prefix: "v0=".to_owned(),
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            signed: Signed::Timed {
                header: "x-slack-request-timestamp".parse().unwrap(),
                before: "v0:".to_owned(),
                between: ":".to_owned(),
                tolerance_s: 300,
            },
            secrets,
        });
        let sent = |time: &str, signature: &str| {
            headers(&[("x-slack-request-timestamp", time), ("x-slack-signature", signature)])
        };
        let right = sent("1531420618", signature);
        assert_eq!(check.whole(&right, body, NOW), Ok(Authentication::SourceSignature));
        assert_eq!(check.whole(&right, &body[1..], NOW), Err(Refusal::Wrong));
        let later = |seconds: i64| Moment { seconds: NOW.seconds + seconds, nanos: 0 };
        assert_eq!(check.whole(&right, body, later(300)), Ok(Authentication::SourceSignature));
        assert_eq!(check.whole(&right, body, later(301)), Err(Refusal::Stale));
        assert_eq!(check.whole(&right, body, later(-301)), Err(Refusal::Stale));
        for (time, given, expected) in [
            ("1531420619", signature, Refusal::Wrong),
            ("soon", signature, Refusal::Stale),
            ("1531420618", &signature[3..], Refusal::Wrong),
            ("1531420618", "v0=", Refusal::Wrong),
            ("1531420618", "v0=zz", Refusal::Wrong),
            ("1531420618", &signature[..signature.len() - 1], Refusal::Wrong),
        ] {
            assert_eq!(check.whole(&sent(time, given), body, NOW), Err(expected), "{time} {given}");
        }
        let unsigned = headers(&[("x-slack-request-timestamp", "1531420618")]);
        assert_eq!(check.whole(&unsigned, body, NOW), Err(Refusal::Missing));
    }

    #[test]
    fn a_signature_of_the_body_alone() {
        // RFC 4231, test case 2, has a shorter key: this is test case 6 of RFC 2202 and 4231 with their 80 and 131 bytes.
        let body = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let key = |length: usize| Secrets::read(&vec![0xaa; length]).unwrap();
        for (algorithm, encoding, secrets, given) in [
            (
                Algorithm::Sha256,
                Encoding::Hex,
                key(131),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (Algorithm::Sha1, Encoding::Hex, key(80), "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
            (Algorithm::Sha1, Encoding::Base64, key(80), "qkrl4VJy0A6VcFY3zoo7Ve1AIRI="),
        ] {
            let check = Check::Signature(Signature {
                header: "x-signature".parse().unwrap(),
                prefix: String::new(),
                algorithm,
                encoding,
                signed: Signed::Body,
                secrets,
            });
            let given = headers(&[("x-signature", given)]);
            assert_eq!(check.whole(&given, body, NOW), Ok(Authentication::SourceSignature), "{algorithm:?}");
            assert_eq!(check.whole(&given, b"", NOW), Err(Refusal::Wrong));
        }
    }
}
