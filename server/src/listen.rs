//! Connections: HTTP/1.1 and HTTP/2 on one port, with TLS or without.
//!
//! Owns how many there may be, how much and how long one may say nothing of use, and how they end when the server stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::gather;
use crate::tls::Peer;

/// Connections that are served at a time; more wait in the operating system's queue.
const CONNECTIONS_MAX: usize = 1_024;
/// Calls of one HTTP/2 connection that are worked on at a time.
const STREAMS_MAX: u32 = 256;
/// Bytes of the head of a request; over HTTP/1.1 a line of it may be as long as the buffer, which holds content too.
const HEAD_BYTES_MAX: u32 = 16 << 10;
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// How long a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the head of a request may take to arrive.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How often a silent HTTP/2 peer is asked whether it is still there, and how long it may take to answer.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait after the operating system gives no connection, as when there are too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves until `stop` is there; then takes no more connections, and gives those in flight `drain` to end.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
    drain: Duration,
) {
    let builder = Arc::new(builder());
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let place = room.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        // Answers are small and awaited: without this the last packet of one waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let (builder, router, tls, watcher) = (builder.clone(), router.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None => converse(&builder, stream, router, None, watcher).await,
                Some(tls) => match tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                        let peer = shown.map(Peer::of);
                        converse(&builder, stream, router, peer, watcher).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("calls in flight were cut off, {} s after the server was told to stop", drain.as_secs());
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(BUFFER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE);
    builder
}

/// Answers whatever comes over one connection; `peer` is the certificate that was shown on it.
async fn converse(
    builder: &Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Option<Peer>,
    watcher: Watcher,
) {
    let service = router.map_request(move |mut request: http::Request<Incoming>| {
        if let Some(peer) = &peer {
            request.extensions_mut().insert(peer.clone());
        }
        request
    });
    let connection = |stream| {
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        watcher.watch(connection.into_owned())
    };
    // A peer that goes away or talks nonsense is its own affair.
    if let Err(error) = gather::run(stream, connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
