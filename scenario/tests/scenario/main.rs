//! The tests of the scenario, in one binary. Owns nothing but the list of them.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod files;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod truth;
