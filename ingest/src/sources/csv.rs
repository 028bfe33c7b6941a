//! Rows of comma-separated values (RFC 4180) as documents: each an object of its cells by the names in the header.
//!
//! Owns what a row is and what is wrong with one. A cell is text; an empty one is left out. It never knows what a column
//! means.

use counterfoil_proto::v1::RejectReason;

use crate::json::{Reject, quoted};

/// The longest row: one that goes on beyond that lacks a quotation mark.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// The names of the columns.
#[derive(Clone, Debug)]
pub struct Header(Vec<String>);

impl Header {
    /// Reads the first row.
    ///
    /// # Errors
    /// If a column has no name, or the name of another.
    pub fn read(row: &[u8]) -> Result<Self, Reject> {
        let names: Vec<String> = cells(row)?.into_iter().map(|name| name.trim().to_owned()).collect();
        let is_doubled = |(at, name): (usize, &String)| names[..at].contains(name);
        if names.iter().any(String::is_empty) || names.iter().enumerate().any(is_doubled) {
            let message = format!("expected a name of its own for each column in the first row, got {}", shown(row));
            return Err(reject(message));
        }
        Ok(Self(names))
    }

    /// A row as a JSON object.
    ///
    /// # Errors
    /// If it has more cells than the header, or fewer.
    pub fn document(&self, row: &[u8]) -> Result<Vec<u8>, Reject> {
        let cells = cells(row)?;
        if cells.len() != self.0.len() {
            let (expected, got) = (self.0.len(), cells.len());
            return Err(reject(format!(
                "expected {expected} cells, as the first row has them, got {got} in {}",
                shown(row)
            )));
        }
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let members = self.0.iter().zip(&cells).filter(|(_, cell)| !cell.trim().is_empty());
        let members: Vec<String> =
            members.map(|(name, cell)| format!("{}:{}", text(name), text(cell.trim()))).collect();
        Ok(format!("{{{}}}", members.join(",")).into_bytes())
    }
}

/// Whether a row ends where this text does: no quotation mark is open.
pub fn is_whole(text: &[u8]) -> bool {
    text.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2)
}

/// Whether a line can only be a header: names of lower-case letters with commas between them.
pub fn is_header(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let is_name = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    line.contains(&b',') && line.split(|byte| *byte == b',').all(is_name)
}

fn cells(row: &[u8]) -> Result<Vec<String>, Reject> {
    let row = std::str::from_utf8(row)
        .map_err(|error| Reject::new(RejectReason::NotUtf8, format!("the row is not UTF-8: {error}")))?;
    let mut rest = row.trim_end_matches(['\r', '\n']);
    let mut cells = Vec::new();
    loop {
        let (cell, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted, row)?,
            None => {
                let (cell, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if cell.contains('"') {
                    return Err(reject(format!(
                        "expected a cell with quotation marks around it, got one within {}",
                        shown(row.as_bytes())
                    )));
                }
                (cell.to_owned(), behind)
            }
        };
        cells.push(cell);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(cells),
            None => {
                return Err(reject(format!(
                    "expected a comma behind a cell, got {} in {}",
                    quoted(behind),
                    shown(row.as_bytes())
                )));
            }
        }
    }
}

/// The text of a cell whose first quotation mark was read, and what stands behind its last.
fn quoted_cell<'r>(text: &'r str, row: &str) -> Result<(String, &'r str), Reject> {
    let mut cell = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or_else(|| {
            reject(format!("expected a quotation mark at the end of a cell, got none in {}", shown(row.as_bytes())))
        })?;
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(behind) => {
                cell.push('"');
                rest = behind;
            }
            None => return Ok((cell, rest)),
        }
    }
}

fn reject(message: String) -> Reject {
    Reject::new(RejectReason::FieldInvalid, message)
}

fn shown(row: &[u8]) -> String {
    quoted(&String::from_utf8_lossy(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(header: &str, row: &str) -> Result<String, String> {
        let document = Header::read(header.as_bytes()).and_then(|header| header.document(row.as_bytes()));
        document.map(|bytes| String::from_utf8(bytes).unwrap_or_default()).map_err(|reject| reject.message)
    }

    #[test]
    fn rows_are_objects_of_their_cells() {
        for (row, expected) in [
            ("1,2,3\r\n", r#"{"a":"1","b":"2","c":"3"}"#),
            ("1,,\n", r#"{"a":"1"}"#),
            (
                r#""x, ""y""","two
lines", 3 "#,
                r#"{"a":"x, \"y\"","b":"two\nlines","c":"3"}"#,
            ),
            (",,", "{}"),
        ] {
            assert_eq!(document("a, b,c\n", row).as_deref(), Ok(expected), "{row}");
        }
    }

    #[test]
    fn broken_rows_say_what_is_wrong() {
        for (header, row, expected) in [
            ("a,b", "1", "expected 2 cells"),
            ("a,b", "1,2,3", "got 3"),
            ("a,b", "1,\"2", "a quotation mark at the end"),
            ("a,b", "1,\"2\"x", "expected a comma"),
            ("a,b", "1,2\"", "quotation marks around it"),
            ("a,a", "1,2", "a name of its own"),
            ("a,", "1,2", "a name of its own"),
        ] {
            let told = document(header, row).unwrap_err();
            assert!(told.contains(expected), "{row}: {told}");
        }
    }

    #[test]
    fn only_names_make_a_header() {
        for (line, expected) in
            [("row,person_name\r\n", true), ("row", false), ("{\"a\":1}", false), ("a,,b", false), ("1,2", false)]
        {
            assert_eq!(is_header(line.as_bytes()), expected, "{line}");
        }
    }
}
