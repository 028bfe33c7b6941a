//! Reading the fields of an object strictly.
//!
//! Owns the messages for whoever wrote the document: where, what was expected, what came. Every field that is asked for
//! counts as known; any other is an error.

use std::borrow::Cow;
use std::cell::RefCell;

use counterfoil_proto::v1::{RejectReason, Time};

use super::Reject;
use super::draft::Draft;
use crate::json::{Json, quoted};
use crate::times::{self, EpochUnit};

/// An object, where it stands in the document, and the fields that were asked for.
pub struct Fields<'e, 'j> {
    json: &'e Json<'j>,
    at: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'e, 'j> Fields<'e, 'j> {
    pub fn new(json: &'e Json<'j>, at: String) -> Self {
        Self { json, at, asked: RefCell::default() }
    }

    /// The fields of what has to be an object.
    pub fn of(json: &'e Json<'j>, at: String) -> Result<Self, Reject> {
        match json {
            Json::Object(_) => Ok(Self::new(json, at)),
            other => Err(expected("an object", &at, Some(other))),
        }
    }

    /// Refuses fields that nobody asked for.
    pub fn finish(&self, what: &str) -> Result<(), Reject> {
        let Json::Object(members) = self.json else {
            return Ok(());
        };
        let asked = self.asked.borrow();
        match members.iter().find(|(name, _)| !asked.contains(&name.as_ref())) {
            None => Ok(()),
            Some((name, _)) => Err(Reject::new(
                RejectReason::FieldInvalid,
                format!(
                    "{} is no field of {what}: expected one of {}; correct or remove it",
                    quoted(&self.path(name)),
                    asked.join(", ")
                ),
            )),
        }
    }

    /// Where a field stands.
    pub fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }

    /// An error about a field.
    pub fn invalid(&self, name: &str, expectation: &str) -> Reject {
        expected(expectation, &self.path(name), self.json.get(name))
    }

    /// A field's value, unless it is absent.
    pub fn value(&self, name: &'static str) -> Option<&'e Json<'j>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&name) {
            asked.push(name);
        }
        self.json.get(name).filter(|value| !value.is_absent())
    }

    pub fn required(&self, name: &'static str) -> Result<&'e Json<'j>, Reject> {
        self.value(name).ok_or_else(|| self.invalid(name, "a value"))
    }

    pub fn text(&self, name: &'static str) -> Result<Option<&'e str>, Reject> {
        match self.value(name) {
            None => Ok(None),
            Some(Json::Str(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(name, "text")),
        }
    }

    pub fn id(&self, name: &'static str) -> Result<Option<String>, Reject> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.id() {
                Some(id) => Ok(Some(id.into_owned())),
                None => Err(self.invalid(name, "an id: text or an integer")),
            },
        }
    }

    /// An id as it may stand in a record; empty where the field is absent.
    pub fn opaque(&self, name: &'static str, draft: &Draft<'_>) -> Result<String, Reject> {
        let id = self.id(name)?;
        Ok(id.map_or_else(String::new, |id| draft.opaque(&id)))
    }

    pub fn flag(&self, name: &'static str) -> Result<bool, Reject> {
        match self.value(name) {
            None => Ok(false),
            Some(Json::Bool(value)) => Ok(*value),
            Some(_) => Err(self.invalid(name, "true or false")),
        }
    }

    pub fn number(&self, name: &'static str) -> Result<Option<u64>, Reject> {
        match self.value(name) {
            None => Ok(None),
            Some(Json::U64(value)) => Ok(Some(*value)),
            Some(_) => Err(self.invalid(name, "a whole number")),
        }
    }

    /// A number of 32 bits.
    pub fn small_number(&self, name: &'static str) -> Result<Option<u32>, Reject> {
        match self.number(name)?.map(u32::try_from) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(self.invalid(name, "a whole number below 4,294,967,296")),
        }
    }

    /// The elements of an array of at most `max`; none where the field is absent.
    pub fn list(&self, name: &'static str, max: usize) -> Result<&'e [Json<'j>], Reject> {
        match self.value(name) {
            None => Ok(&[]),
            Some(Json::Array(items)) if items.len() <= max => Ok(items),
            Some(_) => Err(self.invalid(name, &format!("an array of at most {max}"))),
        }
    }

    /// A time: RFC 3339, or a count since 1970 with its unit.
    pub fn time(&self, name: &'static str, assume_utc: bool) -> Result<Option<Time>, Reject> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        let Json::Object(members) = value else {
            return times::optional(Some(value), &self.path(name), assume_utc);
        };
        let count = |value: &Json<'_>| match value {
            Json::U64(count) => i64::try_from(*count).ok(),
            Json::I64(count) => Some(*count),
            _ => None,
        };
        let time = match members.as_slice() {
            [(unit, value)] => {
                let unit = match unit.as_ref() {
                    "epoch_s" => Some(EpochUnit::Second),
                    "epoch_ms" => Some(EpochUnit::Millisecond),
                    "epoch_us" => Some(EpochUnit::Microsecond),
                    "epoch_ns" => Some(EpochUnit::Nanosecond),
                    _ => None,
                };
                unit.zip(count(value)).and_then(|(unit, count)| times::epoch(count, unit))
            }
            _ => None,
        };
        time.map(Some).ok_or_else(|| Reject {
            reason: RejectReason::TimeInvalid,
            ..self.invalid(
                name,
                "RFC 3339 text, or one of epoch_s, epoch_ms, epoch_us, epoch_ns with an integer, of year 1 to 9999",
            )
        })
    }

    /// A time after which something ends; dates that mean "never" are none.
    pub fn expiry(&self, name: &'static str, assume_utc: bool) -> Result<Option<Time>, Reject> {
        Ok(self.time(name, assume_utc)?.filter(|time| !times::is_never(time)))
    }

    /// One of the values of an enum, by its name in lower case; of a kind of fact, with a point after the first word.
    pub fn choice<E: TryFrom<i32>>(
        &self,
        name: &'static str,
        prefix: &str,
        name_of: fn(&E) -> &'static str,
    ) -> Result<Option<E>, Reject> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let dotted = prefix == "FACT_KIND_";
        let spelt = |value: &E| {
            let spelt = name_of(value).trim_start_matches(prefix).to_ascii_lowercase();
            if dotted { spelt.replacen('_', ".", 1) } else { spelt }
        };
        let all = || (1..).map_while(|number| E::try_from(number).ok());
        let same_length = |value: &E| name_of(value).len() == prefix.len() + text.len();
        match all().find(|value| same_length(value) && spelt(value) == text) {
            Some(found) => Ok(Some(found)),
            None => {
                let names: Vec<String> = all().map(|value| spelt(&value)).collect();
                Err(self.invalid(name, &format!("one of {}", names.join(", "))))
            }
        }
    }
}

fn expected(expectation: &str, at: &str, got: Option<&Json<'_>>) -> Reject {
    let got = got.map_or(Cow::Borrowed("nothing"), |got| Cow::Owned(quoted(&got.to_text())));
    Reject::new(RejectReason::FieldInvalid, format!("expected {expectation} in {at}, got {got}"))
}
