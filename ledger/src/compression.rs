//! How the files of a database are compressed.
//!
//! Owns the dictionaries: records, and rows of views, say the same words again and again, and a block by itself is too small
//! to learn them.

use std::ffi::c_int;

use rocksdb::{DBCompressionType, Options};

/// The dictionary of a file, and the sample of the file that it is made from.
const DICTIONARY_BYTES: c_int = 16 << 10;
const SAMPLE_BYTES: c_int = 100 * DICTIONARY_BYTES;
/// A file is held in memory until its dictionary is made: half of RocksDB's own size takes half as much.
const FILE_BYTES: u64 = 32 << 20;
/// The window of zlib, and the level: what RocksDB takes by itself.
const WINDOW_BITS: c_int = -14;
const LEVEL: c_int = 32_767;

/// Compresses quickly; on the last level, where no compaction touches a file again, with a dictionary for each file.
pub fn compress(options: &mut Options) {
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_compression_options(WINDOW_BITS, LEVEL, 0, DICTIONARY_BYTES);
    options.set_zstd_max_train_bytes(SAMPLE_BYTES);
    options.set_target_file_size_base(FILE_BYTES);
}

/// The same for what is kept for good and seldom read: on the last level it takes less room, and more time.
pub fn compress_for_good(options: &mut Options) {
    compress(options);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
}
