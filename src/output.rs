//! How answers are printed: tables for people, JSON and CSV for programs. Data go to stdout, everything else to stderr.
//!
//! Names come from outside and may be hostile: nothing printed for people holds a control character, and no cell of a CSV
//! file is a formula.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, TableComponent, presets};
use counterfoil_proto::v1::Basis;
use serde::Serialize;

use crate::cli::Format;
use crate::columns::{self, Row};
use crate::words::counted;

/// An answer as rows for people.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// What stands above the table.
    pub title: Vec<String>,
    /// The columns' names.
    pub columns: Vec<&'static str>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

/// Prints an answer in the form asked for. `items` are the parts that make a line each.
pub fn print<R: Serialize, I: Row>(
    format: Format,
    response: &R,
    items: &[I],
    rows: &Rows,
    basis: Option<&Basis>,
) -> Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Table => {
            write!(out, "{}", table(rows))?;
            if let Some(basis) = basis {
                writeln!(out, "{}", show_basis(basis))?;
            }
        }
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, response)?;
            writeln!(out)?;
        }
        Format::Jsonl => {
            for item in items {
                serde_json::to_writer(&mut out, item)?;
                writeln!(out)?;
            }
            talk_basis(basis);
        }
        Format::Csv => {
            write_csv(&mut out, items)?;
            talk_basis(basis);
        }
    }
    out.flush()?;
    Ok(())
}

/// A header, and a row for each item. Lines end as RFC 4180 has them.
fn write_csv<I: Row>(out: &mut impl Write, items: &[I]) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(columns::header::<I>())?;
    for item in items {
        writer.write_record(columns::cells(item)?.iter().map(|cell| csv_cell(cell)))?;
    }
    writer.flush()?;
    Ok(())
}

/// The rows as a table, with its title; on a terminal no wider than that.
pub fn table(rows: &Rows) -> String {
    let mut text = String::new();
    for line in &rows.title {
        text.push_str(&safe(line));
        text.push('\n');
    }
    if rows.rows.is_empty() {
        return text;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_style(TableComponent::HeaderLines, '─');
    let has_names = rows.columns.iter().any(|column| !column.is_empty());
    if has_names {
        table.set_header(&rows.columns);
    }
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| safe(cell)));
    }
    let width = table.width().filter(|_| io::stdout().is_terminal());
    let fits = width.is_none_or(|width| fit(&mut table, rows, usize::from(width)));
    text.push_str(&if fits || !has_names { table.trim_fmt() } else { listed(rows) });
    text.push('\n');
    text
}

/// The widest column that is never wrapped, if it holds no blanks: times and numbers.
const RIGID_WIDTH_MAX: usize = 24;
/// The narrowest column that can still be read.
const WIDTH_MIN: usize = 10;
/// The blanks around a cell.
const PADDING: usize = 2;

/// Arranges a table for a terminal: what has no blanks stays whole, the other columns share the rest. Says whether they
/// can be read then.
fn fit(table: &mut Table, rows: &Rows, width: usize) -> bool {
    table.set_content_arrangement(ContentArrangement::Dynamic);
    let widths: Vec<usize> = table.column_max_content_widths().into_iter().map(usize::from).collect();
    if widths.iter().map(|width| width + PADDING).sum::<usize>() <= width {
        return true;
    }
    let is_rigid = |column: usize| {
        widths[column] <= RIGID_WIDTH_MAX
            && rows.rows.iter().all(|row| row.get(column).is_none_or(|cell| !cell.contains(' ')))
    };
    let (rigid, wrapped): (Vec<usize>, Vec<usize>) = (0..widths.len()).partition(|column| is_rigid(*column));
    for &column in &rigid {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let taken: usize = rigid.iter().map(|&column| widths[column] + PADDING).sum();
    let left = width.saturating_sub(taken).checked_div(wrapped.len());
    left.is_some_and(|left| left >= WIDTH_MIN + PADDING)
}

/// The rows one below the other, a line for each cell.
fn listed(rows: &Rows) -> String {
    let width = rows.columns.iter().map(|column| column.chars().count()).max().unwrap_or_default();
    let line = |(column, cell): (&&str, &String)| format!(" {column:<width$}  {}\n", safe(cell));
    let row = |row: &Vec<String>| {
        rows.columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty()).map(line).collect::<String>()
    };
    rows.rows.iter().map(row).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// The basis for people.
pub fn show_basis(basis: &Basis) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    format!(
        "Basis: {} at {}, root {}",
        basis.origin,
        counted(basis.tree_size, "record"),
        BASE64_STANDARD.encode(&basis.root)
    )
}

fn talk_basis(basis: Option<&Basis>) {
    if let Some(basis) = basis {
        anstream::eprintln!("{}", show_basis(basis));
    }
}

/// Text without anything that a terminal would obey: control characters, and characters that turn the direction of
/// writing, are shown as escapes.
pub fn safe(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    if !text.chars().any(hostile) {
        return text.to_owned();
    }
    text.chars().map(|c| if hostile(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

/// A cell that no spreadsheet takes for a formula.
fn csv_cell(cell: &str) -> String {
    let safe = safe(cell);
    if safe.starts_with(['=', '+', '-', '@', '\t']) { format!("'{safe}") } else { safe }
}

/// Whether a person reads what is said on stderr.
pub fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Whether the reader of stdout has gone, as `head` does.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        let csv = cause.downcast_ref::<csv::Error>().and_then(|error| match error.kind() {
            csv::ErrorKind::Io(error) => Some(error.kind()),
            _ => None,
        });
        io.or(json).or(csv) == Some(io::ErrorKind::BrokenPipe)
    })
}

/// Bytes as lines that a terminal shows and does not obey. What is no UTF-8 is shown as replacement characters; the
/// bytes themselves are in the JSON form.
pub fn safe_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut lines: String = text.lines().map(|line| safe(line) + "\n").collect();
    lines.truncate(lines.trim_end_matches('\n').len());
    lines.push('\n');
    lines
}
