//! Fragments of descriptions with candidates, and with a new name and password of ICE (RFC 8840 section 9).

use super::candidate::Candidate;
use crate::base::{Private, limits};

/// What a fragment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Name and password, of which the second may be left out.
    pub name: Option<String>,
    pub password: Option<Private<String>>,
    /// The values of `a=candidate:`.
    pub candidates: Vec<Private<String>>,
    /// No more will come.
    pub is_end: bool,
}

impl Fragment {
    /// What is wrong is told in words for whoever sent it.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        if body.len() > limits::WEBRTC_FRAGMENT_BYTES {
            return Err("the fragment is too long");
        }
        let text = std::str::from_utf8(body).map_err(|_| "the fragment is not UTF-8")?;
        let mut fragment = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !matches!(line.as_bytes(), [b'a' | b'm', b'=', ..]) {
                return Err("a fragment has a= and m= lines only");
            }
            let Some(attribute) = line.strip_prefix("a=") else { continue };
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            match name {
                "ice-ufrag" => fragment.name = Some(credential(value, 4)?),
                "ice-pwd" => fragment.password = Some(Private::new(credential(value, 22)?)),
                "candidate" => {
                    if fragment.candidates.len() >= limits::WEBRTC_CANDIDATES {
                        return Err("too many candidates");
                    }
                    Candidate::parse(value).ok_or("a candidate that is none")?;
                    fragment.candidates.push(Private::new(value.to_owned()));
                }
                "end-of-candidates" => fragment.is_end = true,
                _ => {}
            }
        }
        Ok(fragment)
    }
}

/// RFC 8839 section 5.4.
fn credential(value: &str, least: usize) -> Result<String, &'static str> {
    let is_ice = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let fits = (least..=limits::SDP_CREDENTIAL_BYTES).contains(&value.len());
    match fits && value.chars().all(is_ice) {
        true => Ok(value.to_owned()),
        false => Err("a name or password of ICE that is none"),
    }
}

/// What of our answer goes back after a restart: the way, and nothing of the sound.
pub(super) fn of_answer(answer: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let mut out = String::new();
    let mut is_kept = true;
    for line in text.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            is_kept = media.split_ascii_whitespace().nth(1) != Some("0");
        }
        let names = ["ice-", "candidate:", "end-of-candidates", "mid:", "group:"];
        let is_way = |attribute: &str| names.iter().any(|name| attribute.starts_with(name));
        let is_of_use = line.starts_with("m=") || line.strip_prefix("a=").is_some_and(is_way);
        if is_kept && is_of_use {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAGMENT: &str = "a=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
        a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
        a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0\r\n\
        a=end-of-candidates\r\n";

    #[test]
    fn a_browsers_fragment_is_read() {
        let read = Fragment::parse(FRAGMENT.as_bytes()).unwrap();
        assert_eq!(read.name.as_deref(), Some("EsAw"));
        assert!(read.password.is_some() && read.is_end);
        assert_eq!(read.candidates.len(), 1);
        assert_eq!(Fragment::parse(b"").unwrap(), Fragment::default());
    }

    #[test]
    fn garbage_is_refused_with_the_reason() {
        let many = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(200);
        for (body, reason) in [
            (&b"a=candidate:rubbish"[..], "candidate"),
            (b"a=ice-ufrag:a b\r\n", "name or password"),
            (b"a=ice-ufrag:abc\r\n", "name or password"),
            (b"a=ice-pwd:short\r\n", "name or password"),
            (b"v=0\r\n", "lines only"),
            (b"GET / HTTP/1.1", "lines only"),
            (b"\xff\xfe", "UTF-8"),
            (many.as_bytes(), "too"),
            (&[b'a'; 100_000], "too long"),
        ] {
            let told = Fragment::parse(body).unwrap_err();
            assert!(told.contains(reason), "{told}");
        }
    }

    #[test]
    fn of_an_answer_the_way_alone_goes_back() {
        let answer = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\na=group:BUNDLE 0\r\na=ice-lite\r\n\
            m=audio 4000 UDP/TLS/RTP/SAVPF 111\r\na=fingerprint:sha-256 AB\r\na=ice-ufrag:abcd\r\n\
            a=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 192.0.2.1 4000 typ host\r\n\
            a=rtpmap:111 opus/48000/2\r\na=mid:0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n";
        let text = String::from_utf8(of_answer(answer.as_bytes())).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..3],
            ["a=group:BUNDLE 0", "a=ice-lite", "m=audio 4000 UDP/TLS/RTP/SAVPF 111"]
        );
        assert_eq!(lines.len(), 7, "{text}");
        assert!(
            text.contains("a=ice-pwd") && !text.contains("fingerprint") && text.contains("a=mid:0")
        );
    }
}
