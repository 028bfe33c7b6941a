//! What a connector's table of events says to do with one.

use counterfoil_proto::v1::FactKind;

/// What to do with an event. `Apply` gives its facts; none where the event lacks what they need.
#[derive(Clone, Copy)]
pub enum Rule<Apply> {
    /// The kind of its facts, or of the most important one.
    Facts(FactKind, Apply),
    /// Known, and without any fact.
    NoFacts,
    /// Not known to this version.
    Unknown,
}
