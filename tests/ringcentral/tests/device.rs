//! The box as a telephone by TLS, with keys in the description (SDES).

use crate::boxes::{CALL, box_of_many, dial, open, registered};
use crate::stand_in::StandIn;
use crate::support::folder::Folder;
use crate::support::wait;

#[test]
fn a_device_registers_by_tls_and_makes_and_takes_a_call_with_keys_in_the_description() {
    let stand_in = StandIn::start();
    let folder = Folder::new("authorities");
    folder.write("stand-in.pem", stand_in.certificate.clone());
    let authorities = format!("authorities = \"{}\"", folder.at("stand-in.pem").display());
    let keys = "mode = \"device\"\nevents = \"off\"\nanswered_by = \"sip-200\"";
    let appliance = box_of_many(&stand_in, &[("desk", "101", keys), ("second", "103", keys)])
        .with("sip.tls", &authorities)
        .with("dial", "allow = [\"+1\"]\non_machine = \"talk\"")
        .start();
    registered(&stand_in, "101");
    registered(&stand_in, "103");
    assert!(stand_in.count("DEVICE true") >= 2);
    assert_eq!(stand_in.count("DEVICE false"), 0);
    open(&appliance);
    let (status, told) = dial(&appliance, "+17205550103", Some("desk"));
    assert_eq!(status, 202, "{told}");
    for direction in ["outbound", "inbound"] {
        let record = wait::until("both have answered and heard something", CALL, || {
            let record = appliance.record(|call| call["direction"] == direction)?;
            let has_heard = record["mos"]["incoming"].is_object();
            (record["state"] == "active" && has_heard).then_some(record)
        });
        println!("{direction}: {} {}", record["codec"], record["srtp"]);
        assert_eq!(record["srtp"], "AES_CM_128_HMAC_SHA1_80", "{record:#}");
        assert!(record["one_way"].is_null(), "{record:#}");
    }
    let invite = stand_in.lock().calls.last().unwrap().caller.invite.clone();
    assert!(
        invite.body.contains("RTP/SAVP ") && invite.body.contains("a=crypto:"),
        "{}",
        invite.body
    );
    assert!(invite.get("Contact").contains(";ob"), "{invite:?}");
}
