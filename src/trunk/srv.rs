//! SRV records: what is asked of a name server, what it answers, and in which order servers are tried
//! (RFC 1035 section 4, RFC 2782, RFC 3263 section 4.2).
//!
//! An account names its transport, so NAPTR, which would choose one, is not asked (RFC 3263 section
//! 4.1). Nothing received can panic or make us read in circles; what is not whole is left out.

use crate::base::Entropy;

/// Records of one answer that are looked at.
const RECORDS: usize = 16;
/// Pointers in one name.
const JUMPS: usize = 16;
/// The largest answer by UDP that we say we take: it passes everywhere unfragmented.
pub const DATAGRAM_BYTES: u16 = 1_232;
const HEADER_BYTES: usize = 12;
const SRV: u16 = 33;
const OPT: u16 = 41;
const INTERNET: u16 = 1;

/// One server of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Without a dot at the end; empty: the service is decidedly not there.
    pub target: String,
}

/// What a name server says of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As they came; empty: there are none.
    pub records: Vec<Record>,
    /// The least time that one of them stays right, in seconds.
    pub ttl_s: u32,
}

/// The question for the SRV records of `name`; `None` if that is no name.
pub fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    // Recursion desired; one question, one additional record.
    for word in [id, 0x0100, 1, 0, 0, 1] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    if bytes.len() - HEADER_BYTES > 255 {
        return None;
    }
    for word in [SRV, INTERNET] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    // RFC 6891: the root, OPT, our size, nothing else.
    bytes.push(0);
    for word in [OPT, DATAGRAM_BYTES, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    Some(bytes)
}

/// Reads the answer to [`question`]; `None` if it is none, or says that the name server failed.
pub fn answer(id: u16, name: &str, bytes: &[u8]) -> Option<Answer> {
    let (flags, count) = (word(bytes, 2)?, word(bytes, 6)?);
    let (is_answer, code) = (flags & 0xF800 == 0x8000, flags & 0x000F);
    if word(bytes, 0)? != id || !is_answer || word(bytes, 4)? != 1 {
        return None;
    }
    let (asked, at) = read_name(bytes, HEADER_BYTES)?;
    let is_same = asked.eq_ignore_ascii_case(name.trim_end_matches('.'));
    if !is_same || word(bytes, at)? != SRV || word(bytes, at + 2)? != INTERNET {
        return None;
    }
    match code {
        0 => Some(records(bytes, at + 4, count)),
        // There is no such name.
        3 => Some(Answer { records: Vec::new(), ttl_s: 0 }),
        _ => None,
    }
}

/// The whole ones of the answer's records; others stand among them, as those of an alias.
fn records(bytes: &[u8], mut at: usize, count: u16) -> Answer {
    let mut answer = Answer { records: Vec::new(), ttl_s: u32::MAX };
    for _ in 0..count {
        let Some((kind, ttl_s, data, next)) = record(bytes, at) else { break };
        at = next;
        if kind != SRV || answer.records.len() == RECORDS {
            continue;
        }
        let Some(record) = service(bytes, data) else { continue };
        answer.ttl_s = answer.ttl_s.min(ttl_s);
        answer.records.push(record);
    }
    if answer.records.is_empty() {
        answer.ttl_s = 0;
    }
    answer
}

/// Kind, time to live, where its data stand, and where the next record begins.
fn record(bytes: &[u8], at: usize) -> Option<(u16, u32, usize, usize)> {
    let (_, at) = read_name(bytes, at)?;
    let (kind, class, length) = (word(bytes, at)?, word(bytes, at + 2)?, word(bytes, at + 8)?);
    let ttl_s = u32::from(word(bytes, at + 4)?) << 16 | u32::from(word(bytes, at + 6)?);
    let data = at + 10;
    let next = data + usize::from(length);
    bytes.get(data..next)?;
    let kind = if class == INTERNET { kind } else { 0 };
    Some((kind, ttl_s, data, next))
}

fn service(bytes: &[u8], at: usize) -> Option<Record> {
    let (target, _) = read_name(bytes, at + 6)?;
    let (priority, weight, port) = (word(bytes, at)?, word(bytes, at + 2)?, word(bytes, at + 4)?);
    Some(Record { priority, weight, port, target })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([*pair.first()?, *pair.last()?]))
}

/// A name and what follows it. Of a label only what a host name may hold is taken.
fn read_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut name, mut end, mut jumps) = (String::new(), None, 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        match length {
            0 => return Some((name, end.unwrap_or(at + 1))),
            1..=63 => {
                let label = bytes.get(at + 1..at + 1 + length)?;
                let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
                if !label.iter().all(fits) || name.len() + length > 255 {
                    return None;
                }
                if !name.is_empty() {
                    name.push('.');
                }
                name.extend(label.iter().map(|byte| char::from(*byte)));
                at += 1 + length;
            }
            192.. if jumps < JUMPS => {
                jumps += 1;
                end.get_or_insert(at + 2);
                at = usize::from(word(bytes, at)? & 0x3FFF);
            }
            _ => return None,
        }
    }
}

/// The records in the order in which they are to be tried: the lower priority first, and among
/// equals by chance, as their weights say (RFC 2782).
pub fn ordered(mut records: Vec<Record>, entropy: &mut Entropy) -> Vec<Record> {
    // Those without weight come first, so that they have a small chance.
    records.sort_by_key(|record| (record.priority, record.weight > 0));
    let mut ordered = Vec::new();
    while let Some(priority) = records.first().map(|record| record.priority) {
        let equals = records.iter().take_while(|record| record.priority == priority);
        let weights: Vec<u32> = equals.map(|record| u32::from(record.weight)).collect();
        let total: u32 = weights.iter().sum();
        let chance = entropy.next_u32() % (total + 1);
        let mut sum = 0;
        let chosen = weights.iter().position(|weight| {
            sum += weight;
            sum >= chance
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "_sip._udp.example.net";

    /// An answer with these records, the names of their targets pointing into the question.
    fn answered(id: u16, records: &[(u16, u16, u16, &str)], flags: u16) -> Vec<u8> {
        let mut bytes = question(id, NAME).unwrap();
        bytes.truncate(bytes.len() - 11);
        let count = u16::try_from(records.len()).unwrap();
        for (at, word) in [(2, flags), (6, count), (10, 0)] {
            bytes[at..at + 2].copy_from_slice(&word.to_be_bytes());
        }
        for (priority, weight, port, label) in records {
            let mut data = Vec::new();
            for word in [priority, weight, port] {
                data.extend_from_slice(&word.to_be_bytes());
            }
            if !label.is_empty() {
                data.push(label.len() as u8);
                data.extend_from_slice(label.as_bytes());
                // example.net of the question.
                data.extend_from_slice(&[0xC0, 22]);
            } else {
                data.push(0);
            }
            bytes.extend_from_slice(&[0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 90]);
            bytes.extend_from_slice(&(data.len() as u16).to_be_bytes());
            bytes.extend_from_slice(&data);
        }
        bytes
    }

    #[test]
    fn a_question_is_asked_as_rfc_1035_has_it() {
        let bytes = question(0x1234, "_sip._udp.a.de.").unwrap();
        let expected =
            b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x04_sip\x04_udp\x01a\x02de\0\0\x21\0\x01\
            \0\0\x29\x04\xD0\0\0\0\0\0\0";
        assert_eq!(bytes, expected);
        let long = "a".repeat(64);
        for wrong in ["", "a..b", long.as_str(), &"a.".repeat(128)] {
            assert_eq!(question(1, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_with_its_compressed_names() {
        let bytes = answered(7, &[(10, 60, 5060, "big"), (20, 0, 5070, "old")], 0x8180);
        let answer = answer(7, NAME, &bytes).unwrap();
        let record = |priority, weight, port, target: &str| Record {
            priority,
            weight,
            port,
            target: target.to_owned(),
        };
        let expected =
            [record(10, 60, 5060, "big.example.net"), record(20, 0, 5070, "old.example.net")];
        assert_eq!((answer.records.as_slice(), answer.ttl_s), (expected.as_slice(), 90));
    }

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let records = [(1, 1, 5060, "a")];
        let sound = answered(7, &records, 0x8180);
        assert!(answer(7, &NAME.to_uppercase(), &sound).is_some());
        assert_eq!(answer(8, NAME, &sound), None, "another one's");
        assert_eq!(answer(7, "_sip._tcp.example.net", &sound), None, "another name");
        assert_eq!(answer(7, NAME, &answered(7, &records, 0x0180)), None, "a question");
        assert_eq!(answer(7, NAME, &answered(7, &records, 0x8182)), None, "it failed");
        let nobody = answer(7, NAME, &answered(7, &[], 0x8183)).unwrap();
        assert!(nobody.records.is_empty());
        let not_offered = answer(7, NAME, &answered(7, &[(0, 0, 0, "")], 0x8180)).unwrap();
        assert_eq!(not_offered.records[0].target, "");
    }

    #[test]
    fn nothing_received_panics_or_turns_in_circles() {
        let sound = answered(7, &[(1, 1, 5060, "a"), (2, 2, 5062, "b")], 0x8180);
        for length in 0..sound.len() {
            let cut = answer(7, NAME, &sound[..length]);
            assert!(cut.is_none_or(|answer| answer.records.len() < 2), "{length}");
        }
        let mut entropy = Entropy::new([3; 32]);
        for _ in 0..20_000 {
            let mut bytes = sound.clone();
            for _ in 0..1 + entropy.next_u32() % 6 {
                let at = entropy.next_u32() as usize % bytes.len();
                bytes[at] = entropy.next_u16() as u8;
            }
            let _ = answer(7, NAME, &bytes);
        }
        // A name that points at itself.
        let mut bytes = sound;
        let at = HEADER_BYTES as u8;
        bytes[usize::from(at)..usize::from(at) + 2].copy_from_slice(&[0xC0, at]);
        assert_eq!(answer(7, NAME, &bytes), None);
    }

    #[test]
    fn the_lower_priority_is_first_and_weights_share_the_rest() {
        let record =
            |priority, weight, port| Record { priority, weight, port, target: "t".to_owned() };
        let all = vec![record(20, 0, 3), record(10, 75, 1), record(10, 25, 2), record(10, 0, 4)];
        let mut entropy = Entropy::new([5; 32]);
        let mut first = [0; 5];
        for _ in 0..1_000 {
            let ordered = ordered(all.clone(), &mut entropy);
            assert_eq!((ordered.len(), ordered[3].port), (4, 3));
            first[usize::from(ordered[0].port)] += 1;
        }
        assert!((680..820).contains(&first[1]) && (180..320).contains(&first[2]), "{first:?}");
        assert!(first[4] > 0 && first[4] < 40, "{first:?}");
    }
}
