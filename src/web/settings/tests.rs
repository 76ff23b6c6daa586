//! Changes of the configuration, as the page makes them.

use super::*;

#[test]
fn what_would_not_start_for_want_of_a_secret_is_not_written() {
    let folder = std::env::temp_dir().join(format!("settings-secret-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("attendant.toml");
    fs::write(&file, "").unwrap();
    let settings = Settings::new(Some(&file), &Paths::in_folder(&folder));
    for (text, secret) in [
        ("[[token]]\nname = \"shop\"\nscopes = [\"read\"]\n", "token_shop"),
        ("[[webhook]]\nname = \"crm\"\nurl = \"http://127.0.0.1/\"\n", "webhook_crm"),
        ("[recordings]\nencrypted = true\n", "recordings_key"),
    ] {
        let changed = settings.change(None, |_| Ok(text.to_owned()));
        let Err(NotChanged::Start(error)) = changed else { panic!("{text}") };
        let reason = with_sources(&error);
        assert!(reason.contains(secret), "{reason}");
        let wanted = secrets(&config::from_text(text).unwrap());
        assert_eq!(wanted, [secret]);
        assert!(credentials::is_name(secret));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
    for name in ["token_", "other", "token_../x", "Token_x", "mail_password.before"] {
        assert!(!credentials::is_name(name), "{name}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn code_that_is_loaded_is_named_on_the_box_alone() {
    let folder = std::env::temp_dir().join(format!("settings-code-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("attendant.toml");
    let text = "[gpu]\nlibrary = \"/usr/lib/own.so\"\n";
    fs::write(&file, text).unwrap();
    let settings = Settings::new(Some(&file), &Paths::in_folder(&folder));
    for (key, value) in [
        ("gpu.library", "/tmp/evil.so"),
        ("speech.onnxruntime", "evil.so"),
        ("gpu.library", ""),
        ("knowledge.folder", "/etc"),
    ] {
        let changes = Map::from_iter([(key.to_owned(), Value::from(value))]);
        let changed = settings.change(None, |text| Ok(config::edited(text, &changes).unwrap()));
        assert!(matches!(changed, Err(NotChanged::Wrong(text)) if text.starts_with(key)));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let other = folder.join("other");
    fs::create_dir_all(&other).unwrap();
    let evil = other.join("attendant.toml");
    fs::write(&evil, "[gpu]\nlibrary = \"evil.so\"\nmax_c = 70\n[speech]\nonnxruntime = \"x\"\n[knowledge]\nfolder = \"/etc\"\n")
        .unwrap();
    let places = Places { config: &evil, state: &other };
    let mut made = Vec::new();
    let kept = backup::Kept::default();
    let prepared = backup::Prepared::of(places, &kept).unwrap();
    prepared.seal("four quiet harbours", [7; 16], &mut made).unwrap();
    settings.put_back("four quiet harbours", &made[..]).unwrap();
    let put_back = config::from_text(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(put_back.gpu.library.as_deref(), Some(Path::new("/usr/lib/own.so")));
    assert_eq!((put_back.speech.onnxruntime, put_back.knowledge), (None, None));
    // And one step back.
    assert_eq!(put_back.gpu.max_c, 70.0);
    settings.undo_restore().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_folder_of_knowledge_is_none_of_the_boxs_own() {
    let folder = std::env::temp_dir().join(format!("settings-knowledge-{}", std::process::id()));
    let state = folder.join("state");
    fs::create_dir_all(state.join("secrets")).unwrap();
    fs::create_dir_all(folder.join("knowledge")).unwrap();
    std::os::unix::fs::symlink(state.join("secrets"), folder.join("link")).unwrap();
    let file = folder.join("attendant.toml");
    let sound = |name: &str| {
        let text = format!("[knowledge]\nfolder = {:?}\n", folder.join(name));
        soundness::places(&config::at(&file, &text).unwrap(), &state, Some(&file))
    };
    for name in ["", "..", "state", "state/secrets", "link"] {
        assert!(sound(name).is_err_and(|error| error.key() == Some("knowledge.folder")), "{name}");
    }
    sound("knowledge").unwrap();
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_change_is_checked_written_with_its_comments_and_taken_back() {
    let folder = std::env::temp_dir().join(format!("settings-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("attendant.toml");
    let text = "# Ours.\n[calls]\nmax = 5 # lines\n";
    fs::write(&file, text).unwrap();
    let settings = Settings::new(Some(&file), &Paths::in_folder(&folder));
    let change = |value: Value, version: &str| {
        let changes = Map::from_iter([("calls.max".to_owned(), value)]);
        settings.change(Some(version), |text| Ok(config::edited(text, &changes).unwrap()))
    };
    let shown = settings.shown().unwrap();
    assert!(!shown.can_undo && !shown.needs_restart);
    assert!(matches!(change(7.into(), "other"), Err(NotChanged::Version)));
    let Err(NotChanged::Faults(faults)) = change(700.into(), &shown.version) else { panic!() };
    assert_eq!((&*faults[0].key, &*faults[0].allowed), ("calls.max", "1 to 100"));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let shown = change(7.into(), &shown.version).unwrap();
    assert!(shown.can_undo && shown.needs_restart);
    assert_eq!(fs::read_to_string(&file).unwrap(), "# Ours.\n[calls]\nmax = 7 # lines\n");
    // The program has started with it: it can go back all the same.
    let started = Settings::new(Some(&file), &Paths::in_folder(&folder));
    let after = started.shown().unwrap();
    assert!(after.can_undo && !after.needs_restart && after.version == shown.version);
    assert!(started.undo(&after.version).unwrap().needs_restart);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let again = settings.undo(&settings.shown().unwrap().version).unwrap();
    assert!(again.needs_restart);
    let shown = settings.undo(&again.version).unwrap();
    assert!(!shown.needs_restart);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let desk = Desk {
        firm: Some("Miller & Sons".into()),
        greeting: Some("Welcome to {firm}.".into()),
        hours: None,
        address: None,
    };
    settings.set_desk(&desk).unwrap();
    let playbook = fs::read_to_string(folder.join(DESK)).unwrap();
    assert!(playbook.contains("firm = \"Miller & Sons\"\nhours = \"Monday"), "{playbook:.900}");
    assert!(playbook.contains("\ngreeting = \"Welcome to {firm}.\"\n"));
    assert!(fs::read_to_string(&file).unwrap().contains("playbook = \"desk.toml\""));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_change_that_cannot_be_written_leaves_the_step_back() {
    let folder = std::env::temp_dir().join(format!("unwritten-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("attendant.toml");
    fs::write(&file, "[calls]\nmax = 5\n").unwrap();
    let settings = Settings::new(Some(&file), &Paths::in_folder(&folder));
    settings.change(None, |_| Ok("[calls]\nmax = 6\n".to_owned())).unwrap();
    // What is written first is in the way.
    fs::create_dir(folder.join("attendant.toml.new")).unwrap();
    let change = settings.change(None, |_| Ok("[calls]\nmax = 7\n".to_owned()));
    assert!(matches!(change, Err(NotChanged::Unwritten(_))));
    assert_eq!(fs::read_to_string(settings.before()).unwrap(), "[calls]\nmax = 5\n");
    assert!(settings.shown().unwrap().can_undo);
    fs::remove_dir_all(&folder).unwrap();
}
