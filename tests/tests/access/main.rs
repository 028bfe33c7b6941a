//! Who may call a server, and what they see: the program from outside, over gRPC and HTTP, with TLS and without.
#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod calls;
mod local;
mod pki;
mod roles;
mod sight;
mod tls;
mod tokens;
