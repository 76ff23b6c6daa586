//! Where files are: systemd's folders, the system's for root, the XDG base folders for anyone else.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const SYSTEM_CONFIG: &str = "/etc/attendant/attendant.toml";

/// The folders of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Places of the configuration file, the first that exists counts.
    config: Vec<PathBuf>,
    state: PathBuf,
    runtime: PathBuf,
    /// Of a unit of its own; else what can be made anew is with the state.
    cache: Option<PathBuf>,
}

impl Paths {
    /// By this process's environment and user.
    pub fn here() -> Self {
        Self::of(|name| std::env::var_os(name), nix::unistd::geteuid().as_raw())
    }

    /// All in one folder, for tests.
    #[cfg(test)]
    pub fn in_folder(folder: &Path) -> Self {
        let (state, runtime) = (folder.join("state"), folder.join("run"));
        std::fs::create_dir_all(&state).expect("a test's folder");
        let cache = Some(folder.join("cache"));
        Self { config: vec![folder.join("attendant.toml")], state, runtime, cache }
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>, user: u32) -> Self {
        // The XDG specification: a relative path is to be ignored.
        let folder =
            |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        // systemd may list several folders with colons; ours is the first.
        let given = |name: &str| {
            let list = variable(name)?;
            std::env::split_paths(&list).find(|path| path.is_absolute())
        };
        let root = user == 0;
        let home = folder("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let own = |root_path: &str, xdg: &str, fallback: PathBuf| match root {
            true => PathBuf::from(root_path),
            false => folder(xdg).unwrap_or(fallback).join("attendant"),
        };
        let mut config = vec![PathBuf::from(SYSTEM_CONFIG)];
        if !root {
            let xdg = folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
            config.insert(0, xdg.join("attendant/attendant.toml"));
        }
        let temporary = std::env::temp_dir().join(format!("attendant-{user}"));
        Self {
            config,
            state: given("STATE_DIRECTORY").unwrap_or_else(|| {
                own("/var/lib/attendant", "XDG_STATE_HOME", home.join(".local/state"))
            }),
            runtime: given("RUNTIME_DIRECTORY")
                .unwrap_or_else(|| own("/run/attendant", "XDG_RUNTIME_DIR", temporary)),
            cache: given("CACHE_DIRECTORY"),
        }
    }

    /// The configuration file that counts, if there is one.
    pub fn config(&self) -> Option<&Path> {
        self.config.iter().map(PathBuf::as_path).find(|path| path.exists())
    }

    /// Where the configuration file is made where there is none.
    pub fn new_config(&self) -> Option<&Path> {
        self.config.first().map(PathBuf::as_path)
    }

    /// What stays over a restart.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// What can be made anew, as rendered phrases.
    pub fn cache(&self) -> &Path {
        self.cache.as_deref().unwrap_or(&self.state)
    }

    /// What lasts as long as the program; it need not be there.
    pub fn runtime_folder(&self) -> &Path {
        &self.runtime
    }

    /// The runtime folder that systemd has made.
    pub fn given_runtime(&self) -> Option<&Path> {
        std::env::var_os("RUNTIME_DIRECTORY").map(|_| self.runtime.as_path())
    }

    /// The shelf of models, which need not be there.
    pub fn models(&self) -> PathBuf {
        self.state.join("models")
    }

    /// Where the engine waits that nobody told another place; the folder is made if it is missing,
    /// for this user only.
    pub fn engine_socket(&self) -> io::Result<PathBuf> {
        Ok(self.runtime()?.join("engine.sock"))
    }

    /// Where the engine waits that this process starts: two of us do not meet.
    pub fn own_engine_socket(&self) -> io::Result<PathBuf> {
        Ok(self.runtime()?.join(format!("engine-{}.sock", std::process::id())))
    }

    fn runtime(&self) -> io::Result<&Path> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.runtime)?;
        Ok(&self.runtime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(variables: &[(&str, &str)], user: u32) -> Paths {
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        Paths::of(find, user)
    }

    #[test]
    fn root_uses_the_systems_folders() {
        let paths = paths(&[("HOME", "/root"), ("XDG_STATE_HOME", "/root/state")], 0);
        assert_eq!(paths.config, [Path::new("/etc/attendant/attendant.toml")]);
        assert_eq!(paths.state, Path::new("/var/lib/attendant"));
        assert_eq!(paths.cache(), Path::new("/var/lib/attendant"));
        assert_eq!(paths.runtime, Path::new("/run/attendant"));
    }

    #[test]
    fn anyone_else_uses_xdg_folders_and_then_the_systems_configuration() {
        let paths = paths(&[("HOME", "/home/ann"), ("XDG_RUNTIME_DIR", "/run/user/7")], 7);
        assert_eq!(
            paths.config,
            [
                Path::new("/home/ann/.config/attendant/attendant.toml"),
                Path::new("/etc/attendant/attendant.toml"),
            ]
        );
        assert_eq!(paths.state, Path::new("/home/ann/.local/state/attendant"));
        assert_eq!(paths.runtime, Path::new("/run/user/7/attendant"));
    }

    #[test]
    fn what_systemd_names_wins_and_relative_folders_do_not_count() {
        let paths = paths(
            &[
                ("STATE_DIRECTORY", "/var/lib/private/attendant:/var/lib/other"),
                ("RUNTIME_DIRECTORY", "/run/attendant"),
                ("XDG_CONFIG_HOME", "here"),
                ("HOME", "/h"),
            ],
            990,
        );
        assert_eq!(paths.state, Path::new("/var/lib/private/attendant"));
        assert_eq!(paths.runtime, Path::new("/run/attendant"));
        assert_eq!(paths.config[0], Path::new("/h/.config/attendant/attendant.toml"));
    }
}
