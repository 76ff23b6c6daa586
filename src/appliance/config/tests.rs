use super::*;
use crate::appliance::media_address::Source;
use crate::speech::model::{Hash, ModelSource};
use crate::store::shelf::manifest::Manifest;

fn faults(text: &str) -> Vec<String> {
    match from_text(text) {
        Err(ConfigError::Faults { faults, .. }) => faults.iter().map(Fault::to_string).collect(),
        other => panic!("no faults in {text:?}: {other:?}"),
    }
}

#[test]
fn an_empty_file_and_no_file_are_the_defaults() {
    assert_eq!(from_text("").unwrap(), Config::default());
    assert_eq!(load(None).unwrap(), Config::default());
}

#[test]
fn all_faults_come_at_once_with_key_value_and_what_is_allowed() {
    let found = faults(
        "[calls]\nmax = 0\nmax_duration = 60\nwhen_full = \"later\"\n\
         [sip]\nlisten = [\"udp:0.0.0.0\"]\n\
         [web]\nlisten = \"8080\"\n\
         [spech]\nvoice = \"slt\"\n",
    );
    for expected in [
        "calls.max = 0: allowed: 1 to 100",
        "calls.max_duration = 60: no such key; did you mean calls.max_duration_s?",
        "calls.when_full = \"later\": allowed: busy or unavailable",
        "sip.listen = \"udp:0.0.0.0\": allowed: udp, tcp, tls, ws or wss, then",
        "web.listen = \"8080\": allowed: ADDRESS:PORT, as in 127.0.0.1:8080",
        "spech = ...: no such section; did you mean [speech]?",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}: {found:#?}");
    }
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn one_wrong_value_in_each_key_is_found() {
    for (text, key) in [
        ("[sip]\nlisten = []", "sip.listen"),
        ("[sip]\nlisten = [\"udp:0.0.0.0:5060\", \"udp:0.0.0.0:5060\"]", "sip.listen"),
        ("[sip]\nlisten = \"udp:0.0.0.0:5060\"", "sip.listen"),
        ("[web]\nlisten = \"localhost:8080\"", "web.listen"),
        ("[calls]\nmax = 101", "calls.max"),
        ("[calls]\nmax = \"five\"", "calls.max"),
        ("[calls]\nmax = 2.5", "calls.max"),
        ("[calls]\nmax_duration_s = 29", "calls.max_duration_s"),
        ("[sip]\nsession_expires_s = 89", "sip.session_expires_s"),
        ("[sip]\nhosts = [\"desk:80\"]", "sip.hosts"),
        ("[calls]\nretry_after_s = 0", "calls.retry_after_s"),
        ("[calls]\nmax_load = 0.0", "calls.max_load"),
        ("[gpu]\ndevice = \"nvidia\"", "gpu.device"),
        ("[gpu]\nmax_c = 39", "gpu.max_c"),
        ("[gpu]\ncpu_max_c = 121", "gpu.cpu_max_c"),
        ("[gpu]\nmemory_reserve_mb = -1", "gpu.memory_reserve_mb"),
        ("[calls]\nanswer_after_ms = -1", "calls.answer_after_ms"),
        ("[media]\nports = \"16384\"", "media.ports"),
        ("[media]\nports = \"20000-10000\"", "media.ports"),
        ("[media]\nports = \"16385-16386\"", "media.ports"),
        ("[media]\nports = \"16384-16391\"", "media.ports"),
        ("[media]\ncodecs = [\"G729\"]", "media.codecs"),
        ("[media]\ncodecs = []", "media.codecs"),
        ("[media]\nptime_ms = 25", "media.ptime_ms"),
        ("[media]\naddress = \"0.0.0.0\"", "media.address"),
        ("[media]\naddress = \"stun:\"", "media.address"),
        ("[media]\naddress = \"stun:example.com:0\"", "media.address"),
        ("[media]\naddress = \"stun:a b\"", "media.address"),
        ("[media]\naddress = \"recieved\"", "media.address"),
        ("[speech]\nvoice = \"espeak:\"", "speech.voice"),
        ("[speech]\nvoice = \"espeak:-v x\"", "speech.voice"),
        ("[speech]\nlanguage = \"English\"", "speech.language"),
        ("[speech]\ndevice = \"gpu\"", "speech.device"),
        ("[speech]\nthreads = 65", "speech.threads"),
        ("[listen]\nspeech_threshold = 1", "listen.speech_threshold"),
        ("[listen]\nspeech_threshold = nan", "listen.speech_threshold"),
        ("[listen]\nonset_ms = 2.5", "listen.onset_ms"),
        ("[listen]\npreroll_ms = 1001", "listen.preroll_ms"),
        ("[listen]\nclose_complete_ms = -1", "listen.close_complete_ms"),
        ("[listen]\nclose_complete = 200", "listen.close_complete"),
        ("[listen]\nstalled_ms = 500", "listen.stalled_ms"),
        ("[converse]\nsilence_s = [16, 8, 24]", "converse.silence_s"),
        ("[converse]\nsilence_s = [8, 16]", "converse.silence_s"),
        ("[log]\nlevel = \"loud\"", "log.level"),
        ("calls = 5", "calls"),
        ("nonsense = 5", "nonsense"),
    ] {
        let found = faults(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{key} = ")), "{text}: {found:?}");
    }
}

#[test]
fn a_smaller_model_is_another_one_for_an_engine_of_ours() {
    for (text, is_there) in [
        ("", false),
        ("[gpu]\nsmaller_model = \"starter\"", false),
        ("[gpu]\nsmaller_model = \"starter\"\n[speech]\nwhisper_model = \"/m.bin\"", true),
        ("[gpu]\nsmaller_model = \"/s.bin\"\n[speech]\nwhisper_model = \"/m.bin\"", true),
        ("[gpu]\nsmaller_model = \"/m.bin\"\n[speech]\nwhisper_model = \"/m.bin\"", false),
        (
            "[gpu]\nsmaller_model = \"starter\"\n[speech]\nwhisper_model = \"/m.bin\"\nsocket = \"/s\"",
            false,
        ),
    ] {
        assert_eq!(from_text(text).unwrap().protection().has_smaller_model, is_there, "{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_names_the_line() {
    let Err(ConfigError::Syntax { line, .. }) = from_text("[calls]\nmax = 5\nmax_duration_s =\n")
    else {
        panic!("accepted");
    };
    assert_eq!(line, 3);
}

#[test]
fn the_address_for_sound_is_written_or_found_out() {
    let stun = |port| Source::Stun { host: "stun.example.com".into(), port };
    for (text, expected) in [
        ("", Source::Own),
        ("192.0.2.1", Source::Fixed("192.0.2.1".parse().unwrap())),
        ("received", Source::Received),
        ("stun:stun.example.com", stun(3_478)),
        ("stun:stun.example.com:19302", stun(19_302)),
    ] {
        let config = from_text(&format!("[media]\naddress = \"{text}\"\n")).unwrap();
        assert_eq!(config.media.address, expected, "{text}");
    }
}

#[test]
fn values_arrive_as_written() {
    let config = from_text(
        "[sip]\nlisten = [\"tcp:[::1]:5070\"]\nsession_expires_s = 600\n\
         [calls]\nmax = 2\nwhen_full = \"unavailable\"\nretry_after_s = 7\n\
         [media]\nports = \"20001-20006\"\ncodecs = [\"pcma\"]\naddress = \"192.0.2.1\"\n\
         [speech]\nwhisper_model = \"/m.bin\"\nvoice = \"espeak:de\"\nlanguage = \"auto\"\n\
         device = \"cuda\"\nthreads = 3\n",
    )
    .unwrap();
    assert_eq!(config.sip.listen[0].to_string(), "tcp:[::1]:5070");
    assert_eq!(config.sip.session_expires_s, Some(600));
    assert_eq!(config.calls.when_full, crate::call::admission::WhenFull::Unavailable);
    assert_eq!(config.calls.retry_after_s, 7);
    assert_eq!(config.media.ports.rtp_ports().collect::<Vec<_>>(), [20_002, 20_004]);
    assert_eq!(config.media.codecs, [crate::codec::Codec::Pcma]);
    assert_eq!(config.speech.voice, Voice::Espeak { language: "de".into() });
    assert_eq!(config.speech.language, None);
    assert_eq!(config.speech.device, Device::Cuda);
    assert_eq!(config.speech.threads, Some(3));
    assert_eq!(
        config.speech.whisper_model.map(|model| model.path).as_deref(),
        Some(Path::new("/m.bin"))
    );
}

#[test]
fn a_missing_file_is_named() {
    let error = load(Some(Path::new("/nonexistent/attendant.toml"))).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/attendant.toml"), "{error}");
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let text = include_str!("../../../attendant.toml");
    assert_eq!(text.parse::<toml::Table>().unwrap(), parse::defaults());
    assert_eq!(from_text(text).unwrap(), Config::default());
}

#[test]
fn relative_paths_count_from_the_files_folder() {
    let folder = std::env::temp_dir().join(format!("config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("attendant.toml");
    std::fs::write(&path, "[converse]\nplaybook = \"desk.toml\"\n").unwrap();
    let config = load(Some(&path)).unwrap();
    assert_eq!(config.converse.playbook, Some(folder.join("desk.toml")));
    assert_eq!(config.speech.whisper_model, None);
    assert!(config.speech.partials && !config.speech.prompt);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_ear_gets_what_the_section_listen_says_and_else_its_defaults() {
    use crate::listen::Settings;
    let config = |text: &str| from_text(text).unwrap().listening();
    assert_eq!(config(""), Settings::default());
    let written = "[listen]\nclose_complete_ms = 200\nonset_ms = 100\nspeech_threshold = 0.6\n";
    let changed = Settings {
        close_complete_ms: 200,
        onset_ms: 100,
        speech_threshold: 0.6,
        ..Settings::default()
    };
    assert_eq!(config(written), changed);
    let found = faults("[listen]\nclose_complete_ms = 5001\nonset_ms = 0\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&"listen.onset_ms = 0: allowed: 20 to 400".to_owned()), "{found:?}");
}

#[test]
fn partial_texts_can_be_left_out_and_hints_are_for_a_model_that_was_chosen() {
    let config = |text: &str| from_text(text).unwrap();
    assert_eq!(config("").listening().partial_every_ms, 600);
    assert_eq!(config("[speech]\npartials = false\n").listening().partial_every_ms, 0);
    let prompts = |text: &str| config(text).engine("/s".into(), None).prompt;
    assert!(prompts("[speech]\nprompt = true\nwhisper_model = \"/m\"\n"));
    assert!(
        !prompts("[speech]\nwhisper_model = \"/m\"\n") && !prompts("[speech]\nprompt = true\n")
    );
}

#[test]
fn a_large_model_gets_the_threads_that_the_calls_leave_over() {
    let engine = |text: &str| from_text(text).unwrap().engine("/s".into(), Some(7));
    let starter = engine("[calls]\nmax = 5\n[speech]\nthreads = 16\n");
    assert_eq!((starter.decode_workers, starter.decode_threads, starter.lanes), (5, 1, 5));
    let large = engine("[speech]\nthreads = 16\nwhisper_model = \"/m\"\n");
    assert_eq!((large.decode_workers, large.decode_threads), (5, 3));
    let few = engine("[speech]\nthreads = 2\nwhisper_model = \"/m\"\n");
    assert_eq!((few.decode_workers, few.decode_threads, few.parent), (2, 1, Some(7)));
}

const TWO: &str = "[sip]\nlisten = [\"udp:0.0.0.0:5060\", \"udp:0.0.0.0:5070\"]\n\
    [[language]]\ncode = \"ru\"\ncallers = [\"+7\", \"+375\"]\ncalled = [\"RU\"]\n\
    listen = [\"udp:0.0.0.0:5070\"]\n[[language]]\ncode = \"en\"\ncallers = [\"+77\"]\n";

#[test]
fn a_second_language_has_its_rules_and_the_default_keeps_its_keys() {
    use crate::base::LanguageCode;
    use crate::call::language::Choice;
    let config = from_text(TWO).unwrap();
    let (en, ru) = (LanguageCode::ENGLISH, LanguageCode::new("ru").unwrap());
    assert_eq!(config.spoken_languages(), [en, ru]);
    let rules = config.language_rules(en);
    assert_eq!(rules.otherwise, Choice::Language(en));
    assert_eq!(rules.called, [("ru".to_owned(), Choice::Language(ru))]);
    assert_eq!(rules.callers.len(), 3);
    assert_eq!(rules.listen[0].1, "0.0.0.0:5070".parse::<std::net::SocketAddr>().unwrap());
    assert!(!config.detects_languages());
    assert_eq!(config.voice_of(ru, false), Voice::Espeak { language: "ru".into() });
    let detecting = from_text("[speech]\nlanguage = \"auto\"\n[[language]]\ncode = \"ru\"\n");
    let detecting = detecting.unwrap();
    assert!(detecting.detects_languages());
    assert_eq!(detecting.language_rules(en).otherwise, Choice::Detect);
}

#[test]
fn one_wrong_value_in_each_key_of_a_language_is_found() {
    let section = |rest: &str| format!("[[language]]\ncode = \"ru\"\n{rest}");
    for (text, key) in [
        (section(""), "language.ru"),
        (section("called = [\"ru\"]\nvoice = \"slt\""), "language.ru.voice"),
        (section("called = [\"ru\"]\nvoices = \"x\""), "language.ru.voices"),
        (section("called = \"ru\""), "language.ru.called"),
        (section("called = [\"a b\"]"), "language.ru.called"),
        (section("callers = [\"7\"]"), "language.ru.callers"),
        (section("callers = [\"+7\", \"+7\"]"), "language.ru.callers"),
        (section("listen = [\"udp:0.0.0.0:5099\"]"), "language.ru.listen"),
        ("[[language]]\ncode = \"Russian\"\ncalled = [\"ru\"]".to_owned(), "language.Russian.code"),
        ("[[language]]\ncode = \"de\"\ncalled = [\"de\"]".to_owned(), "language.de.playbook"),
        ("[[language]]\ncode = \"en\"\nvoice = \"slt\"".to_owned(), "language.en.voice"),
        ("[language]\ncode = \"ru\"".to_owned(), "language"),
        ("[speech]\nlanguage = \"ru\"".to_owned(), "speech.voice"),
        ("[speech]\nlanguage = \"de\"\nvoice = \"espeak:de\"".to_owned(), "converse.playbook"),
    ] {
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{key} = ")), "{text}: {found:?}");
    }
}

/// The section `[[name]]` of the example, without its hash marks.
fn example(name: &str) -> String {
    let text = include_str!("../../../attendant.toml");
    let (_, section) = text.split_once(&format!("# [[{name}]]\n")).unwrap();
    let lines = section.lines().map_while(|line| line.strip_prefix("#"));
    let lines =
        lines.filter_map(|line| line.strip_prefix(" ")).take_while(|l| !l.starts_with("[["));
    let keys: Vec<&str> = lines.filter(|line| line.contains(" = ")).collect();
    format!("[[{name}]]\n{}", keys.join("\n"))
}

fn keys(table: &toml::Table) -> Vec<&String> {
    table.keys().collect()
}

#[test]
fn the_examples_sections_have_every_key_and_are_sound() {
    let known = [
        ("language", toml::Table::try_from(file::Language::default()).unwrap()),
        ("person", toml::Table::try_from(file::Person::default()).unwrap()),
        ("lookup", toml::Table::try_from(file::Lookup::default()).unwrap()),
        ("accounts", toml::Table::try_from(file::Account::default()).unwrap()),
        ("token", toml::Table::try_from(file::Token::default()).unwrap()),
        ("bridge", toml::Table::try_from(file::Bridge::default()).unwrap()),
        ("handset", toml::Table::try_from(file::Handset::default()).unwrap()),
        ("webhook", toml::Table::try_from(file::Webhook::default()).unwrap()),
    ];
    for (name, known) in known {
        let written = example(name);
        let table: toml::Table = written.parse().unwrap();
        assert_eq!(keys(table[name][0].as_table().unwrap()), keys(&known), "{name}");
        assert!(from_text(&written).is_ok(), "{written}");
    }
}

#[test]
fn one_wrong_value_in_each_key_of_a_lookup_is_found() {
    let order = "[[lookup]]\nname = \"order\"\ndescription = \"An order.\"\n\
        url = \"https://erp.example.net/o/{id}\"\nparameters = { id = \"digits 3-12\" }\n\
        fields = { status = \"/status\" }\n";
    assert!(from_text(order).is_ok(), "{:?}", from_text(order));
    for (text, key) in [
        (order.replace("\"order\"", "\"hang_up\""), "lookup.hang_up.name"),
        (order.replace("\"order\"", "\"search_knowledge\""), "lookup.search_knowledge.name"),
        (order.replace("An order.", ""), "lookup.order.description"),
        (order.replace("https", "ftp"), "lookup.order.url"),
        (order.replace("{id}", "{other}"), "lookup.order.url"),
        (order.replace("digits 3-12", "digits 12-3"), "lookup.order.parameters"),
        (order.replace("\"/status\"", "\"status\""), "lookup.order.fields"),
        (order.replace("{ status = \"/status\" }", "{}"), "lookup.order.fields"),
        (format!("{order}method = \"DELETE\""), "lookup.order.method"),
        (format!("{order}changes_nothing = 1"), "lookup.order.changes_nothing"),
        (format!("{order}headers = {{ Host = \"x\" }}"), "lookup.order.headers"),
        (format!("{order}timeout_ms = 60000"), "lookup.order.timeout_ms"),
        (format!("{order}redirects = true"), "lookup.order.redirects"),
        (format!("{order}{order}"), "lookup.order.name"),
    ] {
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{key} = ")), "{text}: {found:?}");
    }
}

#[test]
fn a_post_may_change_something_unless_its_owner_says_that_it_does_not() {
    let order = "[[lookup]]\nname = \"order\"\ndescription = \"An order.\"\n\
        url = \"https://erp.example.net/o\"\nfields = { status = \"/status\" }\n";
    for (more, changes) in [
        ("", false),
        ("method = \"GET\"", false),
        ("method = \"POST\"", true),
        ("method = \"POST\"\nchanges_nothing = false", true),
        ("method = \"POST\"\nchanges_nothing = true", false),
    ] {
        let config = from_text(&format!("{order}{more}")).unwrap();
        assert_eq!(config.lookups[0].asked.changes, changes, "{more}");
    }
}

#[test]
fn one_wrong_value_in_each_key_of_a_person_is_found() {
    let anna = "[[person]]\nname = \"Anna\"\naddress = \"sip:anna@192.0.2.5\"\n";
    assert!(from_text(&format!("{anna}phrases = [\"(anna|ann)\"]")).is_ok());
    for (text, key) in [
        (anna.replace("\"Anna\"", "\"Anna <x>\""), "person.Anna <x>.name"),
        (anna.replace("sip:", "http:"), "person.Anna.address"),
        (format!("{anna}phrases = [\"\"]"), "person.Anna.phrases"),
        (format!("{anna}phrases = \"anna\""), "person.Anna.phrases"),
        (format!("{anna}hours = \"always\""), "person.Anna.hours"),
        (format!("{anna}ring_s = 1"), "person.Anna.ring_s"),
        (format!("{anna}rings = 1"), "person.Anna.rings"),
        (format!("{anna}{anna}"), "person.Anna.name"),
        (anna.replace("[[person]]", "[person]"), "person"),
    ] {
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("{key} = ")), "{text}: {found:?}");
    }
}

#[test]
fn a_name_of_the_shelf_is_a_file_there_with_its_known_hash_and_a_path_is_a_path() {
    let model = |text: &str| {
        let mut config = from_text(&format!("[speech]\nwhisper_model = \"{text}\"\n")).unwrap();
        config.resolve(Path::new("/etc/attendant"));
        config.take_from(Path::new("/shelf"));
        config.engine("/s".into(), None).model
    };
    let file = |path: &str| ModelSource::File { path: path.into(), hash: Hash::PinnedIfAny };
    let ModelSource::File { path, hash } = model("small.en-q5_1") else { panic!("the starter") };
    assert_eq!(path, Path::new("/shelf/ggml-small.en-q5_1.bin"));
    let known = Manifest::known().find("small.en-q5_1").unwrap().files[0].sha256;
    assert_eq!(hash, Hash::Known(known.unwrap()));
    let own = ModelSource::File { path: "/shelf/own.bin".into(), hash: Hash::Pinned };
    assert_eq!(model("/shelf/own.bin"), own);
    assert_eq!(model("./small.en-q5_1"), file("/etc/attendant/./small.en-q5_1"));
    assert_eq!(model("/m.bin"), file("/m.bin"));
    // A voice hears nothing.
    assert_eq!(model("en_US-joe-medium"), file("/etc/attendant/en_US-joe-medium"));
    assert_eq!(model(""), ModelSource::Starter);

    // A command line's file has nothing of the model that the file names.
    let mut config = from_text("[speech]\nwhisper_model = \"small.en-q5_1\"\n").unwrap();
    config.take_from(Path::new("/shelf"));
    config.hear_with(Some("/m.bin".into()), Path::new("/shelf"));
    assert_eq!(config.engine("/s".into(), None).model, file("/m.bin"));
    config.hear_with(None, Path::new("/shelf"));
    assert_eq!(config.engine("/s".into(), None).model, ModelSource::Starter);
}

#[test]
fn whom_a_caller_may_have_called_and_how_callers_wait_is_chosen_by_name() {
    use crate::call::HoldSound;
    use crate::trunk::Referrals;
    for (written, referrals) in [("refuse", Referrals::Refuse), ("people", Referrals::People)] {
        let config = from_text(&format!("[inbound]\nrefer = \"{written}\"\n")).unwrap();
        assert_eq!(config.inbound.refer, referrals);
    }
    for (written, hold) in [
        ("ringing", HoldSound::Ringing),
        ("music", HoldSound::Music),
        ("silence", HoldSound::Silence),
    ] {
        let config = from_text(&format!("[handover]\nhold = \"{written}\"\n")).unwrap();
        assert_eq!(config.hold, hold);
    }
    let found = faults("[inbound]\nrefer = \"same-host\"\n[handover]\nhold = \"moh.wav\"\n");
    let expected = [
        "inbound.refer = \"same-host\": allowed: refuse or people",
        "handover.hold = \"moh.wav\": allowed: ringing, music or silence",
    ];
    assert!(expected.iter().all(|fault| found.iter().any(|one| one == fault)), "{found:?}");
}

#[test]
fn the_interface_may_leave_loopback_and_that_of_baresip_may_not() {
    let open = "[web]\nlisten = \"0.0.0.0:8080\"\n";
    let token = "[[token]]\nname = \"desk\"\nscopes = [\"read\", \"words\"]\n";
    assert!(from_text(open).unwrap().web.tokens.is_empty());
    let config = from_text(&format!("{open}{token}")).unwrap();
    assert_eq!(config.web.tokens[0].scopes.text(), "read words");
    let baresip = |address: &str| format!("[baresip]\nlisten = \"{address}\"\n");
    assert!(from_text(&baresip("127.0.0.1:4444")).unwrap().baresip.is_some());
    assert_eq!(faults(&format!("{token}{}", baresip("0.0.0.0:4444"))).len(), 1);
}
