use super::*;

fn code(text: &str) -> LanguageCode {
    LanguageCode::new(text).unwrap()
}

fn language(text: &str) -> Choice {
    Choice::Language(code(text))
}

fn rules() -> Rules {
    Rules {
        called: vec![("ru".into(), language("ru")), ("+74951234567".into(), language("ru"))],
        callers: vec![
            ("7".into(), language("ru")),
            ("77".into(), language("kk")),
            ("49".into(), language("de")),
            ("1".into(), language("es")),
        ],
        listen: vec![
            (Transport::Udp, "0.0.0.0:5070".parse().unwrap(), Choice::Detect),
            (Transport::Tcp, "192.0.2.1:5060".parse().unwrap(), language("de")),
        ],
        otherwise: language("en"),
    }
}

#[test]
fn the_rule_goes_from_the_called_number_to_the_default() {
    let udp = (Transport::Udp, "192.0.2.1:5060");
    let table = [
        // Called, caller, where it came in, chosen.
        ("desk", None, udp, language("en")),
        ("ru", None, udp, language("ru")),
        ("RU", Some("+4930123456"), udp, language("ru")),
        ("74951234567", None, udp, language("ru")),
        ("+7 (495) 123-45-67", None, udp, language("ru")),
        ("desk", Some("+79161234567"), udp, language("ru")),
        ("desk", Some("0079161234567"), udp, language("ru")),
        ("desk", Some("79161234567"), udp, language("ru")),
        ("desk", Some("+77011234567"), udp, language("kk")),
        ("desk", Some("4930123456789"), udp, language("de")),
        // North America's numbers by their 1, as some of its trunks send them and others do not.
        ("desk", Some("+12125550123"), udp, language("es")),
        ("desk", Some("12125550123"), udp, language("es")),
        ("desk", Some("0012125550123"), udp, language("es")),
        ("desk", Some("2125550123"), udp, language("en")),
        // Ten digits are no country's number, whatever they begin with.
        ("desk", Some("7185550123"), udp, language("en")),
        ("desk", Some("1305550123"), udp, language("en")),
        // From 16 digits on it is no telephone number.
        ("desk", Some("7916123456789012"), udp, language("en")),
        // An extension, a national number and no number are nobody's prefix.
        ("desk", Some("701"), udp, language("en")),
        ("desk", Some("0491234567890"), udp, language("en")),
        ("desk", Some("anonymous"), udp, language("en")),
        ("desk", Some("+"), udp, language("en")),
        ("desk", None, (Transport::Udp, "192.0.2.9:5070"), Choice::Detect),
        ("desk", None, (Transport::Tcp, "192.0.2.9:5070"), language("en")),
        ("desk", None, (Transport::Tcp, "192.0.2.1:5060"), language("de")),
        ("desk", Some("+79161234567"), (Transport::Udp, "192.0.2.9:5070"), language("ru")),
        ("ru", Some("+4930123456"), (Transport::Udp, "192.0.2.9:5070"), language("ru")),
    ];
    for (called, caller, (transport, local), expected) in table {
        let known = Known {
            called: Private::new(vec![called.to_owned()]),
            caller: Private::new(caller.map(str::to_owned)),
            local: Some((transport, local.parse().unwrap())),
        };
        assert_eq!(rules().choose(&known), expected, "{called} {caller:?} {local}");
        assert!(!format!("{known:?}").contains("7916"));
    }
}

fn tongues() -> Tongues {
    let tongue = |code: &str| {
        let code = LanguageCode::new(code).unwrap();
        Tongue { code, playbook: Arc::new(Playbook::shipped(code).unwrap()) }
    };
    Tongues::new(tongue("en"), [tongue("ru")])
}

#[test]
fn what_the_engine_lacks_makes_a_call_simpler_and_never_dead() {
    let (en, ru) = (code("en"), code("ru"));
    let manner = |heard: &[LanguageCode], mute: &[LanguageCode], choice| {
        Abilities { heard: heard.to_vec(), mute: mute.to_vec() }.manner(choice, &tongues())
    };
    assert_eq!(manner(&[en, ru], &[], language("ru")), Manner::plain(ru));
    assert_eq!(
        manner(&[en], &[], language("ru")),
        Manner { ears: Ears::Closed, ..Manner::plain(ru) }
    );
    assert_eq!(manner(&[en], &[ru], language("ru")), Manner::plain(en));
    assert_eq!(manner(&[en], &[], Choice::Detect), Manner::plain(en));
    let both = Manner { ears: Ears::Detecting(vec![en, ru]), ..Manner::plain(en) };
    assert_eq!(manner(&[en, ru], &[], Choice::Detect), both);
    assert_eq!(manner(&[en, ru], &[ru], Choice::Detect), Manner::plain(en));
}

#[test]
fn the_language_changes_once_early_and_only_when_it_is_plain() {
    let (en, ru) = (code("en"), code("ru"));
    type Heard = Option<(LanguageCode, f32)>;
    let table: [(&[Heard], &[Option<LanguageCode>]); 7] = [
        (&[Some((ru, 0.95)), Some((en, 0.99))], &[Some(ru), None]),
        (&[Some((en, 0.9)), Some((ru, 0.99))], &[None, None]),
        (&[Some((ru, 0.6)), Some((ru, 0.7))], &[None, Some(ru)]),
        (&[Some((ru, 0.6)), Some((en, 0.6)), Some((ru, 0.6)), Some((ru, 0.9))], &[None; 4]),
        (&[None, Some((ru, 0.85))], &[None, Some(ru)]),
        (&[Some((ru, 0.3)), Some((ru, 0.3)), Some((ru, 0.3)), Some((ru, 0.99))], &[None; 4]),
        (&[Some((ru, 0.4)), Some((ru, 0.6)), Some((ru, 0.6))], &[None, None, Some(ru)]),
    ];
    for (turns, expected) in table {
        let manner = Manner { ears: Ears::Detecting(vec![en, ru]), ..Manner::plain(en) };
        let mut detection = Detection::new(&manner);
        assert_eq!(detection.languages(), [en, ru]);
        for (heard, expected) in turns.iter().zip(expected) {
            assert_eq!(detection.would_change(*heard), expected.is_some());
            assert_eq!(detection.turn(*heard), *expected, "{turns:?}");
        }
    }
    let mut settled = Detection::new(&Manner::plain(en));
    assert_eq!((settled.turn(Some((ru, 1.0))), settled.languages()), (None, vec![en]));
}
