//! The codecs as the media plane uses them: packets in a row, some of them lost or rotten.

use super::signal::{dbfs, noise, snr_db, speech, speech_at, tones};
use super::*;

/// Encodes in packets of `packet_ms` and returns the payloads.
fn encode_all(encoder: &mut Encoder, codec: Codec, pcm: &[i16], packet_ms: usize) -> Vec<Vec<u8>> {
    let size = codec.sample_rate_hz() as usize / 1_000 * packet_ms;
    let mut payload = [0; MAX_PACKET_BYTES];
    pcm.chunks_exact(size)
        .map(|packet| {
            let bytes = encoder.encode(packet, &mut payload);
            payload[..bytes].to_vec()
        })
        .collect()
}

fn decode_all(decoder: &mut Decoder, payloads: &[Vec<u8>]) -> Vec<i16> {
    let mut out = [0; MAX_PACKET_SAMPLES];
    let mut pcm = Vec::new();
    for payload in payloads {
        let samples = decoder.decode(payload, &mut out).unwrap();
        pcm.extend_from_slice(&out[..samples]);
    }
    pcm
}

fn encoder(codec: Codec) -> Encoder {
    Encoder::new(codec, EncoderSettings::default()).unwrap()
}

#[test]
fn speech_comes_back_from_every_codec_at_every_packet_length() {
    let wanted_db = |codec| match codec {
        Codec::Pcmu | Codec::Pcma => 34.0,
        Codec::G722 => 18.0,
        Codec::Opus => 8.0,
        Codec::L16 => 80.0,
    };
    for codec in Codec::ALL {
        let pcm = speech(codec.sample_rate_hz(), codec.sample_rate_hz() as usize * 12 / 10);
        for wanted_ms in [10, 20, 30, 40, 50, 60] {
            let length_ms = packet_ms(codec, wanted_ms);
            let payloads = encode_all(&mut encoder(codec), codec, &pcm, length_ms as usize);
            let samples = (codec.sample_rate_hz() / 1_000) as usize * length_ms as usize;
            for payload in &payloads {
                assert_eq!(samples_in(codec, payload), Some(samples), "{codec:?} {length_ms} ms");
            }
            let heard = decode_all(&mut Decoder::new(codec).unwrap(), &payloads);
            let snr = snr_db(&pcm, &heard, 200);
            assert!(snr >= wanted_db(codec), "{codec:?} {length_ms} ms: {snr} dB");
        }
    }
}

#[test]
fn the_timestamp_advance_follows_the_rtp_clock() {
    let cases = [
        (Codec::Pcmu, vec![0xFF; 160], Some(160)),
        (Codec::Pcma, vec![0xD5; 240], Some(240)),
        // G.722 counts at 8 kHz although it has 16,000 samples a second.
        (Codec::G722, vec![0xFD; 160], Some(160)),
        (Codec::Opus, vec![0xF8, 0xFF, 0xFE], Some(960)),
        (Codec::Opus, vec![0x48], Some(960)),
        (Codec::Opus, vec![0x40], Some(480)),
        (Codec::Opus, vec![0x49, 1, 2], Some(1_920)),
        (Codec::Opus, vec![0x4B, 0x03, 9, 9, 9], Some(2_880)),
        (Codec::Opus, vec![0x4B], None),
        (Codec::Opus, vec![0x4B, 0x00], None),
        // 63 frames of 60 ms would be longer than a packet may be.
        (Codec::Opus, vec![0x5B, 0x3F], None),
        (Codec::Pcmu, vec![], None),
    ];
    for (codec, payload, units) in cases {
        assert_eq!(rtp_time_in(codec, &payload), units, "{codec:?} {payload:?}");
    }
}

#[test]
fn a_reset_codec_sounds_as_a_new_one() {
    let mut set = CodecSet::new().unwrap();
    for codec in Codec::ALL {
        let pcm = speech(codec.sample_rate_hz(), codec.sample_rate_hz() as usize / 2);
        let first = encode_all(set.encoder(codec), codec, &pcm, 20);
        let heard = decode_all(set.decoder(codec), &first);
        let mut gap = [0; 320];
        set.decoder(codec).conceal(&mut gap);
        set.reset();
        let second = encode_all(set.encoder(codec), codec, &pcm, 20);
        assert_eq!(first, second, "{codec:?}");
        assert_eq!(heard, decode_all(set.decoder(codec), &second), "{codec:?}");
    }
}

#[test]
fn a_silence_payload_is_silent_in_a_fresh_decoder() {
    for codec in Codec::ALL {
        let mut payload = [0; MAX_PACKET_BYTES];
        let bytes = fill_silence(codec, 20, &mut payload);
        let mut out = [0; MAX_PACKET_SAMPLES];
        let mut decoder = Decoder::new(codec).unwrap();
        for _ in 0..50 {
            let samples = decoder.decode(&payload[..bytes], &mut out).unwrap();
            assert_eq!(samples as u32, codec.sample_rate_hz() / 50);
            assert!(dbfs(&out[..samples]) < -60.0, "{codec:?} {}", dbfs(&out[..samples]));
        }
        assert_eq!(fill_silence(codec, 20, &mut [0; 2]), 0);
    }
}

#[test]
fn wrong_lengths_encode_to_nothing() {
    let mut out = [0; MAX_PACKET_BYTES];
    assert_eq!(encoder(Codec::Opus).encode(&[0; 480], &mut out), 0, "30 ms");
    assert_eq!(encoder(Codec::Opus).encode(&[], &mut out), 0);
    assert_eq!(encoder(Codec::Opus).encode(&[0; 320], &mut []), 0);
    assert_eq!(encoder(Codec::G722).encode(&[0; 319], &mut out), 0);
    assert_eq!(encoder(Codec::G722).encode(&[0; 320], &mut out[..159]), 0);
    assert_eq!(encoder(Codec::Pcmu).encode(&[0; 160], &mut out[..159]), 0);
}

#[test]
fn a_bad_payload_is_a_fault_with_a_name() {
    let mut out = [0; 320];
    for codec in Codec::ALL {
        let mut decoder = Decoder::new(codec).unwrap();
        assert_eq!(decoder.decode(&[], &mut out), Err(DecodeFault::Empty));
        let long = if codec == Codec::Opus { vec![0x58, 1, 2, 3] } else { vec![0; 800] };
        assert_eq!(decoder.decode(&long, &mut out), Err(DecodeFault::TooLong), "{codec:?}");
    }
    let mut opus = Decoder::new(Codec::Opus).unwrap();
    assert_eq!(opus.decode(&[0x4B, 0x00], &mut out), Err(DecodeFault::Malformed));
    let mut samples = Decoder::new(Codec::L16).unwrap();
    assert_eq!(samples.decode(&[1, 2, 3], &mut out), Err(DecodeFault::Malformed));
}

#[test]
fn opus_sends_next_to_nothing_in_silence() {
    let settings = EncoderSettings { dtx: true, ..EncoderSettings::default() };
    let mut encoder = Encoder::new(Codec::Opus, settings).unwrap();
    let payloads = encode_all(&mut encoder, Codec::Opus, &[0; 16_000 * 2], 20);
    let small = payloads.iter().filter(|p| p.len() <= 2).count();
    assert!(small > 70, "{small} of {}", payloads.len());
    let loud = encode_all(&mut encoder, Codec::Opus, &speech(16_000, 16_000), 20);
    assert!(loud[10..].iter().all(|p| p.len() > 10));
    assert_eq!(decode_all(&mut Decoder::new(Codec::Opus).unwrap(), &payloads).len(), 32_000);
}

#[test]
fn a_lost_opus_packet_comes_back_from_the_next_one() {
    let settings =
        EncoderSettings { bitrate_bps: Some(32_000), expected_loss_pct: 20, ..Default::default() };
    let pcm = speech(16_000, 32_000);
    let mut encoder = Encoder::new(Codec::Opus, settings).unwrap();
    let payloads = encode_all(&mut encoder, Codec::Opus, &pcm, 20);
    let whole = decode_all(&mut Decoder::new(Codec::Opus).unwrap(), &payloads);
    let (mut copies, mut recovered, mut invented) = (0, Vec::new(), Vec::new());
    let mut lost = Vec::new();
    let mut with_fec = Decoder::new(Codec::Opus).unwrap();
    let mut without = Decoder::new(Codec::Opus).unwrap();
    let mut out = [0; 320];
    for (n, payload) in payloads.iter().enumerate() {
        if n % 7 == 3 && n + 1 < payloads.len() {
            let recovery = with_fec.decode_fec(&payloads[n + 1], &mut out);
            copies += usize::from(recovery == Recovery::Copy);
            recovered.extend_from_slice(&out);
            without.conceal(&mut out);
            invented.extend_from_slice(&out);
            lost.extend_from_slice(&whole[n * 320..(n + 1) * 320]);
        } else {
            with_fec.decode(payload, &mut out).unwrap();
            without.decode(payload, &mut out).unwrap();
        }
    }
    assert!(copies >= 10, "{copies} copies");
    let (fec, plc) = (snr_db(&lost, &recovered, 0), snr_db(&lost, &invented, 0));
    assert!(fec > plc + 3.0 && fec > 6.0, "recovered {fec} dB, concealed {plc} dB");
    let mut g711 = Decoder::new(Codec::Pcmu).unwrap();
    assert_eq!(g711.decode_fec(&[0xFF; 160], &mut out[..160]), Recovery::Concealed);
}

/// The largest jump between two neighbours.
fn largest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap()
}

#[test]
fn a_lost_frame_keeps_its_energy_and_does_not_click() {
    for codec in Codec::ALL {
        let rate_hz = codec.sample_rate_hz();
        let frame = rate_hz as usize / 50;
        for pitch_hz in [90.0, 120.0, 210.0] {
            let pcm = speech_at(rate_hz, rate_hz as usize * 2, pitch_hz);
            let payloads = encode_all(&mut encoder(codec), codec, &pcm, 20);
            let whole = decode_all(&mut Decoder::new(codec).unwrap(), &payloads);
            for lost in [25, 31, 47, 58] {
                let mut decoder = Decoder::new(codec).unwrap();
                let mut heard = decode_all(&mut decoder, &payloads[..lost]);
                let mut out = vec![0; frame];
                decoder.conceal(&mut out);
                heard.extend_from_slice(&out);
                heard.extend(decode_all(&mut decoder, &payloads[lost + 1..lost + 4]));
                let range = lost * frame..(lost + 1) * frame;
                let off_db = dbfs(&heard[range.clone()]) - dbfs(&whole[range]);
                let label = format!("{codec:?} {pitch_hz} Hz, packet {lost}");
                assert!((-9.0..6.0).contains(&off_db), "{label}: {off_db} dB");
                let around = (lost - 4) * frame..(lost + 3) * frame;
                let (got, usual) =
                    (largest_step(&heard[around.clone()]), largest_step(&whole[around]));
                assert!(f64::from(got) < 1.5 * f64::from(usual), "{label}: {got} over {usual}");
            }
        }
    }
}

#[test]
fn a_gap_begins_without_a_step_where_there_is_no_pitch() {
    // 47 Hz is below every voice: what is repeated does not fit the place.
    for rate_hz in [8_000, 16_000] {
        let hum = tones(rate_hz, rate_hz as usize, &[47.0], 10_000.0);
        let natural = largest_step(&hum);
        for end in (rate_hz as usize / 2..rate_hz as usize).step_by(rate_hz as usize / 50 + 37) {
            let mut concealment = Concealment::new(rate_hz);
            let mut before = hum[end - rate_hz as usize / 4..end].to_vec();
            concealment.received(&mut before);
            let mut out = [0; 4];
            concealment.conceal(&mut out);
            let joint = [&before[before.len() - 2..], &out].concat();
            let got = largest_step(&joint);
            assert!(got <= natural * 3, "{rate_hz} Hz, gap at {end}: {got} over {natural}");
        }
    }
}

#[test]
fn a_long_gap_fades_to_the_background_and_not_to_a_hum() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let rate_hz = codec.sample_rate_hz() as usize;
        let mut pcm = noise(rate_hz / 2, 60.0);
        pcm.extend(speech(rate_hz as u32, rate_hz / 2));
        let payloads = encode_all(&mut encoder(codec), codec, &pcm, 20);
        let mut decoder = Decoder::new(codec).unwrap();
        let heard = decode_all(&mut decoder, &payloads);
        let background = dbfs(&heard[rate_hz / 10..rate_hz / 2]);
        let mut out = vec![0; rate_hz / 50];
        for n in 0..50 {
            decoder.conceal(&mut out);
            if n >= 4 {
                let off_db = dbfs(&out) - background;
                assert!((-6.0..6.0).contains(&off_db), "{codec:?} frame {n}: {off_db} dB");
            }
        }
        // Sound again: blended in, no louder than it is.
        let again = decode_all(&mut decoder, &payloads[30..40]);
        assert!(largest_step(&again) <= largest_step(&heard) * 3 / 2);
    }
}

#[test]
fn concealing_before_anything_was_heard_is_silence() {
    for codec in Codec::ALL {
        let mut out = [77; 320];
        Decoder::new(codec).unwrap().conceal(&mut out);
        assert!(dbfs(&out) < -80.0, "{codec:?}");
    }
}

#[test]
fn garbage_never_panics() {
    let bytes = noise(100_000 + 400, 32_767.0);
    let garbage: Vec<u8> = bytes.iter().map(|&b| (b >> 4) as u8).collect();
    let mut out = [0; MAX_PACKET_SAMPLES];
    for codec in Codec::ALL {
        let mut decoder = Decoder::new(codec).unwrap();
        let mut at = 0;
        while at < 100_000 {
            let length = usize::from(garbage[at]) + at % 3;
            let payload = &garbage[at..(at + length).min(garbage.len())];
            let _ = samples_in(codec, payload);
            if let Ok(samples) = decoder.decode(payload, &mut out) {
                assert!(samples <= out.len());
                assert_eq!(samples_in(codec, payload), Some(samples), "{codec:?} {payload:?}");
            }
            let _ = decoder.decode_fec(payload, &mut out[..at % 400]);
            decoder.conceal(&mut out[..at % 700]);
            at += 17 + length;
        }
    }
}

fn resample_all(from_hz: u32, to_hz: u32, input: &[i16]) -> Vec<i16> {
    let mut resampler = Resampler::new(from_hz, to_hz);
    let mut all = Vec::new();
    let block = from_hz as usize / 50;
    let mut out = vec![0; resampler.max_output(block) + 1];
    for chunk in input.chunks(block) {
        let samples = resampler.process(chunk, &mut out);
        all.extend_from_slice(&out[..samples]);
    }
    all
}

#[test]
fn the_resampler_passes_the_telephone_band_and_stops_its_images() {
    let pairs = [
        (8_000, 16_000),
        (16_000, 8_000),
        (48_000, 16_000),
        (16_000, 48_000),
        (22_050, 16_000),
        (24_000, 16_000),
    ];
    for (from_hz, to_hz) in pairs {
        let low: f32 = (from_hz.min(to_hz) / 2) as f32;
        for share in [0.05, 0.25, 0.5, 0.8] {
            let input = tones(from_hz, from_hz as usize, &[low * share], 10_000.0);
            let output = resample_all(from_hz, to_hz, &input);
            let loss_db = dbfs(&input) - dbfs(&output[to_hz as usize / 50..]);
            assert!(loss_db.abs() < 0.5, "{from_hz} to {to_hz}, {share}: {loss_db} dB");
            let wanted = tones(to_hz, to_hz as usize, &[low * share], 10_000.0);
            // Delays of a fraction of a sample are not searched for: low tones only.
            if share < 0.2 && from_hz < to_hz {
                let snr = snr_db(&wanted[..to_hz as usize / 2], &output, 60);
                assert!(snr > 25.0, "{from_hz} to {to_hz}, {share}: {snr} dB");
            }
        }
        if from_hz > to_hz {
            for share in [1.2, 1.5, 1.9] {
                let hz = (low * share).min(from_hz as f32 / 2.0 - 100.0);
                let output = resample_all(
                    from_hz,
                    to_hz,
                    &tones(from_hz, from_hz as usize, &[hz], 10_000.0),
                );
                let left = dbfs(&output[to_hz as usize / 50..]);
                assert!(left < -60.0, "{from_hz} to {to_hz}, alias of {hz}: {left} dBFS");
            }
        }
    }
    // The image of 1 kHz at 7 kHz: what is left when the tone is taken out.
    let output = resample_all(8_000, 16_000, &tones(8_000, 8_000, &[1_000.0], 10_000.0));
    let tone = tones(16_000, 16_000, &[1_000.0], 10_000.0);
    let snr = snr_db(&tone[..8_000], &output, 64);
    assert!(snr > 50.0, "{snr} dB");
}

#[test]
fn every_block_gives_a_block_and_cutting_does_not_matter() {
    for (from_hz, to_hz) in [(8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (16_000, 48_000)] {
        let input = speech(from_hz, from_hz as usize / 2);
        let in_blocks = resample_all(from_hz, to_hz, &input);
        assert_eq!(in_blocks.len(), to_hz as usize / 2);
        let mut whole = vec![0; in_blocks.len()];
        let samples = Resampler::new(from_hz, to_hz).process(&input, &mut whole);
        assert_eq!((samples, &whole), (in_blocks.len(), &in_blocks));
        let mut odd = Vec::new();
        let mut resampler = Resampler::new(from_hz, to_hz);
        for chunk in input.chunks(37) {
            let mut out = vec![0; resampler.max_output(chunk.len())];
            let samples = resampler.process(chunk, &mut out);
            odd.extend_from_slice(&out[..samples]);
        }
        assert_eq!(odd, in_blocks);
    }
}

#[test]
fn the_stated_delay_is_the_delay() {
    for (from_hz, to_hz) in [(8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (16_000, 48_000)] {
        let mut input = vec![0; 960];
        input[480] = 20_000;
        let output = resample_all(from_hz, to_hz, &input);
        let peak = output.iter().enumerate().max_by_key(|(_, s)| s.abs()).unwrap().0;
        let came_at = 480 * to_hz as usize / from_hz as usize;
        let stated = Resampler::new(from_hz, to_hz).delay_samples();
        assert!((peak - came_at).abs_diff(stated) <= 1, "{from_hz} to {to_hz}: {peak} {stated}");
        assert!(stated as u32 * 1_000 / to_hz <= 2, "{from_hz} to {to_hz}: {stated} samples");
    }
}
