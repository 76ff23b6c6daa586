//! TCP connections of the page, bounded in number and in silence.
//!
//! Browsers keep a handful open; one more than all places waits until one is free, and a connection
//! on which nothing moves is closed.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::appliance::pulse::{BEAT, Pulse};

/// A listener with a fixed number of places.
pub(super) struct Bounded {
    tcp: TcpListener,
    free: Arc<Semaphore>,
    idle_limit: Duration,
    pulse: Pulse,
}

impl Bounded {
    /// `idle_limit` is the longest time without a byte either way; `pulse` is the thread's.
    pub(super) fn new(tcp: TcpListener, places: usize, idle_limit: Duration, pulse: Pulse) -> Self {
        Self { tcp, free: Arc::new(Semaphore::new(places)), idle_limit, pulse }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let free = Arc::clone(&self.free);
        let place = beating(&self.pulse, free.acquire_owned()).await;
        let place = place.expect("the semaphore is never closed");
        // The qualified call is axum's, which waits and goes on when the system has no descriptor.
        let (tcp, peer) = beating(&self.pulse, Listener::accept(&mut self.tcp)).await;
        let idle = Box::pin(sleep(self.idle_limit));
        (Connection { tcp, idle, idle_limit: self.idle_limit, _place: place }, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Waits for `work`; whoever waits turns often enough to show that this loop does.
async fn beating<T>(pulse: &Pulse, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        pulse.beat();
        if let Ok(done) = timeout(BEAT, work.as_mut()).await {
            return done;
        }
    }
}

/// A connection that fails after `idle_limit` without a byte either way.
pub(super) struct Connection {
    tcp: TcpStream,
    idle: Pin<Box<Sleep>>,
    idle_limit: Duration,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Takes the socket out: it is no connection of the page's any more.
    pub(super) fn into_tcp(self) -> io::Result<std::net::TcpStream> {
        self.tcp.into_std()
    }

    /// Restarts the idle time when `progress` has something, else watches it.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        progress: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            let deadline = Instant::now() + self.idle_limit;
            self.idle.as_mut().reset(deadline);
            return progress;
        }
        ready!(self.idle.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        self.watch(cx, progress)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.watch(cx, progress)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::pulse::Pulses;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn listener(places: usize, idle_limit: Duration) -> Bounded {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Bounded::new(tcp, places, idle_limit, Pulse::default())
    }

    #[tokio::test]
    async fn one_connection_too_many_waits_for_a_place() {
        let mut listener = listener(1, Duration::from_secs(600)).await;
        let address = listener.local_addr().unwrap();
        let mut first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = listener.accept().await;
        first.write_all(b"a").await.unwrap();
        let mut byte = [0];
        tokio::select! {
            biased;
            _ = listener.accept() => panic!("there was no place"),
            _ = accepted.read_exact(&mut byte) => {}
        }
        assert_eq!(byte, *b"a");
        drop(accepted);
        listener.accept().await;
    }

    #[tokio::test]
    async fn a_silent_connection_is_let_go() {
        let mut listener = listener(1, Duration::from_millis(20)).await;
        let address = listener.local_addr().unwrap();
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut accepted, _) = listener.accept().await;
        let error = accepted.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn the_loop_that_accepts_beats_while_it_waits_and_not_when_it_hangs() {
        let mut listener = listener(0, Duration::from_secs(600)).await;
        let pulse = listener.pulse.clone();
        let mut pulses = Pulses::default();
        let mut now = std::time::Instant::now();
        pulses = pulses.with(now, "web", pulse, Duration::from_secs(1));
        let mut later = |pulses: &mut Pulses| {
            now += Duration::from_secs(2);
            pulses.silent(now)
        };
        assert_eq!(later(&mut pulses), Some("web"), "nobody accepts");
        for places in 0..2 {
            // Without a place, then without anybody who comes.
            listener.free.add_permits(places);
            let mut waits = pin!(listener.accept());
            for turns in [BEAT / 10, BEAT * 4] {
                assert!(timeout(turns, waits.as_mut()).await.is_err());
                assert_eq!(later(&mut pulses), None, "{places}");
                assert_eq!(later(&mut pulses), Some("web"), "it is held up");
            }
        }
    }
}
