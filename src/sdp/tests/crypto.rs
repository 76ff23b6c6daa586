//! Keys in descriptions: what is read of them, what is answered, and what is refused.

use super::*;
use crate::base::{Protection, SrtpKey, SrtpSuite};

/// 30 bytes, ABC and so on.
const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
/// 28 of them.
const GCM_KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYg==";

fn with(srtp: Srtp) -> Offering {
    Offering { srtp, ..offering() }
}

/// What is agreed on a line of this profile with these crypto lines.
fn agreed(proto: &str, crypto: &[&str], srtp: Srtp) -> Result<Answer, Refusal> {
    let media = format!("m=audio 6000 {proto} 0");
    let crypto: Vec<String> = crypto.iter().map(|value| format!("a=crypto:{value}")).collect();
    let lines: Vec<&str> =
        std::iter::once(media.as_str()).chain(crypto.iter().map(String::as_str)).collect();
    answer(&sdp(&lines), &with(srtp), &local(), 1, false)
}

fn suite(proto: &str, crypto: &[&str], srtp: Srtp) -> Result<Option<SrtpSuite>, u16> {
    let answer = agreed(proto, crypto, srtp).map_err(|refusal| {
        assert_eq!(refusal.status, 488);
        refusal.warning_code
    })?;
    Ok(answer.negotiated.protection.keying().map(|keying| keying.suite))
}

fn crypto_lines(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8(body.to_vec()).unwrap();
    text.lines().filter(|line| line.starts_with("a=crypto:")).map(str::to_owned).collect()
}

#[test]
fn what_is_wished_and_what_is_offered_decide_together() {
    let key = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let none: &[&str] = &[];
    let one: &[&str] = &[&key];
    let long = Ok(Some(SrtpSuite::AesCm128HmacSha1_80));
    for (proto, crypto, [off, optional, required]) in [
        ("RTP/AVP", none, [Ok(None), Ok(None), Err(302)]),
        ("RTP/AVPF", none, [Ok(None), Ok(None), Err(302)]),
        ("RTP/AVP", one, [Ok(None), long, long]),
        ("RTP/AVPF", one, [Ok(None), long, long]),
        ("RTP/SAVP", one, [Err(302), long, long]),
        ("RTP/SAVPF", one, [Err(302), long, long]),
        ("RTP/SAVP", none, [Err(302), Err(306), Err(306)]),
        ("UDP/TLS/RTP/SAVPF", one, [Err(302), Err(306), Err(306)]),
    ] {
        for (srtp, expected) in
            [(Srtp::Off, off), (Srtp::Optional, optional), (Srtp::Required, required)]
        {
            assert_eq!(suite(proto, crypto, srtp), expected, "{proto} {crypto:?} {srtp:?}");
        }
    }
}

#[test]
fn one_line_is_answered_with_its_tag_its_profile_and_our_own_key() {
    for (line, suite) in [
        (format!("7 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31"), SrtpSuite::AesCm128HmacSha1_80),
        (format!("42 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"), SrtpSuite::AesCm128HmacSha1_32),
        (format!("3 AEAD_AES_128_GCM inline:{GCM_KEY}"), SrtpSuite::AeadAes128Gcm),
    ] {
        for proto in ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"] {
            let other = format!("9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
            let made = agreed(proto, &[&line, &other], Srtp::Optional).unwrap();
            assert_eq!(media_lines(&made.body), [format!("m=audio 16384 {proto} 0")]);
            let keying = made.negotiated.protection.keying().unwrap().clone();
            assert_eq!(keying.suite, suite);
            assert_eq!(keying.rx.key(), b"ABCDEFGHIJKLMNOP");
            assert_eq!(keying.rx.salt()[..12], *b"QRSTUVWXYZab");
            assert_eq!(keying.tx, *local().keys.of(suite));
            let [answered] = crypto_lines(&made.body).try_into().unwrap();
            let tag = line.split(' ').next().unwrap();
            let head = format!("a=crypto:{tag} {} inline:", suite.name());
            assert!(answered.starts_with(&head) && !answered.contains(KEY), "{answered}");
            // As the peer reads it.
            let read = agreed("RTP/SAVP", &[&answered[9..]], Srtp::Required).unwrap();
            assert_eq!(read.negotiated.protection.keying().unwrap().rx, keying.tx);
        }
    }
}

#[test]
fn a_line_that_cannot_be_used_is_skipped_and_the_next_one_taken() {
    let usable = format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    for wrong in [
        "".to_owned(),
        "1".to_owned(),
        "1 AES_CM_128_HMAC_SHA1_32".to_owned(),
        format!("x AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
        format!("+1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
        format!("1234567890 AES_CM_128_HMAC_SHA1_32 inline:{KEY}"),
        format!("1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_32 outline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{}", &KEY[4..]),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}QUJD"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{}!", &KEY[1..]),
        format!("1 AEAD_AES_128_GCM inline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{GCM_KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20|1:4"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|1:4"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|soon"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY} UNENCRYPTED_SRTP"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY} UNENCRYPTED_SRTCP"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY} KDR=1"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY} WSH=many"),
        format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY} FEC_ORDER=FEC_SRTP"),
    ] {
        let found = suite("RTP/SAVP", &[&wrong, &usable], Srtp::Optional);
        assert_eq!(found, Ok(Some(SrtpSuite::AesCm128HmacSha1_80)), "{wrong}");
        assert_eq!(suite("RTP/SAVP", &[&wrong], Srtp::Optional), Err(306), "{wrong}");
        // With a profile that does not want keys there is no harm.
        assert_eq!(suite("RTP/AVP", &[&wrong], Srtp::Optional), Ok(None), "{wrong}");
    }
}

#[test]
fn lifetimes_hints_and_what_is_marked_as_no_matter_are_let_pass() {
    for line in [
        format!("1 aes_cm_128_hmac_sha1_80  INLINE:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^48"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1048576"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=1024 -SOMETHING=else"),
        format!("1 AEAD_AES_128_GCM inline:{}", GCM_KEY.trim_end_matches('=')),
    ] {
        assert!(suite("RTP/SAVP", &[&line], Srtp::Required).is_ok_and(|s| s.is_some()), "{line}");
    }
}

#[test]
fn of_two_lines_the_encrypted_one_is_taken_where_that_may_be() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let offer = sdp(&["m=audio 6000 RTP/AVP 0", "m=audio 6002 RTP/SAVP 0", &crypto]);
    let made = |srtp| answer(&offer, &with(srtp), &local(), 1, false).unwrap();
    for srtp in [Srtp::Optional, Srtp::Required] {
        let lines = media_lines(&made(srtp).body);
        assert_eq!(lines, ["m=audio 0 RTP/AVP 0", "m=audio 16384 RTP/SAVP 0"]);
    }
    let lines = media_lines(&made(Srtp::Off).body);
    assert_eq!(lines, ["m=audio 16384 RTP/AVP 0", "m=audio 0 RTP/SAVP 0"]);
}

#[test]
fn an_offer_of_ours_is_answered_and_both_have_each_others_keys() {
    let keys = Keys::random(&mut Entropy::new([9; 32]));
    let peer = Local { port: 20_000, keys, ..local() };
    for (ours, theirs, expected) in [
        (Srtp::Required, Srtp::Required, "RTP/SAVP"),
        (Srtp::Required, Srtp::Optional, "RTP/SAVP"),
        (Srtp::Optional, Srtp::Required, "RTP/AVP"),
        (Srtp::Optional, Srtp::Optional, "RTP/AVP"),
    ] {
        let offer = offer(&with(ours), &local(), 1, Direction::SendRecv);
        assert_eq!(crypto_lines(&offer).len(), 3);
        assert!(media_lines(&offer)[0].contains(expected));
        let made = answer(&offer, &with(theirs), &peer, 1, false).unwrap();
        let accepted = accept(&with(ours), &local(), &made.body).unwrap();
        let accepted = accepted.protection.keying().unwrap();
        let answered = made.negotiated.protection.keying().unwrap().clone();
        assert_eq!(accepted.suite, SrtpSuite::AesCm128HmacSha1_80);
        assert_eq!((&accepted.tx, &accepted.rx), (&answered.rx, &answered.tx));
        assert_ne!(accepted.tx, accepted.rx);
    }
    let plain = offer(&with(Srtp::Off), &local(), 1, Direction::SendRecv);
    assert!(crypto_lines(&plain).is_empty());
    // A peer that knows no keys.
    let optional = offer(&with(Srtp::Optional), &local(), 1, Direction::SendRecv);
    let made = answer(&optional, &with(Srtp::Off), &peer, 1, false).unwrap();
    let accepted = accept(&with(Srtp::Optional), &local(), &made.body).unwrap();
    assert_eq!(accepted.protection, Protection::Plain);
    let refused = accept(&with(Srtp::Required), &local(), &made.body).unwrap_err();
    assert_eq!(refused.warning_code, 306);
}

#[test]
fn an_answer_needs_a_key_of_the_offer() {
    let read = |proto: &str, crypto: &str, srtp| {
        let media = format!("m=audio 6000 {proto} 0");
        let body = sdp(&[&media, &format!("a=crypto:{crypto}")]);
        let accepted = accept(&with(srtp), &local(), &body);
        accepted
            .map(|agreed| agreed.protection.keying().map(|k| k.suite))
            .map_err(|r| r.warning_code)
    };
    let first = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let long = Ok(Some(SrtpSuite::AesCm128HmacSha1_80));
    assert_eq!(read("RTP/SAVP", &first, Srtp::Required), long);
    assert_eq!(read("RTP/SAVP", &first, Srtp::Optional), long);
    assert_eq!(read("RTP/AVP", &first, Srtp::Required), long);
    let gcm = format!("2 AEAD_AES_128_GCM inline:{GCM_KEY}");
    assert_eq!(read("RTP/AVP", &gcm, Srtp::Optional), Ok(Some(SrtpSuite::AeadAes128Gcm)));
    for wrong in [
        format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
        format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[4..]),
    ] {
        // Who answers with a key encrypts: that is not taken for plain sound.
        assert_eq!(read("RTP/AVP", &wrong, Srtp::Optional), Err(306), "{wrong}");
        assert_eq!(read("RTP/SAVP", &wrong, Srtp::Required), Err(306), "{wrong}");
    }
    assert_eq!(read("RTP/AVP", &first, Srtp::Off), Ok(None));
    assert_eq!(read("RTP/SAVP", &first, Srtp::Off), Err(302));
}

#[test]
fn a_key_that_is_given_up_is_another_one_afterwards() {
    let mut keys = local().keys;
    let before = keys.clone();
    keys.renew(SrtpSuite::AeadAes128Gcm, &mut Entropy::new([1; 32]));
    assert_ne!(keys.of(SrtpSuite::AeadAes128Gcm), before.of(SrtpSuite::AeadAes128Gcm));
    assert_eq!(keys.of(SrtpSuite::AesCm128HmacSha1_80), before.of(SrtpSuite::AesCm128HmacSha1_80));
}

#[test]
fn without_its_keys_a_description_means_the_same() {
    let crypto = [
        format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|2:4"),
        format!("a=crypto:2 AES_CM_128_HMAC_SHA1_32 INLINE:{KEY}|2^31 WSH=128"),
        format!("a=crypto:3 AEAD_AES_128_GCM inline:{GCM_KEY}"),
    ];
    let lines: Vec<&str> = std::iter::once("m=audio 6000 RTP/SAVP 0 8")
        .chain(crypto.iter().map(String::as_str))
        .chain(["a=ptime:20"])
        .collect();
    let offer = sdp(&lines);
    let masked = without_keys(&offer);
    assert_eq!(masked.len(), offer.len());
    let text = String::from_utf8(masked.clone()).unwrap();
    assert!(!text.contains("QUJD") && !text.contains("YWVp") && text.contains("|2^31 WSH=128"));
    let [of_offer, of_masked] = [&offer, &masked]
        .map(|offer| answer(offer, &with(Srtp::Required), &local(), 1, false).unwrap());
    assert_eq!(of_offer.body, of_masked.body);
    let nothing = SrtpKey::new(SrtpSuite::AesCm128HmacSha1_32, &[0; 30]).unwrap();
    assert_eq!(of_masked.negotiated.protection.keying().unwrap().rx, nothing);
    assert_eq!(without_keys(b"inline:"), b"inline:");
    assert_eq!(without_keys(b"inline:abc"), b"inline:AAA");
    assert_eq!(without_keys(b"no keys in here"), b"no keys in here");
    assert!(!format!("{of_offer:?} {:?}", local()).contains("QUJD"));
}
