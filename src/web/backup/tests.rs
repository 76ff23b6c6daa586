use super::*;
use std::os::unix::fs::PermissionsExt;

const WORDS: &str = "four quiet harbours";

fn a_box(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("backup-{name}-{}", std::process::id()));
    fs::create_dir_all(folder.join("state/secrets")).unwrap();
    folder
}

#[test]
fn a_box_comes_back_whole_and_nothing_in_the_file_can_be_read() {
    let (old, new) = (a_box("old"), a_box("new"));
    let playbook = Playbook::logistics().source().replace("Northgate Logistics", "Miller");
    for (name, text) in [
        ("attendant.toml", "[converse]\nplaybook = \"desk.toml\"\n"),
        ("desk.toml", &*playbook),
        ("other.toml", "[no]\nplaybook = 1\n"),
        ("state/passwords.json", "{\"owner\":null,\"reader\":null}"),
        ("state/engine.bin", "of this machine"),
        ("state/secrets/account_office", "tiger"),
    ] {
        fs::write(old.join(name), text).unwrap();
    }
    let of = |folder: &'static str, at: &Path| (at.join("attendant.toml"), at.join(folder));
    let ((old_config, old_state), (new_config, new_state)) = (of("state", &old), of("state", &new));
    let from = Places { config: &old_config, state: &old_state };
    let to = Places { config: &new_config, state: &new_state };
    let backup = made(from, WORDS, &Kept::default()).unwrap();
    let has = |text: &[u8]| backup.windows(text.len()).any(|part| part == text);
    assert!(!has(b"tiger") && !has(b"Miller") && !has(b"account_office"));
    assert!(!has(STANDARD.encode("tiger").as_bytes()));
    assert!(matches!(restore(to, "another one", &backup[..]), Err(BackupError::NotOurs)));
    let mut spoiled = backup.clone();
    spoiled[60] ^= 1;
    assert!(matches!(restore(to, WORDS, &spoiled[..]), Err(BackupError::NotOurs)));
    for length in [0, 10, 19, 49] {
        assert!(matches!(restore(to, WORDS, &backup[..length]), Err(BackupError::NotOurs)));
    }
    assert!(!new_config.exists());
    // As an installed box has it: the engine reads it by its group.
    fs::write(&new_config, "").unwrap();
    fs::set_permissions(&new_config, fs::Permissions::from_mode(0o660)).unwrap();
    restore(to, WORDS, &backup[..]).unwrap();
    assert_eq!(fs::read_to_string(new.join("desk.toml")).unwrap(), playbook);
    assert_eq!(fs::read_to_string(new_state.join("secrets/account_office")).unwrap(), "tiger");
    assert_eq!(fs::metadata(&new_config).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(!new_state.join("engine.bin").exists() && !new.join("other.toml").exists());
    assert!(matches!(made(from, "short", &Kept::default()), Err(BackupError::Passphrase)));
    [old, new].iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
}

fn restore(places: Places<'_>, words: &str, backup: &[u8]) -> Result<(), BackupError> {
    put_back(places, gather(places, words, backup)?, |text| Ok(text.to_owned()))
}

/// A backup of these files, by whoever has the passphrase, and of others behind it.
fn of_files(files: &[(&str, &str)], kept: &[(&str, &[u8])]) -> Vec<u8> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), STANDARD.encode(text)));
    let contents = Contents { version: "1".to_owned(), files: files.collect() };
    let text = serde_json::to_vec(&contents).unwrap();
    let mut file = Vec::new();
    let mut sealing = Sealing::new(&mut file, WORDS, [7; SALT]).unwrap();
    sealing.write_all(&(text.len() as u64).to_be_bytes()).unwrap();
    sealing.write_all(&text).unwrap();
    for (name, bytes) in kept {
        sealing.write_all(&u16::try_from(name.len()).unwrap().to_be_bytes()).unwrap();
        sealing.write_all(name.as_bytes()).unwrap();
        sealing.write_all(&(bytes.len() as u64).to_be_bytes()).unwrap();
        sealing.write_all(bytes).unwrap();
    }
    sealing.write_all(&0_u16.to_be_bytes()).unwrap();
    sealing.finish().unwrap();
    file
}

fn made(places: Places<'_>, words: &str, kept: &Kept) -> Result<Vec<u8>, BackupError> {
    let mut file = Vec::new();
    Prepared::of(places, kept)?.seal(words, [7; SALT], &mut file).map(|()| file)
}

#[test]
fn what_is_kept_of_calls_comes_back_at_the_next_start_and_goes_again() {
    let (old, new) = (a_box("kept-old"), a_box("kept-new"));
    history::tests::filled(&old.join("state"), 3);
    history::tests::filled(&new.join("state"), 1);
    for (at, name, text) in [
        (&old, "state/recordings/0000000000001-c1.opus", "its"),
        (&new, "state/recordings/0000000000001-c1.opus", "mine"),
        (&old, "state/recordings/0000000000002-c2.sealed", "its"),
        (&old, "state/voicemail/0000000000002-c2-1.opus", "left"),
        (&old, "own/hours/summer.txt", "open"),
        (&old, "attendant.toml", "# old\n"),
        (&new, "attendant.toml", "# new\n"),
    ] {
        fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
        fs::write(at.join(name), text).unwrap();
    }
    let of = |at: &Path| (at.join("attendant.toml"), at.join("state"));
    let ((old_config, old_state), (new_config, new_state)) = (of(&old), of(&new));
    let from = Places { config: &old_config, state: &old_state };
    let to = Places { config: &new_config, state: &new_state };
    let snapshot = old_state.join("copy.db");
    history::tests::copy(&old_state, &snapshot);
    let kept = Kept {
        database: Some(snapshot),
        recordings: Some(old_state.join("recordings")),
        voicemail: Some(old_state.join("voicemail")),
        knowledge: Some(old.join("own")),
    };
    let backup = made(from, WORDS, &kept).unwrap();
    let cut = restore(to, WORDS, &backup[..backup.len() - 20]);
    assert!(matches!(cut, Err(BackupError::NotOurs)));
    assert!(!new_state.join("restore").exists() && !new_state.join("restore.new").exists());
    assert_eq!(fs::read_to_string(&new_config).unwrap(), "# new\n");
    assert!(matches!(undo(to), Err(BackupError::Nothing)));
    restore(to, WORDS, &backup[..]).unwrap();
    assert_eq!(history::tests::count(&new_state), 1, "it is in use until the next start");
    restored::take_over(&new_state, Some(&new.join("own"))).unwrap();
    assert_eq!(history::tests::count(&new_state), 3);
    let read = |name: &str| fs::read_to_string(new.join(name)).unwrap();
    assert_eq!(read("state/recordings/0000000000001-c1.opus"), "mine");
    assert_eq!(read("state/recordings/0000000000002-c2.sealed"), "its");
    assert_eq!(read("state/voicemail/0000000000002-c2-1.opus"), "left");
    assert_eq!(
        (read("own/hours/summer.txt"), read("attendant.toml")),
        ("open".to_owned(), "# old\n".to_owned())
    );
    assert!(can_undo(to));
    undo(to).unwrap();
    restored::take_over(&new_state, None).unwrap();
    assert_eq!(
        (history::tests::count(&new_state), read("attendant.toml")),
        (1, "# new\n".to_owned())
    );
    // One without a database: there is an older one of before, and it stays where it is.
    let settings = made(from, WORDS, &Kept::default()).unwrap();
    restore(to, WORDS, &settings).unwrap();
    undo(to).unwrap();
    restored::take_over(&new_state, None).unwrap();
    assert_eq!(
        (history::tests::count(&new_state), read("attendant.toml")),
        (1, "# new\n".to_owned())
    );
    [old, new].iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
}

#[test]
fn what_is_kept_and_not_sound_is_not_put_back_and_nothing_else_with_it() {
    let folder = a_box("kept-unsound");
    let (config, state) = (folder.join("attendant.toml"), folder.join("state"));
    let places = Places { config: &config, state: &state };
    fs::write(&config, "# ours\n").unwrap();
    for (name, bytes) in [
        ("history.db", &b"no database"[..]),
        ("recordings/../x.opus", b"x"),
        ("recordings/x.sh", b"x"),
        ("knowledge/../x", b"x"),
        ("knowledge/.x", b"x"),
        ("state/passwords.json", b"x"),
        ("/etc/passwd", b"x"),
    ] {
        let backup = of_files(&[("attendant.toml", "# other\n")], &[(name, bytes)]);
        assert!(restore(places, WORDS, &backup[..]).is_err(), "{name}");
        assert_eq!(fs::read_to_string(&config).unwrap(), "# ours\n", "{name}");
        assert!(!state.join("restore").exists() && !state.join("restore.new").exists());
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_not_sound_is_not_put_back_and_nothing_else_with_it() {
    let folder = a_box("unsound");
    let (config, state) = (folder.join("attendant.toml"), folder.join("state"));
    let places = Places { config: &config, state: &state };
    fs::write(&config, "# ours\n").unwrap();
    let long = "x".repeat(9_000);
    for (name, text) in [
        ("secrets/llm_key", "two\nlines"),
        ("secrets/llm_key", &*long),
        ("state/passwords.json", "{\"owner\":\"none\",\"reader\":null}"),
        ("state/passwords.json", "{"),
        ("state/dialled.json", "[]"),
        ("playbooks/desk.toml", "[no]\n"),
    ] {
        let backup = of_files(&[("attendant.toml", "# other\n"), (name, text)], &[]);
        let put = restore(places, WORDS, &backup[..]);
        assert!(put.is_err(), "{name}");
        assert_eq!(fs::read_to_string(&config).unwrap(), "# ours\n", "{name}");
    }
    let backup = of_files(&[("attendant.toml", "# other\n"), ("secrets/llm_key", "tiger\n")], &[]);
    // A folder stands where the last file is to go: those before it are as they were.
    fs::create_dir(state.join("secrets/llm_key")).unwrap();
    assert!(matches!(restore(places, WORDS, &backup[..]), Err(BackupError::Files(_))));
    assert_eq!(fs::read_to_string(&config).unwrap(), "# ours\n");
    fs::remove_dir(state.join("secrets/llm_key")).unwrap();
    restore(places, WORDS, &backup[..]).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), "# other\n");
    assert_eq!(fs::read_to_string(state.join(CONFIG_BEFORE)).unwrap(), "# ours\n");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_could_not_be_put_back_is_not_made() {
    let folder = a_box("too-many");
    let (config, state) = (folder.join("attendant.toml"), folder.join("state"));
    let places = Places { config: &config, state: &state };
    let secret = |number: usize| state.join(SECRETS).join(format!("line_{number}"));
    (0..limits::BACKUP_FILES).for_each(|number| fs::write(secret(number), "x").unwrap());
    fs::write(state.join(SECRETS).join("NO NAME"), "x").unwrap();
    assert!(Prepared::of(places, &Kept::default()).is_ok());
    fs::write(secret(limits::BACKUP_FILES), "x").unwrap();
    let made = Prepared::of(places, &Kept::default());
    assert!(matches!(made, Err(BackupError::TooLong)));
    fs::remove_file(secret(0)).unwrap();
    let long = state.join("long.db");
    File::create(&long).unwrap().set_len(1 << 40).unwrap();
    let kept = Kept { database: Some(long), ..Kept::default() };
    assert!(matches!(Prepared::of(places, &kept), Err(BackupError::TooLong)));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn no_name_leads_out_of_the_folders() {
    let places = Places { config: Path::new("/etc/a/attendant.toml"), state: Path::new("/var/a") };
    for name in [
        "/etc/passwd",
        "..",
        "state/../x",
        "state/engine.bin",
        "secrets/../../x",
        "secrets/",
        "playbooks/../x.toml",
        "playbooks/.x.toml",
        "playbooks/attendant.toml",
        "other.toml",
    ] {
        assert_eq!(place(places, name), None, "{name}");
    }
    assert_eq!(place(places, "playbooks/desk.toml").unwrap(), Path::new("/etc/a/desk.toml"));
}
