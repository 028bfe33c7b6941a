//! The memory that the databases of a process take: one budget for all of them.
//!
//! Owns how much it is, and who shares it. What was written and is in no file yet, the blocks that were read, and what
//! indexes the files are counted together, so that it does not matter which database is busy, or how large they grow.

use rocksdb::{BlockBasedIndexType, BlockBasedOptions, Cache, Options, WriteBufferManager};

/// Everything that is counted. Blocks give way to what is being written.
const BYTES: usize = 160 << 20;
/// What may wait to be written into files. Beyond that, whoever writes next begins to write its own into files; while
/// that lasts it may be more.
const WRITTEN_BYTES: usize = 96 << 20;
/// The parts that indexes and filters of files are read in: of a large file they have no room in one piece, and would be
/// read again at every look.
const INDEX_PART_BYTES: usize = 4 << 10;
/// The files that one database holds open; of more it opens them again.
const FILES_MAX: i32 = 256;

/// The budget, for whoever opens a database. Cloning it gives the same one.
#[derive(Clone)]
pub struct Memory {
    read: Cache,
    written: WriteBufferManager,
}

impl Memory {
    /// The budget of a process, which nothing was taken of.
    pub(crate) fn new() -> Self {
        let read = Cache::new_lru_cache(BYTES);
        // Nobody is stopped here who is above it: each database stops its own writers where its files fall behind, and says
        // so; here they would wait without an end where a disk is full.
        let written = WriteBufferManager::new_write_buffer_manager_with_cache(WRITTEN_BYTES, false, read.clone());
        Self { read, written }
    }

    /// Puts what a database writes under the budget, and a bound on its files.
    pub fn share(&self, options: &mut Options) {
        options.set_write_buffer_manager(&self.written);
        options.set_max_open_files(FILES_MAX);
    }

    /// Files whose blocks, indexes and filters are under the budget.
    pub fn blocks(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.read);
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        blocks.set_partition_filters(true);
        blocks.set_metadata_block_size(INDEX_PART_BYTES);
        blocks
    }
}
