//! The signals that tell the process to stop.
//!
//! Owns that none is lost: one thread hears them from the first service on. A standby is a service again and again, and one
//! more once it is the owner; what is told between two of them counts for the next one.

use std::sync::OnceLock;

use anyhow::Result;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Follows whether the process was told to stop.
pub fn told_to_stop() -> Result<watch::Receiver<bool>> {
    static TOLD: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    if let Some(told) = TOLD.get() {
        return Ok(told.clone());
    }
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut terminated, mut interrupted) = {
        let _entered = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let (tell, told) = watch::channel(false);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        });
        tell.send_replace(true);
    })?;
    Ok(TOLD.get_or_init(|| told).clone())
}
