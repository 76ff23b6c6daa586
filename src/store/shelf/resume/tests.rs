use super::*;

const ADDRESS: &str = "https://example.org/m.bin";
const HASH: Option<[u8; 32]> = Some([7; 32]);

fn address() -> Address {
    Address::parse(ADDRESS).unwrap()
}

fn note(validator: Option<&str>, synced: u64) -> Option<Note> {
    let validator = validator.map(str::to_owned);
    Some(Note { address: ADDRESS.to_owned(), validator, total: Some(100), synced })
}

fn ask(from: u64, if_range: Option<&str>) -> Step {
    Step::Ask(Request { from, if_range: if_range.map(str::to_owned) })
}

#[test]
fn what_is_asked_for_depends_on_what_is_there_and_how_far_it_can_be_trusted() {
    let elsewhere = Some(Note { address: "https://other.org/m".to_owned(), ..Note::default() });
    let cases = [
        ("nothing yet", 0, None, HASH, ask(0, None)),
        ("begun", 40, note(Some("\"a\""), 32), HASH, ask(40, Some("\"a\""))),
        ("begun without a mark", 40, note(None, 32), HASH, ask(40, None)),
        ("begun from elsewhere", 40, elsewhere.clone(), HASH, ask(40, None)),
        ("begun without a note", 40, None, HASH, ask(40, None)),
        ("all there", 100, note(Some("\"a\""), 0), HASH, Step::Verify),
        ("too much", 101, note(Some("\"a\""), 0), HASH, ask(0, None)),
        (
            "no hash: only what is on the disk",
            40,
            note(Some("\"a\""), 32),
            None,
            ask(32, Some("\"a\"")),
        ),
        ("no hash: nothing is on the disk", 40, note(Some("\"a\""), 0), None, ask(0, None)),
        ("no hash, no mark", 40, note(None, 32), None, ask(0, None)),
        ("no hash, from elsewhere", 40, elsewhere, None, ask(0, None)),
        ("no hash, no note", 40, None, None, ask(0, None)),
        ("no hash, all there and on the disk", 100, note(Some("\"a\""), 100), None, Step::Verify),
        (
            "no hash, all there, the end not on the disk",
            100,
            note(Some("d"), 64),
            None,
            ask(64, Some("d")),
        ),
    ];
    for (case, bytes, note, sha256, expected) in cases {
        let wanted = Wanted { bytes: Some(100), sha256 };
        assert_eq!(step(&Begun { bytes, note }, &address(), &wanted), expected, "{case}");
    }
    // The length may be known from the server alone.
    let begun = Begun { bytes: 100, note: note(Some("\"a\""), 100) };
    assert_eq!(step(&begun, &address(), &Wanted::default()), Step::Verify);
    let begun = Begun { bytes: 100, note: None };
    assert_eq!(step(&begun, &address(), &Wanted { bytes: None, sha256: HASH }), ask(100, None));
}

fn head(status: u16) -> Head {
    Head { status, ..Head::default() }
}

fn length(status: u16, bytes: u64) -> Head {
    Head { content_length: Some(bytes), ..head(status) }
}

fn range(text: &str) -> Head {
    Head { content_range: Some(text.to_owned()), ..head(206) }
}

fn verdict(from: u64, head: &Head, wanted: Wanted) -> Verdict {
    let mark = (from > 0).then(|| "\"a\"".to_owned());
    let begun = Begun { bytes: from, note: note(mark.as_deref(), from) };
    judge(&Request { from, if_range: mark }, head, &begun, &wanted)
}

#[test]
fn a_whole_file_must_have_the_length_that_is_known() {
    let known = Wanted { bytes: Some(100), sha256: HASH };
    let hash = Wanted { bytes: None, sha256: HASH };
    let nothing = Wanted::default();
    let fresh = |total| Verdict::Fresh { total };
    let refuse = Verdict::Refuse;
    for (case, head, wanted, expected) in [
        ("as known", length(200, 100), known, fresh(Some(100))),
        ("no length", head(200), known, fresh(Some(100))),
        ("another", length(200, 99), known, refuse(Refusal::Size { server: 99, wanted: 100 })),
        ("learnt", length(200, 99), nothing, fresh(Some(99))),
        ("unknown, but hashed", head(200), hash, fresh(None)),
        ("unknown", head(200), nothing, refuse(Refusal::NoLength)),
        (
            "monstrous",
            length(200, u64::MAX),
            nothing,
            refuse(Refusal::Size { server: u64::MAX, wanted: limits::MODEL_BYTES }),
        ),
    ] {
        // A 200 means the whole file also where a part was asked for.
        for from in [0, 40] {
            assert_eq!(verdict(from, &head, wanted), expected, "{case}, from {from}");
        }
    }
    let packed = Head { content_encoding: Some("gzip".to_owned()), ..length(200, 100) };
    assert_eq!(verdict(0, &packed, known), refuse(Refusal::Encoded));
}

#[test]
fn a_part_must_be_the_one_that_was_asked_for_of_the_same_file() {
    let known = Wanted { bytes: Some(100), sha256: HASH };
    let append = Verdict::Append { total: 100 };
    let part = Verdict::Refuse(Refusal::Part);
    let tagged = |tag: &str| Head { etag: Some(tag.to_owned()), ..range("bytes 40-99/100") };
    let long = |bytes| Head { content_length: Some(bytes), ..range("bytes 40-99/100") };
    for (case, from, head, expected) in [
        ("the rest", 40, range("bytes 40-99/100"), append.clone()),
        ("some of the rest", 40, range("bytes 40-49/100"), append.clone()),
        ("of an unknown length", 40, range("bytes 40-99/*"), append.clone()),
        ("the same mark", 40, tagged("\"a\""), append.clone()),
        ("a right length", 40, long(60), append),
        ("another mark", 40, tagged("\"b\""), Verdict::StartOver),
        ("a wrong length", 40, long(61), Verdict::StartOver),
        ("over the end", 40, range("bytes 40-100/*"), Verdict::StartOver),
        ("another place", 40, range("bytes 0-99/100"), part.clone()),
        ("a gap", 40, range("bytes 41-99/100"), part.clone()),
        ("nothing was asked", 0, range("bytes 0-99/100"), part.clone()),
        ("no range", 40, head(206), part.clone()),
        ("nonsense", 40, range("bytes 40-+99/100"), part.clone()),
        ("backwards", 40, range("bytes 40-39/100"), part.clone()),
        ("past its own end", 40, range("bytes 40-100/100"), part.clone()),
        ("other units", 40, range("lines 40-99/100"), part),
        (
            "another file",
            40,
            range("bytes 40-98/99"),
            Verdict::Refuse(Refusal::Size { server: 99, wanted: 100 }),
        ),
    ] {
        assert_eq!(verdict(from, &head, known), expected, "{case}");
    }
    // Of a file that is being learnt, the first answer's length counts.
    let other = range("bytes 40-98/99");
    assert_eq!(verdict(40, &other, Wanted::default()), Verdict::StartOver);
}

#[test]
fn other_answers_are_followed_waited_for_or_refused() {
    let moved = |status| Head { location: Some("/b".to_owned()), ..head(status) };
    let later = |status| Verdict::Later { status, retry_after_s: None };
    for (case, from, head, expected) in [
        ("moved", 0, moved(302), Verdict::Follow("/b".to_owned())),
        ("moved for ever", 40, moved(308), Verdict::Follow("/b".to_owned())),
        ("moved nowhere", 0, head(302), Verdict::Refuse(Refusal::Status(302))),
        ("not modified", 0, head(304), Verdict::Refuse(Refusal::Status(304))),
        ("nothing after the end", 40, head(416), Verdict::StartOver),
        ("no range was asked", 0, head(416), Verdict::Refuse(Refusal::Status(416))),
        ("missing", 0, head(404), Verdict::Refuse(Refusal::Status(404))),
        ("forbidden", 0, head(403), Verdict::Refuse(Refusal::Status(403))),
        ("busy", 0, head(503), later(503)),
        ("too many", 0, head(429), later(429)),
        ("no content", 0, head(204), Verdict::Refuse(Refusal::Status(204))),
    ] {
        assert_eq!(verdict(from, &head, Wanted::default()), expected, "{case}");
    }
}

#[test]
fn only_a_mark_that_tells_versions_apart_counts() {
    let marks = |etag: Option<&str>, date: Option<&str>| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        validator(&Head { etag: own(etag), last_modified: own(date), ..head(200) })
    };
    assert_eq!(marks(Some("\"a\""), Some("d")).as_deref(), Some("\"a\""));
    assert_eq!(marks(Some("W/\"a\""), Some("d")).as_deref(), Some("d"));
    assert_eq!(marks(Some("W/\"a\""), None), None);
    assert_eq!(marks(None, None), None);
}
