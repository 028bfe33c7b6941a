//! Owns sets of cosigners with their groups and their quorum, and when that is reached. A policy has two: the
//! witnesses, and the replayers. Names count within one set; public keys are told apart in the whole policy.

use std::collections::BTreeSet;

use super::{ENTRIES_MAX, PolicyError};
use crate::note::VerifierKey;

/// Cosigners, and how many of them must agree. Always consistent: names are defined once and before use, and
/// are members once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigners {
    members: Vec<Cosigner>,
    groups: Vec<Group>,
    quorum: Quorum,
}

/// A witness or a replayer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigner {
    /// Its name within its set, without spaces.
    pub name: String,
    /// Its key, of type [`SignatureType::Cosignature`](crate::note::SignatureType::Cosignature).
    pub key: VerifierKey,
    /// Where it takes checkpoints (C2SP tlog-witness), without spaces.
    pub url: Option<String>,
}

/// Several cosigners or groups that agree when enough of them do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name within its set, without spaces.
    pub name: String,
    /// How many of the members must agree.
    pub threshold: Threshold,
    /// Names of cosigners and of groups defined before; at least one.
    pub members: Vec<String>,
}

/// How many members of a group must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Every one.
    All,
    /// At least one.
    Any,
    /// At least this many: from 1 to the number of members.
    AtLeast(usize),
}

/// Who must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// Nobody.
    None,
    /// The cosigner or group of this name.
    Of(String),
}

impl Cosigners {
    /// A set of nobody, of whom nobody must agree.
    pub(super) fn nobody() -> Cosigners {
        Cosigners { members: Vec::new(), groups: Vec::new(), quorum: Quorum::None }
    }

    /// The cosigners, in the order of their lines.
    pub fn members(&self) -> &[Cosigner] {
        &self.members
    }

    /// The groups, in the order of their lines: a group stands after its members.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Who must agree.
    pub fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Whether enough agree for the quorum, where those agree of whose key `has_cosigned` says so. A quorum of
    /// nobody is always reached.
    pub fn agree(&self, has_cosigned: impl Fn(&VerifierKey) -> bool) -> bool {
        let Quorum::Of(wanted) = &self.quorum else { return true };
        let agreeing = self.members.iter().filter(|member| has_cosigned(&member.key));
        let mut agreeing: BTreeSet<&str> = agreeing.map(|member| member.name.as_str()).collect();
        for group in &self.groups {
            let count = group.members.iter().filter(|member| agreeing.contains(member.as_str())).count();
            let needed = match group.threshold {
                Threshold::All => group.members.len(),
                Threshold::Any => 1,
                Threshold::AtLeast(needed) => needed,
            };
            if count >= needed {
                agreeing.insert(&group.name);
            }
        }
        agreeing.contains(wanted.as_str())
    }

    /// The lines of the set, in this order: cosigners, groups, quorum. Each begins with the words given.
    pub(super) fn format(&self, [member, group, quorum]: [&str; 3]) -> String {
        let mut text = String::new();
        for Cosigner { name, key, url } in &self.members {
            text.push_str(&format!("{member} {name} {key}{}\n", super::spaced(url)));
        }
        for Group { name, threshold, members } in &self.groups {
            let threshold = match threshold {
                Threshold::All => "all".to_owned(),
                Threshold::Any => "any".to_owned(),
                Threshold::AtLeast(count) => count.to_string(),
            };
            text.push_str(&format!("{group} {name} {threshold} {}\n", members.join(" ")));
        }
        match &self.quorum {
            Quorum::None => text.push_str(&format!("{quorum} none\n")),
            Quorum::Of(name) => text.push_str(&format!("{quorum} {name}\n")),
        }
        text
    }
}

/// A set as far as it was read: all of it consistent.
#[derive(Default)]
pub(super) struct Draft {
    members: Vec<Cosigner>,
    groups: Vec<Group>,
    quorum: Option<Quorum>,
    names: BTreeSet<String>,
    grouped: BTreeSet<String>,
}

impl Draft {
    /// The set, and whether a quorum was given.
    pub(super) fn finish(self) -> (Cosigners, bool) {
        let is_given = self.quorum.is_some();
        let Draft { members, groups, quorum, .. } = self;
        (Cosigners { members, groups, quorum: quorum.unwrap_or(Quorum::None) }, is_given)
    }

    pub(super) fn add_member(
        &mut self,
        line: usize,
        name: &str,
        key: VerifierKey,
        url: Option<&str>,
    ) -> Result<(), PolicyError> {
        check_room(line, self.members.len())?;
        let name = self.define(line, name)?;
        let url = url.map(str::to_owned);
        self.members.push(Cosigner { name, key, url });
        Ok(())
    }

    pub(super) fn add_group(
        &mut self,
        line: usize,
        name: &str,
        threshold: &str,
        members: &[&str],
    ) -> Result<(), PolicyError> {
        check_room(line, self.groups.len())?;
        let threshold = read_threshold(line, threshold, members.len())?;
        for member in members {
            let member = self.defined(line, member)?;
            if let Some(name) = self.grouped.replace(member) {
                return Err(PolicyError::MemberRepeated { line, name });
            }
        }
        // The group's own name becomes known last: a group is no member of itself.
        let name = self.define(line, name)?;
        let members = members.iter().map(|member| (*member).to_owned()).collect();
        self.groups.push(Group { name, threshold, members });
        Ok(())
    }

    pub(super) fn set_quorum(&mut self, line: usize, name: &str) -> Result<(), PolicyError> {
        if self.quorum.is_some() {
            return Err(PolicyError::Quorum { found: 2 });
        }
        self.quorum = Some(match name {
            "none" => Quorum::None,
            _ => Quorum::Of(self.defined(line, name)?),
        });
        Ok(())
    }

    fn define(&mut self, line: usize, name: &str) -> Result<String, PolicyError> {
        let name = name.to_owned();
        if name == "none" || !self.names.insert(name.clone()) {
            return Err(PolicyError::NameTaken { line, name });
        }
        Ok(name)
    }

    fn defined(&self, line: usize, name: &str) -> Result<String, PolicyError> {
        let name = name.to_owned();
        if !self.names.contains(&name) {
            return Err(PolicyError::NameUndefined { line, name });
        }
        Ok(name)
    }
}

/// Refuses one entry more than there may be of a kind.
pub(super) fn check_room(line: usize, count: usize) -> Result<(), PolicyError> {
    match count {
        0..ENTRIES_MAX => Ok(()),
        _ => Err(PolicyError::TooMany { line }),
    }
}

fn read_threshold(line: usize, text: &str, members: usize) -> Result<Threshold, PolicyError> {
    match (text, text.parse::<usize>()) {
        ("all", _) => Ok(Threshold::All),
        ("any", _) => Ok(Threshold::Any),
        (_, Ok(count)) if (1..=members).contains(&count) && count.to_string() == text => Ok(Threshold::AtLeast(count)),
        _ => Err(PolicyError::Threshold { line, members, found: text.to_owned() }),
    }
}
