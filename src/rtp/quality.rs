//! How a call sounds to people: the E-model (ITU-T G.107) from what RTP and RTCP tell.
//!
//! ```text
//!  R = Ro − Is − Id(delay) − Ie,eff(codec, loss)  ─▶ MOS-CQE, 1 to 4.5
//! ```
//!
//! With all parameters at their defaults R is 93.2. Of these only delay, codec and loss are
//! measured; noise, loudness and echo at the far end are taken as the defaults have them, among them
//! an echo 65 dB down (TELR), which is what makes delay cost something below 150 ms.
//!
//! The scale is the narrowband one, for all codecs. On the wideband scale of G.107.1, which goes to 129, the
//! same G.711 call would be a 3.x beside a G.722 call: figures of one box could not be compared with each
//! other, nor with those of other systems. So a wideband codec is rated as the narrowband codec that
//! it is no worse than, and its wider sound is no part of the figure.

use crate::codec::Codec;

/// Ro − Is (94.77 − 1.41) with G.107's defaults. Listener echo takes 0.15 even without delay: 93.2 is left.
const DEFAULT_RATING: f32 = 93.36;
/// Below a rating of 0 and above one of 100 the MOS does not change (G.107 annex B).
const WORST_MOS: f32 = 1.0;
const BEST_MOS: f32 = 4.5;
/// Talker echo loudness rating, and weighted echo path loss, in dB: G.107's defaults.
const TELR_DB: f32 = 65.0;
const WEPL_DB: f32 = 110.0;
/// Basic signal-to-noise ratio, noise floor and receive loudness with the defaults, in dB.
const BASIC_DB: f32 = 94.77;
const NOISE_DB: f32 = -61.18;
const RLR_DB: f32 = 2.0;

/// How well a codec does: its impairment without loss, and its robustness against random loss.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Equipment {
    ie: f32,
    bpl: f32,
}

impl Equipment {
    const fn of(codec: Codec) -> Self {
        match codec {
            // G.113 appendix I (2007), table I.3: "G.711 with PLC".
            // L16 is concealed in the same way.
            Codec::Pcmu | Codec::Pcma | Codec::L16 => Self { ie: 0.0, bpl: 25.1 },
            // At 64 kbit/s no worse than G.711 in the telephone band, and concealed by the same kind of
            // repetition. G.113 appendix IV has values for the wideband scale only.
            Codec::G722 => Self { ie: 0.0, bpl: 25.1 },
            // ITU-T has none. Of those that Alahmadi, Pocta and Melvin publish (ACM TOMM 17(4), 2021, and the
            // tables of their E-model program) the best narrowband one: 11 kbit/s at a constant rate,
            // Ie 2.03, Bpl 15.95. Ours has 16 kHz and more bits.
            Codec::Opus => Self { ie: 2.0, bpl: 16.0 },
        }
    }
}

/// One direction of a call over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    pub codec: Codec,
    /// From mouth to ear, in milliseconds.
    pub one_way_ms: f32,
    /// Share of the packets that were never played, 0 to 1.
    pub loss: f32,
    /// G.107's burst ratio: how much longer the gaps are than those of random loss would be. 1 where
    /// nothing is known.
    pub burst: f32,
}

/// What makes the way from mouth to ear long, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// To the other end and back, by RTCP.
    pub round_trip_ms: f32,
    /// Sound in a packet.
    pub packet_ms: f32,
    /// The receiver's jitter buffer.
    pub buffer_ms: f32,
}

impl Delays {
    /// From mouth to ear: half of the way, the packet that has to be full before it goes, the wait
    /// before it is played, and what the codec looks ahead (1.5 ms of G.722's filters; Opus' 6.5 ms,
    /// RFC 6716 section 2.1.4 and its encoder's documentation; none of G.711).
    pub fn one_way_ms(self, codec: Codec) -> f32 {
        let codec_ms = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::L16 => 0.0,
            Codec::G722 => 1.5,
            Codec::Opus => 6.5,
        };
        self.round_trip_ms / 2.0 + self.packet_ms + self.buffer_ms + codec_ms
    }
}

/// The transmission rating R of G.107, 0 to 93.21.
pub fn rating(path: &Path) -> f32 {
    let delay_ms = path.one_way_ms.clamp(0.0, 10_000.0);
    let id = talker_echo(delay_ms) + listener_echo(delay_ms) + absolute_delay(delay_ms);
    (DEFAULT_RATING - id - equipment(path)).clamp(0.0, 100.0)
}

/// Mean opinion score of a conversation by G.107 annex B, 1 to 4.5.
pub fn mos(rating: f32) -> f32 {
    if rating <= 0.0 {
        return WORST_MOS;
    }
    if rating >= 100.0 {
        return BEST_MOS;
    }
    let mos = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6;
    // The polynomial falls below 1 between 0 and 6.5.
    mos.max(WORST_MOS)
}

/// Ie,eff of G.107 section 7.5, equation (7-29).
fn equipment(path: &Path) -> f32 {
    let Equipment { ie, bpl } = Equipment::of(path.codec);
    let percent = 100.0 * path.loss.clamp(0.0, 1.0);
    if percent == 0.0 {
        return ie;
    }
    ie + (95.0 - ie) * percent / (percent / path.burst.max(1.0) + bpl)
}

/// Idte: our own echo, which a longer way makes more of (equations (7-22) to (7-25)).
fn talker_echo(delay_ms: f32) -> f32 {
    let masked = 40.0 * ((1.0 + delay_ms / 10.0) / (1.0 + delay_ms / 150.0)).log10();
    let terv = TELR_DB - masked + 6.0 * (-0.3 * delay_ms * delay_ms).exp();
    let re = 80.0 + 2.5 * (terv - 14.0);
    let roe = -1.5 * (NOISE_DB - RLR_DB);
    let half = (roe - re) / 2.0;
    let idte = half + (half * half + 100.0).sqrt() - 1.0;
    (idte * (1.0 - (-delay_ms).exp())).max(0.0)
}

/// Idle: the echo of the other's voice (equation (7-26)), after twice the way.
fn listener_echo(delay_ms: f32) -> f32 {
    let rle = 10.5 * (WEPL_DB + 7.0) * (2.0 * delay_ms + 1.0).powf(-0.25);
    let half = (BASIC_DB - rle) / 2.0;
    half + (half * half + 169.0).sqrt()
}

/// Idd: too long a way for talk, whatever the echo (equations (7-27) and (7-28)).
fn absolute_delay(delay_ms: f32) -> f32 {
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    let root = |value: f32| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(codec: Codec, one_way_ms: f32, loss: f32, burst: f32) -> Path {
        Path { codec, one_way_ms, loss, burst }
    }

    #[test]
    fn ratings_become_the_scores_of_annex_b() {
        for (rating, expected) in [
            (93.2, 4.41),
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
            (100.0, 4.5),
            (120.0, 4.5),
            (3.0, 1.0),
            (0.0, 1.0),
            (-5.0, 1.0),
        ] {
            let mos = mos(rating);
            assert!((mos - expected).abs() < 0.01, "R {rating}: {mos}");
        }
    }

    #[test]
    fn without_delay_and_loss_it_is_the_default() {
        let rating = rating(&path(Codec::Pcma, 0.0, 0.0, 1.0));
        assert!((rating - 93.2).abs() < 0.02, "{rating}");
        assert!((mos(rating) - 4.41).abs() < 0.01);
    }

    /// Cole and Rosenbluth ("Voice over IP performance monitoring", 2001) fit G.107 with these defaults by two
    /// lines, up to 300 ms.
    #[test]
    fn delay_costs_what_the_published_fit_says() {
        for delay_ms in [25.0_f32, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0] {
            let fit = 0.024 * delay_ms + 0.11 * (delay_ms - 177.3).max(0.0);
            let lost = 93.2 - rating(&path(Codec::Pcmu, delay_ms, 0.0, 1.0));
            assert!((lost - fit).abs() < 0.5, "{delay_ms} ms: {lost}, fit {fit}");
        }
        // Idd alone, by hand from equation (7-27).
        for (delay_ms, idd) in [(100.0, 0.0), (150.0, 0.16), (200.0, 3.04), (400.0, 24.07)] {
            assert!((absolute_delay(delay_ms) - idd).abs() < 0.02, "{delay_ms} ms");
        }
    }

    #[test]
    fn loss_costs_what_the_equipment_factors_say() {
        // Ie,eff = 95 * Ppl / (Ppl + 25.1) for G.711 with concealment.
        for (codec, percent, burst, ie) in [
            (Codec::Pcmu, 1.0_f32, 1.0, 3.64),
            (Codec::Pcmu, 5.0, 1.0, 15.78),
            (Codec::Pcma, 10.0, 1.0, 27.07),
            (Codec::Pcma, 10.0, 2.0, 31.56),
            (Codec::G722, 5.0, 1.0, 15.78),
            (Codec::Opus, 0.0, 1.0, 2.0),
            (Codec::Opus, 5.0, 1.0, 24.14),
        ] {
            let lost = equipment(&path(codec, 20.0, percent / 100.0, burst));
            assert!((lost - ie).abs() < 0.02, "{codec:?} {percent} %: {lost}");
        }
    }

    #[test]
    fn no_figure_leaves_the_scale() {
        for one_way_ms in [-5.0, 0.0, f32::MAX, f32::INFINITY] {
            for loss in [-1.0, 0.5, 1.0, 7.0] {
                for burst in [0.0, 1.0, 1e9] {
                    let rating = rating(&path(Codec::Opus, one_way_ms, loss, burst));
                    assert!((0.0..=93.25).contains(&rating), "{one_way_ms} {loss} {burst}");
                    assert!((1.0..=4.5).contains(&mos(rating)));
                }
            }
        }
    }

    #[test]
    fn the_way_from_mouth_to_ear_has_its_parts() {
        let delays = Delays { round_trip_ms: 60.0, packet_ms: 20.0, buffer_ms: 40.0 };
        assert_eq!(delays.one_way_ms(Codec::Pcmu), 90.0);
        assert_eq!(delays.one_way_ms(Codec::Opus), 96.5);
    }
}
