//! What memory is taken from: mimalloc for Rust, and the C library's allocator for RocksDB and librdkafka.
//!
//! Owns what both are told. RocksDB takes what is being written in blocks of megabytes. glibc gives blocks above a threshold
//! back to the operating system as soon as they are free, and raises the threshold to the largest that it has seen freed
//! (mallopt(3), `M_MMAP_THRESHOLD`): from the second block on they come out of heaps that keep what is freed between others.
//! A threshold that is set stays: a quarter less memory while a topic's backlog is read.

/// Decoding records makes many small allocations: this allocator takes a seventh off an import and its views.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The smallest block that glibc gives back at once.
#[cfg(target_env = "gnu")]
const LARGE_BYTES: libc::c_int = 1 << 20;

/// Tells the C library's allocator. To be called before anything else is.
pub fn settle() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "the C library has no other way to set this, but for the environment")]
    // SAFETY: two numbers, which it checks itself, and no other thread runs yet.
    let _is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES) };
}
