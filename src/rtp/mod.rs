//! RTP and RTCP without a socket: packets, order, time, loss, digits, and whom to believe.
//!
//! Owns everything between a datagram's bytes and a codec's payload. Nothing here allocates after
//! construction, and no input of the peer's can make it panic: all of it runs in the audio tick.

pub mod jitter;
pub mod latch;
pub mod packet;
pub mod quality;
pub mod reception;
pub mod rtcp;
pub mod sender;
pub mod sequence;
pub mod srtp;
pub mod telephone_event;

pub use jitter::{JitterBuffer, JitterCounts};
pub use latch::{Latch, Verdict};
pub use packet::{Header, Packet, PacketError, Protocol};
pub use reception::{Admission, Reception};
pub use rtcp::Rtcp;
pub use sender::{Packetizer, Sender};
pub use sequence::{RtpTime, Sequence};
pub use telephone_event::{EventReceiver, EventSender};
