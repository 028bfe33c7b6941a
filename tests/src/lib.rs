//! What the tests of the whole program share: the program itself, ledgers that go away again, and native events written
//! by hand.
//!
//! Owns no expectation: a test says what is right.

pub mod aws;
pub mod campaign;
pub mod collector;
pub mod feed;
pub mod files;
pub mod golden;
pub mod http;
pub mod inside;
pub mod kafka;
pub mod named;
pub mod okta;
pub mod oracle;
pub mod produce;
pub mod program;
pub mod server;
