//! What a connection writes in one turn, sent together.
//!
//! Owns the bytes between the protocol and the socket. HTTP/2 hands its frames over one by one where they are large, so
//! that the end of an answer would be a packet of its own, and would wake its reader once more. A turn is one poll of the
//! connection: what it wrote is sent when it has nothing more to do.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// The bytes that wait at most; whoever has more waits for the socket.
const WAITING_BYTES_MAX: usize = 64 << 10;
/// How long a peer may go on once it was told that the connection ends, and how much of that is read at a time.
const LINGER: Duration = Duration::from_secs(1);
const DRAINED_BYTES: usize = 8 << 10;

/// A stream whose writes wait for the end of the turn.
pub(crate) struct Gathered<S>(Arc<Mutex<Stream<S>>>);

struct Stream<S> {
    inner: S,
    waiting: BytesMut,
    /// What was written may still wait, here or in the stream itself.
    is_unsent: bool,
}

/// Runs a connection over `stream`, and sends what it wrote after each of its turns.
///
/// # Errors
/// The socket takes no more, or the connection's own.
pub(crate) async fn run<S, C, E>(stream: S, connection: impl FnOnce(Gathered<S>) -> C) -> Result<(), E>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Future<Output = Result<(), E>>,
    E: From<io::Error>,
{
    let stream = Arc::new(Mutex::new(Stream { inner: stream, waiting: BytesMut::new(), is_unsent: false }));
    let mut connection = pin!(connection(Gathered(stream.clone())));
    let turns = poll_fn(|context| {
        let turn = connection.as_mut().poll(context);
        match lock(&stream).send(context) {
            Poll::Ready(Err(error)) if turn.is_pending() => Poll::Ready(Err(error.into())),
            _ => turn,
        }
    });
    turns.await?;
    // Nothing more is said, and the peer may be saying something still: a socket that is closed on it takes back what was
    // said last (RFC 9112, section 9.6).
    let _ = timeout(LINGER, poll_fn(|context| lock(&stream).drain(context))).await;
    Ok(())
}

fn lock<S>(stream: &Mutex<Stream<S>>) -> MutexGuard<'_, Stream<S>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    /// Sends everything that waits.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_unsent {
            return Poll::Ready(Ok(()));
        }
        while !self.waiting.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(context, &self.waiting))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.waiting.advance(sent),
            }
        }
        ready!(Pin::new(&mut self.inner).poll_flush(context))?;
        self.is_unsent = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> Stream<S> {
    /// Reads to the end, for nobody.
    fn drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; DRAINED_BYTES];
        loop {
            let mut into = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut into))?;
            if into.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gathered<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).inner).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = lock(&self.0);
        if stream.waiting.len() >= WAITING_BYTES_MAX {
            ready!(stream.send(context))?;
        }
        let taken = bytes.len().min(WAITING_BYTES_MAX - stream.waiting.len());
        stream.waiting.extend_from_slice(&bytes[..taken]);
        stream.is_unsent = true;
        Poll::Ready(Ok(taken))
    }

    /// Does nothing: the turn has not ended.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut stream = lock(&self.0);
        ready!(stream.send(context))?;
        Pin::new(&mut stream.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A socket that notes each packet, whose peer says nothing, and can be gone.
    #[derive(Clone, Default)]
    struct Packets {
        sent: Arc<Mutex<Vec<Vec<u8>>>>,
        is_gone: bool,
    }

    impl AsyncRead for Packets {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Packets {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            if self.is_gone {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            self.sent.lock().unwrap().push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_is_written_in_a_turn_is_one_packet() {
        let packets = Packets::default();
        let sent = packets.sent.clone();
        let connection = |mut stream: Gathered<Packets>| async move {
            for turn in ["first", "second"] {
                for part in [turn, " turn", "."] {
                    stream.write_all(part.as_bytes()).await?;
                    stream.flush().await?;
                }
                tokio::task::yield_now().await;
            }
            stream.write_all(b"bye").await?;
            stream.shutdown().await
        };
        run(packets, connection).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), [&b"first turn."[..], b"second turn.", b"bye"]);
    }

    // The socket takes little at a time, and the peer reads late.
    #[tokio::test]
    async fn everything_arrives_in_its_order_whatever_the_socket_takes() {
        let content: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let (near, mut far) = tokio::io::duplex(1_000);
        let written = content.clone();
        let connection = |mut stream: Gathered<_>| async move {
            for part in written.chunks(70_001) {
                stream.write_all(part).await?;
                stream.flush().await?;
            }
            stream.shutdown().await
        };
        let read = async move {
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.unwrap();
            read
        };
        let (ran, read) = tokio::join!(run(near, connection), read);
        ran.unwrap();
        assert!(read == content, "{} bytes of {}", read.len(), content.len());
    }

    #[tokio::test]
    async fn a_peer_that_goes_on_sending_hears_the_end() {
        let (near, mut far) = tokio::io::duplex(1_000);
        let connection = |mut stream: Gathered<_>| async move {
            stream.write_all(b"that is too much").await?;
            stream.shutdown().await
        };
        let peer = async move {
            far.write_all(&[0; 100_000]).await.unwrap();
            let mut heard = String::new();
            far.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let (ran, heard) = tokio::join!(run(near, connection), peer);
        ran.unwrap();
        assert_eq!(heard, "that is too much");
    }

    #[tokio::test]
    async fn a_connection_whose_peer_is_gone_ends() {
        let connection = |mut stream: Gathered<Packets>| async move {
            stream.write_all(b"an answer").await?;
            std::future::pending().await
        };
        let ran: io::Result<()> = run(Packets { is_gone: true, ..Packets::default() }, connection).await;
        assert_eq!(ran.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
