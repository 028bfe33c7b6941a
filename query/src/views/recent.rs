//! What was read lately and is asked for again: what entities are called, by which identifiers they are known, what they
//! mean, and stretches of their histories.
//!
//! Owns how much of it is kept, and for how long it is true. Whatever a batch of rows changes is forgotten before the
//! batch is written; and only a view since which nothing was written may add anything. So what is kept is what the newest
//! rows say. Older views use it too: each kept thing knows the newest record in it, and serves whoever knows that one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use counterfoil_verify::entity::EntityId;
use counterfoil_verify::time::{Moment, OccurredAt};
use counterfoil_verify::tree::TreeSize;
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};

use crate::error::Result;
use crate::views::histories::Bindings;
use crate::views::meta::Basis;
use crate::views::names::Called;
use crate::views::segments::Segment;
use crate::views::timelines::Base;

const CALLED_BYTES: u64 = 24 << 20;
const SEGMENTS_BYTES: u64 = 48 << 20;
const OUTLINES_BYTES: u64 = 8 << 20;
const BINDINGS_BYTES: u64 = 8 << 20;
const BASES_BYTES: u64 = 8 << 20;
const TRAITS_BYTES: u64 = 16 << 20;
/// What a map takes for each entry, beside what is in it.
const ENTRY_BYTES: usize = 64;
/// What the average kept thing takes, so that there is room for as many from the start.
const CALLED_BYTES_MEAN: u64 = 256;
const OUTLINE_BYTES_MEAN: u64 = 256;
const BINDINGS_BYTES_MEAN: u64 = 256;
const BASES_BYTES_MEAN: u64 = 256;
const TRAITS_BYTES_MEAN: u64 = 1 << 10;
const SEGMENT_BYTES_MEAN: u64 = 16 << 10;

/// Where an entity's history stands.
#[derive(Clone, Copy)]
pub(crate) struct Outline {
    /// Names its segments: they are forgotten together, when this is.
    pub(crate) number: u64,
    /// The newest open snapshot.
    pub(crate) newest: Base,
    /// What was written before it was read: an older view may not have that snapshot.
    pub(crate) since: Writes,
}

/// Everything that is kept.
pub(crate) struct Recent {
    writes: RwLock<Writes>,
    called: Cache<Box<str>, Arc<Called>, Bytes>,
    outlines: Cache<EntityId, Outline, Bytes>,
    /// None yet where they were asked for once.
    bindings: Cache<EntityId, Option<Arc<Bindings>>, Bytes>,
    segments: Cache<(u64, Base), Arc<Segment>, Bytes>,
    /// The open snapshots that segments were kept of, by the number of their outline, in order; none yet where the outline
    /// has answered once.
    bases: Cache<u64, Arc<[Base]>, Bytes>,
    /// What entities are, apart from who holds them: their whole histories of that.
    traits: Cache<EntityId, Arc<Segment>, Bytes>,
    outline_number: AtomicU64,
    standing: RwLock<Option<(Writes, Arc<Standing>)>>,
}

/// What every question asks of a view.
pub(crate) struct Standing {
    /// The newest head; none before the first one.
    pub(crate) basis: Option<Basis>,
    /// The systems and instances of which anything was ever listed.
    pub(crate) listed: BTreeSet<(String, String)>,
    /// Those that declared matching rules.
    pub(crate) ruled: BTreeSet<(String, String)>,
    /// Up to when all records tell of tickets, where any source does.
    pub(crate) tickets_known_until: Option<Moment>,
}

/// How often something was written, and whether something is being written now.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Writes {
    count: u64,
    is_writing: bool,
}

impl Writes {
    /// Whether a view that was taken then has everything that one taken at `other`, while nothing was written, has.
    pub(crate) fn includes(self, other: Self) -> bool {
        self.count > other.count || self == other
    }
}

/// The entities of which a batch of rows says something new.
#[derive(Default)]
pub(crate) struct Changed {
    /// Their histories go on.
    pub(crate) histories: Vec<EntityId>,
    /// What they are called is another.
    pub(crate) names: Vec<EntityId>,
    /// Something says by which identifiers they are known.
    pub(crate) bindings: BTreeSet<EntityId>,
}

impl Recent {
    pub(crate) fn new() -> Self {
        Self {
            writes: RwLock::new(Writes { count: 0, is_writing: false }),
            called: bounded(CALLED_BYTES, CALLED_BYTES_MEAN),
            outlines: bounded(OUTLINES_BYTES, OUTLINE_BYTES_MEAN),
            bindings: bounded(BINDINGS_BYTES, BINDINGS_BYTES_MEAN),
            segments: bounded(SEGMENTS_BYTES, SEGMENT_BYTES_MEAN),
            bases: bounded(BASES_BYTES, BASES_BYTES_MEAN),
            traits: bounded(TRAITS_BYTES, TRAITS_BYTES_MEAN),
            outline_number: AtomicU64::new(0),
            standing: RwLock::new(None),
        }
    }

    /// What a view has to ask before it is taken, to add later what it reads.
    pub(crate) fn writes(&self) -> Writes {
        *self.writes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what a batch changes, then writes it.
    pub(crate) fn write(&self, changed: &Changed, write: impl FnOnce() -> Result<()>) -> Result<()> {
        {
            let mut writes = self.writes.write().unwrap_or_else(PoisonError::into_inner);
            *writes = Writes { count: writes.count + 1, is_writing: true };
            for entity in changed.histories.iter().filter(|_| !self.outlines.is_empty()) {
                self.outlines.remove(entity);
            }
            for entity in changed.histories.iter().filter(|_| !self.traits.is_empty()) {
                self.traits.remove(entity);
            }
            for entity in changed.names.iter().filter(|_| !self.called.is_empty()) {
                self.called.remove(entity.to_text().as_str());
            }
            for entity in changed.bindings.iter().filter(|_| !self.bindings.is_empty()) {
                self.bindings.remove(entity);
            }
        }
        let written = write();
        self.writes.write().unwrap_or_else(PoisonError::into_inner).is_writing = false;
        written
    }

    /// What every question asks of a view; read where it is not there.
    pub(crate) fn standing(&self, since: Writes, read: impl FnOnce() -> Result<Standing>) -> Result<Arc<Standing>> {
        let kept = self.standing.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, standing)) = kept.filter(|(of, _)| *of == since && !since.is_writing) {
            return Ok(standing);
        }
        let standing = Arc::new(read()?);
        self.keep(since, || {
            *self.standing.write().unwrap_or_else(PoisonError::into_inner) = Some((since, standing.clone()));
        });
        Ok(standing)
    }

    /// What the entity with that id is called.
    pub(crate) fn called(&self, id: &str) -> Option<Arc<Called>> {
        self.called.get(id)
    }

    pub(crate) fn keep_called(&self, since: Writes, id: &str, called: &Arc<Called>) {
        self.keep(since, || self.called.insert(id.into(), called.clone()));
    }

    /// By which identifiers an entity was ever known; read where it is not there, from the second time on: whoever asks twice
    /// may ask often.
    pub(crate) fn bindings(
        &self,
        since: Writes,
        entity: &EntityId,
        read: impl FnOnce() -> Result<Bindings>,
    ) -> Result<Option<Arc<Bindings>>> {
        match self.bindings.get(entity) {
            Some(None) => {
                let bindings = Arc::new(read()?);
                self.keep(since, || self.bindings.insert(entity.clone(), Some(bindings.clone())));
                Ok(Some(bindings))
            }
            kept => Ok(kept.flatten()),
        }
    }

    /// Notes that they were asked for.
    pub(crate) fn keep_asked(&self, since: Writes, entity: &EntityId) {
        self.keep(since, || {
            if self.bindings.get(entity).is_none() {
                self.bindings.insert(entity.clone(), None);
            }
        });
    }

    /// Where the history of an entity stands; none if it may not be kept now.
    pub(crate) fn outline(
        &self,
        since: Writes,
        entity: &EntityId,
        newest: impl FnOnce() -> Result<Base>,
    ) -> Result<Option<Outline>> {
        if let Some(outline) = self.outlines.get(entity) {
            return Ok(Some(outline));
        }
        let number = self.outline_number.fetch_add(1, Ordering::Relaxed);
        let outline = Outline { number, newest: newest()?, since };
        let is_kept = self.keep(since, || self.outlines.insert(entity.clone(), outline));
        Ok(is_kept.then_some(outline))
    }

    /// What follows the last of the snapshots before a moment that are known here, and how much of it had applied; none
    /// if that does not say.
    pub(crate) fn applied(&self, outline: Outline, at: OccurredAt, known: TreeSize) -> Option<(Arc<Segment>, usize)> {
        let bases = self.bases.get(&outline.number)?;
        let before = bases.partition_point(|base| base.is_by(at));
        let base = bases[..before].last().filter(|base| base.is_known(known))?;
        let segment = self.segments.get(&(outline.number, *base))?;
        let applied = segment.applied(at, known)?;
        Some((segment, applied))
    }

    /// Whether anything was answered from a history as it stands: whoever asks twice may ask often.
    pub(crate) fn is_answered(&self, outline: Outline) -> bool {
        self.bases.get(&outline.number).is_some()
    }

    /// Notes that something was.
    pub(crate) fn keep_answered(&self, since: Writes, outline: Outline) {
        self.keep(since, || {
            if self.bases.get(&outline.number).is_none() {
                self.bases.insert(outline.number, Arc::default());
            }
        });
    }

    /// Notes an open snapshot of which a segment is kept.
    pub(crate) fn keep_base(&self, since: Writes, outline: Outline, base: Base) {
        self.keep(since, || {
            let bases = self.bases.get(&outline.number);
            let bases = bases.as_deref().unwrap_or_default();
            if let Err(place) = bases.binary_search(&base) {
                let bases = [&bases[..place], &[base], &bases[place..]].concat();
                self.bases.insert(outline.number, bases.into());
            }
        });
    }

    /// What follows a snapshot; read where it is not there.
    pub(crate) fn segment(
        &self,
        since: Writes,
        outline: Outline,
        base: Base,
        read: impl FnOnce() -> Result<Segment>,
    ) -> Result<Arc<Segment>> {
        let key = (outline.number, base);
        if let Some(segment) = self.segments.get(&key) {
            return Ok(segment);
        }
        let segment = Arc::new(read()?);
        self.keep(since, || self.segments.insert(key, segment.clone()));
        Ok(segment)
    }

    /// What an entity ever was, apart from who holds it; read where it is not there.
    pub(crate) fn traits(
        &self,
        since: Writes,
        entity: &EntityId,
        read: impl FnOnce() -> Result<Segment>,
    ) -> Result<Arc<Segment>> {
        if let Some(segment) = self.traits.get(entity) {
            return Ok(segment);
        }
        let segment = Arc::new(read()?);
        self.keep(since, || self.traits.insert(entity.clone(), segment.clone()));
        Ok(segment)
    }

    /// Keeps something, unless something was written since it was read.
    fn keep(&self, since: Writes, keep: impl FnOnce()) -> bool {
        let writes = self.writes.read().unwrap_or_else(PoisonError::into_inner);
        let is_newest = *writes == since && !since.is_writing;
        if is_newest {
            keep();
        }
        is_newest
    }
}

fn bounded<K: Eq + std::hash::Hash, V: Clone>(bytes: u64, mean: u64) -> Cache<K, V, Bytes>
where
    Bytes: Weighter<K, V>,
{
    let options =
        OptionsBuilder::new().weight_capacity(bytes).estimated_items_capacity((bytes / mean) as usize).build();
    Cache::with_options(
        options.expect("both capacities are given"),
        Bytes,
        quick_cache::DefaultHashBuilder::default(),
        quick_cache::sync::DefaultLifecycle::default(),
    )
}

/// Weighs by what something takes in memory.
#[derive(Clone)]
struct Bytes;

impl Weighter<Box<str>, Arc<Called>> for Bytes {
    fn weight(&self, id: &Box<str>, called: &Arc<Called>) -> u64 {
        (ENTRY_BYTES + id.len() + called.bytes()) as u64
    }
}

impl Weighter<EntityId, Outline> for Bytes {
    fn weight(&self, entity: &EntityId, _: &Outline) -> u64 {
        (ENTRY_BYTES + entity.as_bytes().len() + size_of::<Outline>()) as u64
    }
}

impl Weighter<EntityId, Option<Arc<Bindings>>> for Bytes {
    fn weight(&self, entity: &EntityId, bindings: &Option<Arc<Bindings>>) -> u64 {
        (ENTRY_BYTES + entity.as_bytes().len() + bindings.as_ref().map_or(0, |bindings| bindings.bytes())) as u64
    }
}

impl Weighter<EntityId, Arc<Segment>> for Bytes {
    fn weight(&self, entity: &EntityId, segment: &Arc<Segment>) -> u64 {
        (ENTRY_BYTES + entity.as_bytes().len() + segment.bytes()) as u64
    }
}

impl Weighter<u64, Arc<[Base]>> for Bytes {
    fn weight(&self, _: &u64, bases: &Arc<[Base]>) -> u64 {
        (ENTRY_BYTES + size_of_val(&**bases)) as u64
    }
}

impl Weighter<(u64, Base), Arc<Segment>> for Bytes {
    fn weight(&self, _: &(u64, Base), segment: &Arc<Segment>) -> u64 {
        (ENTRY_BYTES + size_of::<Base>() + segment.bytes()) as u64
    }
}
