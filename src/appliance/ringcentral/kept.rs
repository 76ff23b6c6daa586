//! What an account was provisioned with, on the disk: for the owner of the folder alone, and whole or not
//! at all.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::store::{bounded, whole};
use crate::trunk::ringcentral::Provision;

/// The file of one account.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    path: PathBuf,
    whom: String,
}

#[derive(Deserialize, Serialize)]
struct File {
    /// Whose it is.
    whom: String,
    provision: Provision,
}

impl Kept {
    /// `whom`: what was kept for anybody else is not used.
    pub const fn new(path: PathBuf, whom: String) -> Self {
        Self { path, whom }
    }

    /// `None`: nothing was kept, or nothing that makes sense; it is asked for again.
    pub fn read(&self) -> Option<Box<Provision>> {
        let text = bounded::text(&self.path, limits::RINGCENTRAL_BODY_BYTES as u64).ok()?;
        let file: File = serde_json::from_str(&text).ok()?;
        let provision = file.provision.checked().ok()?;
        (file.whom == self.whom).then(|| Box::new(provision))
    }

    pub fn write(&self, provision: &Provision) {
        let file = File { whom: self.whom.clone(), provision: provision.clone() };
        // No map in it has keys other than texts.
        let bytes = serde_json::to_vec(&file).unwrap_or_default();
        if let Err(error) = whole::write(&self.path, &bytes) {
            let path = self.path.display();
            tracing::warn!(%path, %error, "what RingCentral has given is not kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::base::Private;
    use crate::trunk::ringcentral::{Mode, Proxy};

    #[test]
    fn it_is_the_same_again_and_for_its_owner_alone() {
        let folder =
            std::env::temp_dir().join(format!("attendant-ringcentral-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("ringcentral-desk.json");
        let kept = Kept::new(path.clone(), "a".to_owned());
        assert!(kept.read().is_none());
        let private = |text: &str| Private::new(text.to_owned());
        let provision = Provision {
            mode: Mode::WebPhone,
            domain: "sip.ringcentral.com".to_owned(),
            username: private("1720*115"),
            password: private("hush"),
            authorization_id: private("802"),
            proxies: vec![Proxy { place: "sip1:8083".to_owned(), is_secure: true }],
            switch_back_s: Some(60),
            device_id: Private::new(None),
        };
        kept.write(&provision);
        assert_eq!(kept.read().as_deref(), Some(&provision));
        assert!(Kept::new(path.clone(), "b".to_owned()).read().is_none());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "{").unwrap();
        assert!(kept.read().is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
