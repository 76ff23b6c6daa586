//! Between us and a TURN server: UDP, or a stream that is cut into messages (RFC 8656 section 12.5).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

use crate::appliance::config::{TurnServer, TurnTransport};
use crate::appliance::stream::{Stream, connector, secure};
use crate::appliance::trust::Roots;
use crate::base::limits;

/// For a name, a connection and TLS.
const CONNECT: Duration = Duration::from_secs(5);
/// A stream that takes nothing for so long is none any more.
const WRITE: Duration = Duration::from_secs(2);

enum Line {
    Datagrams(UdpSocket),
    Stream { stream: Box<dyn Stream>, read: Vec<u8> },
}

pub(super) struct Wire {
    line: Line,
    pub local: SocketAddr,
    pub server: SocketAddr,
}

impl Wire {
    pub async fn open(server: &TurnServer, roots: &Roots) -> io::Result<Self> {
        timeout(CONNECT, Self::connect(server, roots)).await?
    }

    async fn connect(server: &TurnServer, roots: &Roots) -> io::Result<Self> {
        let TurnServer { host, port, transport } = server;
        let found: Vec<SocketAddr> = lookup_host((host.as_str(), *port)).await?.collect();
        // What is lent is of IPv4, where routers translate.
        let address = found.iter().find(|at| at.is_ipv4()).or(found.first()).copied();
        let address = address.ok_or_else(|| io::Error::other("its name has no address"))?;
        if *transport == TurnTransport::Udp {
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
            };
            let socket = UdpSocket::bind(any).await?;
            // Whatever comes from elsewhere is dropped by the system.
            socket.connect(address).await?;
            let local = socket.local_addr()?;
            return Ok(Self { line: Line::Datagrams(socket), local, server: address });
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let stream: Box<dyn Stream> = match transport {
            TurnTransport::Tls => secure(&connector(roots.clone()), host, stream).await?,
            TurnTransport::Udp | TurnTransport::Tcp => Box::new(stream),
        };
        Ok(Self { line: Line::Stream { stream, read: Vec::new() }, local, server: address })
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.line, Line::Stream { .. })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.line {
            Line::Datagrams(socket) => {
                // A refusal by the network (ICMP) may pass; requests are said again.
                let _ = socket.send(bytes).await;
                Ok(())
            }
            Line::Stream { stream, .. } => timeout(WRITE, stream.write_all(bytes)).await?,
        }
    }

    /// The next message. Whoever gives up waiting has lost nothing.
    pub async fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.line {
            Line::Datagrams(socket) => match socket.recv(buffer).await {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(0),
                received => received,
            },
            Line::Stream { stream, read } => loop {
                if let Some(length) = message_length(read)? {
                    let whole: Vec<u8> = read.drain(..length).collect();
                    let place = buffer.get_mut(..length);
                    place.ok_or_else(too_long)?.copy_from_slice(&whole);
                    return Ok(length);
                }
                if stream.read_buf(read).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            },
        }
    }
}

fn too_long() -> io::Error {
    io::Error::other("it sends messages that are too long")
}

/// Of the message that these bytes begin with, if it is there as a whole.
fn message_length(read: &[u8]) -> io::Result<Option<usize>> {
    let Some(&[first, _, high, low]) = read.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = match first {
        0..=3 => 20 + length,
        // A channel's data are filled up to whole words.
        64..=127 => 4 + length.next_multiple_of(4),
        _ => return Err(io::Error::other("it does not speak TURN")),
    };
    if whole > limits::TURN_MESSAGE_BYTES {
        return Err(too_long());
    }
    Ok((read.len() >= whole).then_some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cut_where_its_messages_end() {
        let stun = [&[1, 3, 0, 8][..], &[0; 24]].concat();
        let channel = [&[0x40, 0, 0, 5][..], &[0; 8]].concat();
        let both = [stun.clone(), channel.clone()].concat();
        assert_eq!(message_length(&both).unwrap(), Some(28));
        assert_eq!(message_length(&channel).unwrap(), Some(12));
        for length in 0..28 {
            assert_eq!(message_length(&stun[..length]).unwrap(), None, "{length}");
        }
        assert!(message_length(&[0x80, 0, 0, 1]).is_err());
        assert!(message_length(&[0, 3, 0xFF, 0xFF]).is_err());
    }
}
