//! What comes to the interface, for the targets of [`crate::fuzz`].

use super::{controlling, ctrl_tcp, dialling, ringcentral, settings, sign_in, webphone, webrtc};

/// Reads bytes as the body of each request that has one.
pub fn bodies(bytes: &[u8]) {
    let _ =
        serde_json::from_slice::<controlling::Action>(bytes).map(controlling::Action::into_control);
    drop(serde_json::from_slice::<dialling::DialBody>(bytes));
    drop(serde_json::from_slice::<ringcentral::TargetBody>(bytes));
    drop(serde_json::from_slice::<settings::Change>(bytes));
    drop(serde_json::from_slice::<settings::Desk>(bytes));
    drop(serde_json::from_slice::<sign_in::Attempt>(bytes));
    drop(serde_json::from_slice::<sign_in::NewPassword>(bytes));
    drop(serde_json::from_slice::<webphone::CallBody>(bytes));
    drop(serde_json::from_slice::<webrtc::Offer>(bytes));
}

/// Reads pieces of a connection that speaks baresip's protocol.
pub fn commands(pieces: &[&[u8]]) {
    ctrl_tcp::read(pieces);
}
