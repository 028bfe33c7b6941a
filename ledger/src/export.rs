//! An export: the log in a folder, as C2SP tlog-tiles keeps it, for whoever checks it elsewhere.
//!
//! Owns how the folder is written: each file whole or not at all, the checkpoint once all that it covers is durable, and what
//! it supersedes removed once it is there. So a run goes on where one before it stopped, whatever stopped that. It computes the
//! tree of what it writes, and so never takes records that do not go on from those of the folder.
//!
//! It does not judge the records: `counterfoil-verify --replay` does.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use counterfoil_verify::attest::Attested;
use counterfoil_verify::checkpoint::{Checkpoint, Origin};
use counterfoil_verify::evidence::Rejected;
use counterfoil_verify::hash::Hash;
use counterfoil_verify::note::Note;
use counterfoil_verify::policy::Policy;
use counterfoil_verify::record;
use counterfoil_verify::tile::{TILE_WIDTH, Tile, TileContent, records_in};
use counterfoil_verify::tiling::Tiling;
use counterfoil_verify::tree::{RecordIndex, TreeSize};

use crate::error::LedgerError;
use crate::files;
use crate::read::Reader;

/// Bundles that are asked for together: far fewer than 256 MiB.
const BUNDLES_AT_ONCE: usize = 8;
const CHECKPOINT: &str = "checkpoint";
const TILES: &str = "tile";

/// Where an export comes from.
pub trait TileSource {
    /// Why it gives nothing, or nothing is exported.
    type Error: From<ExportError>;

    /// The newest signed checkpoint.
    ///
    /// # Errors
    /// Of the source.
    fn checkpoint(&mut self) -> Result<Vec<u8>, Self::Error>;

    /// What tiles hold that the tree of this checkpoint has, one after the other.
    ///
    /// # Errors
    /// Of the source.
    fn tiles(&mut self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Self::Error>;
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// What the folder holds.
    pub checkpoint: Checkpoint,
    /// How many of its records were there before.
    pub before: TreeSize,
}

/// Why a log was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is something else.
    #[error("{path} is no folder: name one that is, or that is not there yet")]
    NotAFolder {
        /// Where it was to be.
        path: PathBuf,
    },
    /// There is something in it.
    #[error("{path} holds other files, and no export: name a folder of its own")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Two runs at once.
    #[error("another run writes to {path}: wait until it ends")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in the folder is not what a run left there.
    #[error("{path} {problem}: the folder was changed or damaged, so export into another one")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The checkpoint cannot be used.
    #[error("the log's checkpoint is not accepted, and nothing was exported: {problem}")]
    Checkpoint {
        /// What is wrong with it.
        problem: String,
    },
    /// The folder is of another log.
    #[error("{path} holds an export of {held}, and this is the log {shown}: name another folder")]
    OtherLog {
        /// The folder.
        path: PathBuf,
        /// Whose export it is.
        held: Origin,
        /// The log that was to be exported.
        shown: Origin,
    },
    /// The folder has more of the log.
    #[error(
        "{path} holds {held} records of the log, which shows only {shown} of them: it is a copy that is behind, or was set back"
    )]
    Behind {
        /// The folder.
        path: PathBuf,
        /// Records in it.
        held: TreeSize,
        /// Records that the log has.
        shown: TreeSize,
    },
    /// The folder has another history.
    #[error(
        "{path} holds another history of the log: they part at record {index}. Keep both: two signed checkpoints whose roots \
         do not fit are the evidence"
    )]
    Forked {
        /// The folder.
        path: PathBuf,
        /// The first record that is another.
        index: RecordIndex,
    },
    /// What an interrupted run left is of another history.
    #[error(
        "{path} holds records of another history than the log's, from record {index} on, which an interrupted run left: remove \
         that folder, and export again"
    )]
    Leftover {
        /// The folder.
        path: PathBuf,
        /// The first record that is another.
        index: RecordIndex,
    },
    /// What the source gives does not fit itself.
    #[error("the log does not give what its checkpoint covers, and nothing was exported: {problem}")]
    Source {
        /// What does not fit.
        problem: String,
    },
}

impl TileSource for Reader {
    type Error = ExportError;

    fn checkpoint(&mut self) -> Result<Vec<u8>, ExportError> {
        Ok(self.served().checkpoint.to_vec())
    }

    fn tiles(&mut self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, ExportError> {
        let lacks = |tile: &Tile| ExportError::Source { problem: format!("it has no tile/{tile}") };
        tiles.iter().map(|tile| self.tile(*tile)?.ok_or_else(|| lacks(tile))).collect()
    }
}

/// Brings the folder of an export up to the newest checkpoint of a log, or begins one. With a policy, that has to accept the
/// checkpoint. `progress` is told how many records of how many are there.
///
/// # Errors
/// [`ExportError`]; what the folder held before stays as it was, and is still an export.
pub fn export<S: TileSource>(
    source: &mut S,
    path: &Path,
    policy: Option<&Policy>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, S::Error> {
    let (folder, held) = Folder::open(path)?;
    let note = source.checkpoint()?;
    let shown = read_checkpoint(&note, policy)?;
    let mut tree = Tiling::new();
    if let Some((_, held)) = &held {
        if held.origin != shown.origin {
            let (held, shown) = (held.origin.clone(), shown.origin);
            return Err(ExportError::OtherLog { path: path.to_owned(), held, shown }.into());
        }
        tree = folder.tree(held)?;
        if held.size > shown.size {
            let path = path.to_owned();
            return Err(match folder.fork(source, shown.size, held.size)? {
                Some(index) => ExportError::Forked { path, index },
                None => ExportError::Behind { path, held: held.size, shown: shown.size },
            }
            .into());
        }
    }
    let before = tree.size();
    progress(before.0, shown.size.0);
    let mut bundles =
        (before.0 / TILE_WIDTH..).map_while(|index| Tile::at(TileContent::Entries, index, shown.size)).peekable();
    let mut keeps_some = false;
    while bundles.peek().is_some() {
        let together: Vec<Tile> = bundles.by_ref().take(BUNDLES_AT_ONCE).collect();
        let kept = together.iter().map(|tile| folder.read(&place(*tile))).collect::<Result<Vec<_>, _>>()?;
        let is_wanted = |(_, kept): &(&Tile, &Option<Vec<u8>>)| kept.is_none();
        let wanted: Vec<Tile> = together.iter().zip(&kept).filter(is_wanted).map(|(tile, _)| *tile).collect();
        let mut fetched = source.tiles(&wanted)?.into_iter();
        for (tile, kept) in together.into_iter().zip(kept) {
            let is_kept = kept.is_some();
            keeps_some |= is_kept;
            let lacks = || ExportError::Source { problem: format!("tile/{tile} is missing") };
            let bytes = kept.or_else(|| fetched.next()).ok_or_else(lacks)?;
            folder.add(&mut tree, tile, &bytes, is_kept)?;
            progress(tree.size().0, shown.size.0);
        }
    }
    for (tile, hashes) in tree.partial() {
        folder.write_hashes(tile, hashes)?;
    }
    if tree.root() != shown.root {
        let path = path.to_owned();
        return Err(match folder.fork(source, shown.size, shown.size)? {
            Some(index) if index.0 < before.0 => ExportError::Forked { path, index },
            Some(index) if keeps_some => ExportError::Leftover { path, index },
            _ => ExportError::Source {
                problem: format!("its records come to the root {}, not {}", tree.root(), shown.root),
            },
        }
        .into());
    }
    folder.finish(&note, held.as_ref(), shown.size, policy)?;
    Ok(Exported { checkpoint: shown, before })
}

/// The checkpoint that lies in the folder of an export: as it was signed, and what it says.
type Held = (Vec<u8>, Checkpoint);

/// The folder of an export. One run has it at a time.
struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Opens the folder, or makes it. Gives the checkpoint that lies in it too.
    fn open(path: &Path) -> Result<(Self, Option<Held>), ExportError> {
        if path.exists() && !path.is_dir() {
            return Err(ExportError::NotAFolder { path: path.to_owned() });
        }
        files::create_folder(path)?;
        let lock = File::open(path).map_err(|error| file_error(path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ExportError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(file_error(path, error)),
        }
        let folder = Self { path: path.to_owned(), _lock: lock };
        let Some(note) = folder.read(Path::new(CHECKPOINT))? else {
            for entry in std::fs::read_dir(path).map_err(|error| file_error(path, error))? {
                let name = entry.map_err(|error| file_error(path, error))?.file_name();
                if name != TILES && name != format!("{CHECKPOINT}.new").as_str() {
                    return Err(ExportError::Occupied { path: path.to_owned() });
                }
            }
            return Ok((folder, None));
        };
        let checkpoint = parse(&note);
        let checkpoint = checkpoint.map_err(|problem| ExportError::Damaged { path: path.join(CHECKPOINT), problem })?;
        Ok((folder, Some((note, checkpoint))))
    }

    /// The tree of the export that is there, from its tiles.
    fn tree(&self, held: &Checkpoint) -> Result<Tiling, ExportError> {
        let mut filling = Vec::new();
        for content in TileContent::levels(held.size) {
            let tile = Tile::at(content, content.count(held.size) / TILE_WIDTH, held.size);
            filling.push(tile.map_or_else(|| Ok(Vec::new()), |tile| self.hashes(tile))?);
        }
        let damaged = |problem: String| ExportError::Damaged { path: self.path.join(TILES), problem };
        let tree = Tiling::from_partial(held.size, filling).map_err(|error| damaged(error.to_string()))?;
        match tree.root() == held.root {
            true => Ok(tree),
            false => Err(damaged("does not come to the root of the checkpoint beside it".to_owned())),
        }
    }

    /// The hashes of a tile; where it is not there, so many of the full one in its place.
    fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, ExportError> {
        let found = match self.read(&place(tile))? {
            Some(bytes) => Some(bytes),
            None => self.read(&place(tile.full()))?,
        };
        let damaged =
            |problem: &str| ExportError::Damaged { path: self.path.join(place(tile)), problem: problem.to_owned() };
        let hashes = hashes_of(&found.ok_or_else(|| damaged("is missing"))?, tile.width());
        hashes.ok_or_else(|| damaged("is too short"))
    }

    /// Takes a bundle: writes it, and the tiles that it fills, and appends its records to the tree.
    fn add(&self, tree: &mut Tiling, tile: Tile, bytes: &[u8], is_kept: bool) -> Result<(), ExportError> {
        let records = records_in(bytes, tile.width()).map_err(|error| match is_kept {
            true => ExportError::Damaged { path: self.path.join(place(tile)), problem: error.to_string() },
            false => ExportError::Source { problem: format!("tile/{tile}: {error}") },
        })?;
        let start = tile.index() * TILE_WIDTH;
        let known = (tree.size().0 - start) as usize;
        let same: Vec<Hash> = tree.partial().next().map(|(_, leaves)| leaves.to_vec()).unwrap_or_default();
        let (old, new) = records.split_at(known);
        if let Some(place) = old.iter().zip(&same).position(|(record, leaf)| record::hash(record).0 != *leaf) {
            return Err(ExportError::Forked { path: self.path.clone(), index: RecordIndex(start + place as u64) });
        }
        if !is_kept {
            self.write(&place(tile), bytes)?;
        }
        for record in new {
            for (tile, hashes) in tree.append(record::hash(record), |_| ()) {
                self.write_hashes(tile, &hashes)?;
            }
        }
        Ok(())
    }

    /// Where the history in the folder parts from that of the source, within the first `size` records; nowhere if not at all.
    /// Records are chained, so all behind that are others too. The folder has the tiles of `held` records.
    fn fork<S: TileSource>(
        &self,
        source: &mut S,
        size: TreeSize,
        held: TreeSize,
    ) -> Result<Option<RecordIndex>, S::Error> {
        let content = TileContent::Hashes { level: 0 };
        let mut parts_at = |number: u64| -> Result<Option<RecordIndex>, S::Error> {
            let own = Tile::at(content, number, held);
            let Some((tile, own)) = Tile::at(content, number, size).zip(own) else { return Ok(None) };
            let theirs = source.tiles(&[tile])?.pop().and_then(|bytes| hashes_of(&bytes, tile.width()));
            let lacks = || ExportError::Source { problem: format!("tile/{tile} is missing or too short") };
            let (ours, theirs) = (self.hashes(own)?, theirs.ok_or_else(lacks)?);
            let place = ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs);
            Ok(place.map(|place| RecordIndex(number * TILE_WIDTH + place as u64)))
        };
        let (mut same, mut end, mut found) = (0, size.0.div_ceil(TILE_WIDTH), None);
        while same < end {
            let middle = same + (end - same) / 2;
            match parts_at(middle)? {
                Some(index) => (end, found) = (middle, Some(index)),
                None => same = middle + 1,
            }
        }
        Ok(found)
    }

    /// Puts the checkpoint in its place, now that all that it covers is there, and removes what it supersedes.
    fn finish(
        &self,
        note: &[u8],
        held: Option<&Held>,
        size: TreeSize,
        policy: Option<&Policy>,
    ) -> Result<(), ExportError> {
        // Of the same head, the one with more signatures says more.
        let signatures = |note: &[u8]| Note::parse(note).map_or(0, |note| note.signatures().len());
        let is_accepted = |old: &[u8]| policy.is_none_or(|policy| Attested::open(old, policy).is_ok());
        let is_kept = held
            .is_some_and(|(old, held)| held.size == size && signatures(old) >= signatures(note) && is_accepted(old));
        if !is_kept {
            files::replace(&self.path.join(CHECKPOINT), note)?;
        }
        for content in [TileContent::Entries].into_iter().chain(TileContent::levels(size)) {
            for tile in (0..).map_while(|index| Tile::at(content, index, size)) {
                self.remove_partial_but(tile)?;
            }
        }
        Ok(())
    }

    /// Removes the partial tiles of a place but this one.
    fn remove_partial_but(&self, tile: Tile) -> Result<(), ExportError> {
        let folder = self.path.join(place(tile.full())).with_added_extension("p");
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(file_error(&folder, error)),
        };
        let kept = self.path.join(place(tile));
        let others: BTreeSet<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(|error| file_error(&folder, error))?;
        for other in others.iter().filter(|other| **other != kept) {
            std::fs::remove_file(other).map_err(|error| file_error(other, error))?;
        }
        match others.contains(&kept) {
            true => Ok(()),
            false => std::fs::remove_dir(&folder).map_err(|error| file_error(&folder, error)),
        }
    }

    fn write_hashes(&self, tile: Tile, hashes: &[Hash]) -> Result<(), ExportError> {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        match self.read(&place(tile))? {
            Some(same) if same == bytes => Ok(()),
            _ => self.write(&place(tile), &bytes),
        }
    }

    fn write(&self, place: &Path, bytes: &[u8]) -> Result<(), ExportError> {
        let path = self.path.join(place);
        files::create_folder(files::folder_of(&path))?;
        Ok(files::replace(&path, bytes)?)
    }

    /// What a file holds; none if it is not there.
    fn read(&self, place: &Path) -> Result<Option<Vec<u8>>, ExportError> {
        let path = self.path.join(place);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(&path, error)),
        }
    }
}

impl From<LedgerError> for ExportError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::File { path, source } => Self::File { path, source },
            other => Self::Source { problem: other.to_string() },
        }
    }
}

fn file_error(path: &Path, source: std::io::Error) -> ExportError {
    ExportError::File { path: path.to_owned(), source }
}

/// Where a tile lies in the folder.
fn place(tile: Tile) -> PathBuf {
    Path::new(TILES).join(tile.to_string())
}

fn hashes_of(bytes: &[u8], count: u64) -> Option<Vec<Hash>> {
    let hashes = bytes.chunks(Hash::LENGTH).map(|hash| Hash::from_slice(hash).ok()).take(count as usize);
    hashes.collect::<Option<Vec<Hash>>>().filter(|hashes| hashes.len() as u64 == count)
}

fn read_checkpoint(note: &[u8], policy: Option<&Policy>) -> Result<Checkpoint, ExportError> {
    match policy {
        None => parse(note).map_err(|problem| ExportError::Checkpoint { problem }),
        Some(policy) => match Attested::open(note, policy) {
            Ok(attested) => Ok(attested.checkpoint),
            Err(error) => Err(ExportError::Checkpoint { problem: Rejected::from(error).what }),
        },
    }
}

fn parse(note: &[u8]) -> Result<Checkpoint, String> {
    let note = Note::parse(note).map_err(|error| error.to_string())?;
    Checkpoint::parse(note.text()).map_err(|error| error.to_string())
}
