//! A call that we make, up to its answer.
//!
//! ```text
//! Dialled ─ 180 ─▶ Ringing ─┐
//!    └─────── description ──┴─▶ Early ─ 2xx ─▶ Accepted ─┐
//!                                                        ├─ both ─▶ answered
//!                                         picked up ─────┘
//! ```
//!
//! Two things make the answer: the 2xx, which brings a description, and the word of the trunk that
//! somebody has picked up. Where the trunk's policy is `sip-200` they are one. What is heard before
//! is early media. Invariant: nothing but [`Dialling::is_answered`] lets the call speak.

use super::agreement::Agreement;
use super::ending::Cause;
use super::media::Plan;
use super::record::Progress;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialled,
    Ringing,
    /// Sound may be coming.
    Early,
    /// The dialog is confirmed: a BYE ends it, and no CANCEL.
    Accepted,
}

/// How far it has come.
#[derive(Debug)]
pub(super) struct Dialling {
    stage: Stage,
    has_media: bool,
    is_picked_up: bool,
}

/// What the media are to do with a description.
#[derive(Debug)]
pub(super) enum Media {
    Start(Plan),
    Apply(Plan),
}

impl Dialling {
    pub(super) const fn new() -> Self {
        Self { stage: Stage::Dialled, has_media: false, is_picked_up: false }
    }

    /// A provisional response. Of several early dialogs the one is listened to that was described
    /// last; a description that fits nothing is left alone, as another may follow.
    pub(super) fn provisional(
        &mut self,
        agreement: &mut Agreement,
        status: u16,
        sdp: Option<&[u8]>,
    ) -> Option<Media> {
        if self.stage == Stage::Accepted {
            return None;
        }
        if let Some(plan) = sdp.and_then(|sdp| agreement.accept(sdp).ok()) {
            self.stage = Stage::Early;
            return Some(self.media(plan));
        }
        if status == 180 && self.stage == Stage::Dialled {
            self.stage = Stage::Ringing;
        }
        None
    }

    /// The 2xx; `None` where its description fits nothing, or is missing.
    pub(super) fn accepted(
        &mut self,
        agreement: &mut Agreement,
        sdp: Option<&[u8]>,
    ) -> Option<Media> {
        self.stage = Stage::Accepted;
        let plan = agreement.accept(sdp?).ok()?;
        Some(self.media(plan))
    }

    fn media(&mut self, plan: Plan) -> Media {
        match std::mem::replace(&mut self.has_media, true) {
            true => Media::Apply(plan),
            false => Media::Start(plan),
        }
    }

    /// The trunk says that somebody has answered.
    pub(super) fn pick_up(&mut self) {
        self.is_picked_up = true;
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_picked_up && self.is_accepted() && self.has_media
    }

    /// Another address is called in place of the first: what was heard of that counts no more.
    pub(super) fn begin_again(&mut self) {
        self.stage = Stage::Dialled;
    }

    /// A BYE is needed to end it.
    pub(super) fn is_accepted(&self) -> bool {
        self.stage == Stage::Accepted
    }

    pub(super) fn progress(&self) -> Progress {
        match self.stage {
            Stage::Dialled => Progress::Dialling,
            Stage::Ringing => Progress::Ringing,
            Stage::Early | Stage::Accepted => Progress::EarlyMedia,
        }
    }

    /// Why nobody was reached when the INVITE ended with this status.
    pub(super) fn refusal(&self, status: u16) -> Cause {
        match (status, self.stage) {
            (486 | 600, _) => Cause::CalleeBusy,
            (300..=302, _) => Cause::Redirected,
            // Nothing has come at all (timer B).
            (408, Stage::Dialled) => Cause::SignallingLost,
            (408 | 480 | 487, _) => Cause::NoAnswer,
            (status, _) => Cause::Refused(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;
    use crate::call::LocalMedia;
    use crate::codec::Codec;
    use crate::sdp::{OfferedKeys, Offering, Srtp};

    const FITS: &[u8] =
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 40000 RTP/AVP 0\r\n";
    const FITS_NOT: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\n\
        t=0 0\r\nm=audio 40000 RTP/AVP 18\r\n";

    fn dialled() -> (Dialling, Agreement) {
        let offering = Offering {
            codecs: vec![Codec::Pcmu],
            dtmf: true,
            ptime_ms: 20,
            srtp: Srtp::Off,
            keys: OfferedKeys::Sdes,
        };
        let media = LocalMedia {
            address: [192, 0, 2, 1].into(),
            port: 20_000,
            id: 7,
            srtp: None,
            keys: None,
            fingerprint: None,
            ice: Default::default(),
            seed: Private::default(),
        };
        let mut agreement = Agreement::new(offering, &media);
        agreement.offer();
        (Dialling::new(), agreement)
    }

    #[test]
    fn each_provisional_response_leads_no_further_than_it_says() {
        for (responses, progress) in [
            (&[][..], Progress::Dialling),
            (&[(183, None)], Progress::Dialling),
            (&[(181, None)], Progress::Dialling),
            (&[(180, None)], Progress::Ringing),
            (&[(180, Some(FITS_NOT))], Progress::Ringing),
            (&[(180, Some(FITS))], Progress::EarlyMedia),
            (&[(183, Some(FITS)), (180, None)], Progress::EarlyMedia),
            (&[(180, None), (183, Some(FITS)), (183, Some(FITS))], Progress::EarlyMedia),
        ] {
            let (mut dialling, mut agreement) = dialled();
            for (status, sdp) in responses {
                dialling.provisional(&mut agreement, *status, *sdp);
            }
            assert_eq!(dialling.progress(), progress, "{responses:?}");
            dialling.pick_up();
            assert!(!dialling.is_answered(), "{responses:?}");
        }
    }

    #[test]
    fn the_media_start_once_and_follow_each_description() {
        let (mut dialling, mut agreement) = dialled();
        let first = dialling.provisional(&mut agreement, 183, Some(FITS));
        assert!(matches!(first, Some(Media::Start(_))));
        let fork = dialling.provisional(&mut agreement, 183, Some(FITS));
        assert!(matches!(fork, Some(Media::Apply(_))));
        assert!(matches!(dialling.accepted(&mut agreement, Some(FITS)), Some(Media::Apply(_))));
        assert!(dialling.provisional(&mut agreement, 183, Some(FITS)).is_none(), "it comes late");
    }

    #[test]
    fn a_2xx_is_an_answer_once_somebody_has_picked_up_in_either_order() {
        for picks_up_first in [false, true] {
            let (mut dialling, mut agreement) = dialled();
            if picks_up_first {
                dialling.pick_up();
            }
            dialling.accepted(&mut agreement, Some(FITS));
            assert_eq!(dialling.is_answered(), picks_up_first);
            dialling.pick_up();
            assert!(dialling.is_answered() && dialling.is_accepted());
        }
    }

    #[test]
    fn a_2xx_that_fits_nothing_is_no_answer_whoever_picks_up() {
        for sdp in [None, Some(FITS_NOT)] {
            let (mut dialling, mut agreement) = dialled();
            dialling.pick_up();
            assert!(dialling.accepted(&mut agreement, sdp).is_none());
            assert!(!dialling.is_answered() && dialling.is_accepted());
        }
    }

    #[test]
    fn a_refusal_is_told_by_what_it_means() {
        let (mut dialling, mut agreement) = dialled();
        for (status, silent, rung) in [
            (486, Cause::CalleeBusy, Cause::CalleeBusy),
            (600, Cause::CalleeBusy, Cause::CalleeBusy),
            (408, Cause::SignallingLost, Cause::NoAnswer),
            (480, Cause::NoAnswer, Cause::NoAnswer),
            (487, Cause::NoAnswer, Cause::NoAnswer),
            (302, Cause::Redirected, Cause::Redirected),
            (305, Cause::Refused(305), Cause::Refused(305)),
            (404, Cause::Refused(404), Cause::Refused(404)),
            (603, Cause::Refused(603), Cause::Refused(603)),
        ] {
            assert_eq!(Dialling::new().refusal(status), silent, "{status}");
            dialling.provisional(&mut agreement, 180, None);
            assert_eq!(dialling.refusal(status), rung, "{status}");
        }
    }
}
