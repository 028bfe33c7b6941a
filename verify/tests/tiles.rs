//! Owns the tests of the names of tiles, and of which tiles a tree has: against a tree that grows leaf by leaf, and
//! against the crate tlog_tiles where it has an opinion.

use counterfoil_verify::tile::{Tile, TileContent};
use counterfoil_verify::tree::TreeSize;
use proptest::prelude::*;

fn tile(name: &str) -> Tile {
    Tile::parse(name).unwrap_or_else(|| panic!("{name} is a name"))
}

/// How many hashes each level has, counted leaf by leaf: 256 of a level make one of the next.
#[derive(Default)]
struct Grown(Vec<u64>);

impl Grown {
    fn grow(&mut self) {
        for level in 0.. {
            if level == self.0.len() {
                self.0.push(0);
            }
            self.0[level] += 1;
            if !self.0[level].is_multiple_of(256) {
                return;
            }
        }
    }

    fn has(&self, level: usize, index: u64, width: u64) -> bool {
        index * 256 + width <= self.0.get(level).copied().unwrap_or(0)
    }
}

#[test]
fn a_tree_has_the_tiles_that_grew_in_it() {
    let mut grown = Grown::default();
    for size in 1..=66_000_u64 {
        grown.grow();
        let near = [0, 1, 2, 255, 256, 257, 258];
        if size % 611 != 0 && !near.contains(&(size % 256)) && size < 65_530 {
            continue;
        }
        let last = size / 256;
        for level in 0..4 {
            for index in [0, 1, last.saturating_sub(1), last, last + 1] {
                for width in [1, 2, size % 256, size / 256 % 256, size % 256 + 1, 255, 256] {
                    let suffix = if width == 256 { String::new() } else { format!(".p/{width}") };
                    let name = format!("{level}/{}{suffix}", number(index));
                    let Some(tile) = Tile::parse(&name) else {
                        assert_eq!(width, 0, "{name}");
                        continue;
                    };
                    let range = tile.range(TreeSize(size));
                    assert_eq!(range.is_some(), grown.has(level, index, width), "{name} of {size}");
                    assert!(range.is_none_or(|range| range == (index * 256..index * 256 + width)), "{name}");
                    if level == 0 {
                        let bundle = Tile::parse(&name.replacen("0/", "entries/", 1)).expect("a bundle");
                        assert_eq!(bundle.range(TreeSize(size)), tile.range(TreeSize(size)), "{name} of {size}");
                    }
                }
            }
        }
    }
}

/// The number of a tile below a million, as the examples of C2SP tlog-tiles show it.
fn number(index: u64) -> String {
    match index {
        0..1_000 => format!("{index:03}"),
        _ => format!("x{:03}/{:03}", index / 1_000, index % 1_000),
    }
}

#[test]
fn the_sizes_of_the_specification() {
    // Of 70,000 leaves: 273 full tiles of level 0 and a partial one of 112, and so on.
    let size = TreeSize(70_000);
    let check = |name: &str, is_there: bool| assert_eq!(tile(name).range(size).is_some(), is_there, "{name}");
    for (there, beyond) in [
        ("0/272", "0/273"),
        ("0/273.p/112", "0/273.p/113"),
        ("entries/273.p/112", "entries/273.p/113"),
        ("1/000", "1/001"),
        ("1/001.p/17", "1/001.p/18"),
        ("2/000.p/1", "2/000.p/2"),
        ("2/000.p/1", "3/000.p/1"),
    ] {
        check(there, true);
        check(beyond, false);
    }
    assert_eq!(tile("1/001.p/17").range(size), Some(256..273));
    // Full tiles alone are hashed upwards.
    assert_eq!(tile("1/000.p/1").range(TreeSize(255)), None);
    assert_eq!(tile("1/000.p/1").range(TreeSize(256)), Some(0..1));
    assert_eq!(tile("0/000.p/1").range(TreeSize(0)), None);
    // As many levels as names have, and as many leaves as there can be.
    assert_eq!(tile("63/000.p/1").range(TreeSize(u64::MAX)), None);
    assert_eq!(tile("8/000.p/1").range(TreeSize(u64::MAX)), None);
    assert_eq!(tile("7/000.p/255").range(TreeSize(u64::MAX)), Some(0..255));
    assert_eq!(tile("0/x018/x446/x744/x073/x709/x551/615").range(TreeSize(u64::MAX)), None, "no leaf has such a place");
}

#[test]
fn a_name_has_one_spelling() {
    for name in [
        "",
        "0",
        "0/",
        "/000",
        "0/0",
        "0/00",
        "0/0000",
        "0/x000/005",
        "0/x001",
        "0/001/000",
        "0/x001/x000",
        "0/X001/000",
        "0/x001/000/",
        "0//000",
        "0/-01",
        "0/+01",
        "0/ 01",
        "00/000",
        "01/000",
        "-1/000",
        "64/000",
        "256/000",
        "data/000",
        "entries",
        "entries/0",
        "Entries/000",
        "0/000.p",
        "0/000.p/",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/1/",
        "0/000.p/-1",
        "0/000.p/1.p/1",
        "0/000.P/1",
        "0/000/1",
        "0/\u{661}\u{662}\u{663}",
        "0/0%300",
        "0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse(name), None, "{name:?}");
    }
    assert_eq!(tile("5/x001/x234/067").to_string(), "5/x001/x234/067");
    assert_eq!(tile("entries/x001/000.p/255").content(), TileContent::Entries);
    assert_eq!(tile("63/999").content(), TileContent::Hashes { level: 63 });
}

proptest! {
    #[test]
    fn names_are_those_of_tlog_tiles(level in 0..64_u8, bits in 0..56_u32, index: u64, width in 1..257_u32, entries: bool) {
        let index = index & ((1 << bits) - 1);
        let theirs = tlog_tiles::Tile::new(8, if entries { 0 } else { level }, index, width, entries).path();
        let name = theirs.strip_prefix("tile/8/").expect("they name the height");
        let name = name.replacen("data/", "entries/", 1);
        let ours = Tile::parse(&name);
        prop_assert!(ours.is_some(), "{}", name);
        prop_assert_eq!(ours.map(|tile| tile.to_string()), Some(name));
        let (start, span) = (index * 256, 256_u64.checked_pow(if entries { 0 } else { level.into() }));
        let end = start + u64::from(width);
        // The smallest tree that has it, where there can be such a tree.
        if let Some(size) = span.and_then(|span| span.checked_mul(end)) {
            prop_assert_eq!(ours.and_then(|tile| tile.range(TreeSize(size))), Some(start..end));
            prop_assert_eq!(ours.and_then(|tile| tile.range(TreeSize(size - 1))), None);
        } else {
            prop_assert_eq!(ours.and_then(|tile| tile.range(TreeSize(u64::MAX))), None);
        }
    }

    #[test]
    fn what_parses_is_written_back(name in "(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Some(tile) = Tile::parse(&name) {
            prop_assert_eq!(tile.to_string(), name);
        }
    }
}
