//! Levels of voices whose syllables rise and fall, alone, in a crowd and beside one another.

use super::*;

const ROOM_DBFS: f32 = -75.0;
const SECOND: usize = 50;

/// A row of numbers from 0 to 1 that is always the same.
struct Chance(u32);

impl Chance {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 24) as f32
    }
}

/// Levels of one voice without a pause: syllables of 100 to 220 ms, of which each rises from 20 dB
/// below the loudest, with 20 to 80 ms between.
fn voice(seed: u32, loudest_dbfs: f32, frames: usize) -> Vec<f32> {
    let mut chance = Chance(seed);
    let mut levels = Vec::new();
    while levels.len() < frames {
        let (length, stress) = (5 + (6.0 * chance.next()) as usize, 6.0 * chance.next());
        for at in 0..length {
            let share = (at as f32 + 0.5) / length as f32;
            let edge = 1.0 - (std::f32::consts::PI * share).sin();
            levels.push(loudest_dbfs - stress - 20.0 * edge);
        }
        let gap = 1 + (3.0 * chance.next()) as usize;
        levels.extend(vec![loudest_dbfs - 35.0; gap]);
    }
    levels.truncate(frames);
    levels
}

fn sum(all: &[Vec<f32>]) -> Vec<f32> {
    let power = |dbfs: f32| 10.0_f32.powf(dbfs / 10.0);
    let at = |frame: usize| {
        let heard = all.iter().filter_map(|levels| levels.get(frame)).map(|dbfs| power(*dbfs));
        10.0 * heard.sum::<f32>().log10()
    };
    (0..all.iter().map(Vec::len).max().unwrap_or(0)).map(at).collect()
}

/// Six people whose loud moments are so loud together.
fn crowd(loud_dbfs: f32, frames: usize) -> Vec<f32> {
    let people: Vec<Vec<f32>> = (0..6).map(|seed| voice(900 + seed, -10.0, frames)).collect();
    let levels = sum(&people);
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let loud = sorted[frames * 9 / 10];
    levels.iter().map(|dbfs| dbfs - loud + loud_dbfs).collect()
}

fn quiet(frames: usize) -> Vec<f32> {
    vec![ROOM_DBFS; frames]
}

/// Gives each frame to `nearness`. Of those that speak, the share that is near.
fn share(nearness: &mut Nearness, levels: &[f32]) -> f32 {
    let heard = hear(nearness, levels, false);
    let spoken = levels.iter().filter(|dbfs| speaks(**dbfs)).count().max(1);
    heard.iter().filter(|is_near| **is_near).count() as f32 / spoken as f32
}

/// Everything does that is louder than the room.
fn speaks(dbfs: f32) -> bool {
    dbfs > -65.0
}

fn hear(nearness: &mut Nearness, levels: &[f32], we_speak: bool) -> Vec<bool> {
    let weigh = |level_dbfs: &f32| {
        let speech = if speaks(*level_dbfs) { 0.9 } else { 0.0 };
        let sound = Sound { speech, likeness: speech, we_speak, ..silent(*level_dbfs) };
        nearness.weigh(&sound) > SPEAKS
    };
    levels.iter().map(weigh).collect()
}

/// A frame in which nobody speaks.
const fn silent(level_dbfs: f32) -> Sound {
    Sound {
        level_dbfs,
        speech: 0.0,
        likeness: 0.0,
        voicing: 0.0,
        may_be_noise: true,
        we_speak: false,
        is_masked: false,
    }
}

/// Frames until 0.5 s of silence begin.
fn ends_after(nearness: &mut Nearness, levels: &[f32]) -> Option<usize> {
    let heard = hear(nearness, levels, false);
    heard.windows(SECOND / 2).position(|frames| frames.iter().all(|is_near| !is_near))
}

#[test]
fn in_a_quiet_room_nothing_is_taken_from_a_voice() {
    for loudest_dbfs in [-12.0, -25.0, -45.0] {
        let mut nearness = Nearness::new();
        for seed in 1..=6 {
            let levels = voice(seed, loudest_dbfs, 4 * SECOND);
            assert_eq!(share(&mut nearness, &levels), 1.0, "{loudest_dbfs} dBFS, {seed}");
            assert_eq!(share(&mut nearness, &quiet(SECOND)), 0.0);
        }
    }
}

#[test]
fn a_turn_ends_in_a_crowd_and_the_next_one_is_heard() {
    for below_db in [10.0, 15.0, 25.0] {
        let mut nearness = Nearness::new();
        let mut around = crowd(-15.0 - below_db, 60 * SECOND).into_iter();
        let mut next = |frames: usize| around.by_ref().take(frames).collect::<Vec<f32>>();
        // We greet, and nobody is known yet.
        hear(&mut nearness, &next(4 * SECOND), false);
        for turn in 1..=6 {
            let said = sum(&[voice(turn, -15.0, 2 * SECOND), next(2 * SECOND)]);
            let heard = share(&mut nearness, &said);
            // At 10 dB the ends of syllables are as loud as the crowd.
            assert!(
                heard > if below_db > 10.0 { 0.8 } else { 0.7 },
                "{below_db} dB below, turn {turn}: {heard}"
            );
            let ended = ends_after(&mut nearness, &next(3 * SECOND));
            assert!(ended.is_some_and(|at| at <= 15), "{below_db} dB below, {turn}: {ended:?}");
        }
    }
}

#[test]
fn a_crowd_before_the_first_word_is_silence_after_three_seconds() {
    let mut nearness = Nearness::new();
    let around = crowd(-30.0, 10 * SECOND);
    assert!(share(&mut nearness, &around[..2 * SECOND]) > 0.9, "it may be the caller");
    hear(&mut nearness, &around[2 * SECOND..3 * SECOND], false);
    let later = share(&mut nearness, &around[3 * SECOND..]);
    assert!(later < 0.05, "{later}");
}

#[test]
fn a_television_behind_the_caller_holds_no_turn_open_and_begins_none() {
    let mut nearness = Nearness::new();
    let far = voice(77, -35.0, 40 * SECOND);
    let said = sum(&[voice(1, -15.0, 2 * SECOND), far[..2 * SECOND].to_vec()]);
    assert!(share(&mut nearness, &said) > 0.9);
    let ended = ends_after(&mut nearness, &far[2 * SECOND..4 * SECOND]).unwrap();
    assert!(ended <= 55, "{ended} frames");
    // Known to be there, it holds the next turn for less.
    let said = sum(&[voice(2, -15.0, 2 * SECOND), far[4 * SECOND..6 * SECOND].to_vec()]);
    assert!(share(&mut nearness, &said) > 0.8);
    let ended = ends_after(&mut nearness, &far[6 * SECOND..8 * SECOND]).unwrap();
    assert!(ended <= 15, "{ended} frames");
}

#[test]
fn a_caller_who_turns_away_is_heard_at_once_or_soon() {
    for (below_db, within) in [(10.0, 1), (18.0, 6 * SECOND)] {
        let mut nearness = Nearness::new();
        share(&mut nearness, &voice(1, -15.0, 4 * SECOND));
        share(&mut nearness, &quiet(2 * SECOND));
        let away = voice(2, -15.0 - below_db, 12 * SECOND);
        let heard = hear(&mut nearness, &away, false);
        let lost = heard.iter().position(|is_near| *is_near).unwrap();
        assert!(lost <= within + 5, "{below_db} dB below: {lost} frames");
        assert!(heard[8 * SECOND..].iter().filter(|is_near| **is_near).count() > 3 * SECOND);
        // Back again, and away once more.
        assert!(share(&mut nearness, &voice(3, -15.0, SECOND)) > 0.95);
    }
}

#[test]
fn what_comes_while_we_speak_is_no_measure_for_the_caller() {
    let mut nearness = Nearness::new();
    // Our own greeting, which is not known as an echo yet.
    hear(&mut nearness, &voice(8, -12.0, 2 * SECOND), true);
    hear(&mut nearness, &quiet(SECOND), false);
    assert!(share(&mut nearness, &voice(1, -40.0, 2 * SECOND)) > 0.95);
}

#[test]
fn who_shouts_once_is_heard_afterwards() {
    let mut nearness = Nearness::new();
    share(&mut nearness, &voice(1, -20.0, 4 * SECOND));
    share(&mut nearness, &voice(2, -6.0, SECOND / 2));
    assert!(share(&mut nearness, &voice(3, -20.0, 2 * SECOND)) > 0.95);
}

#[test]
fn a_second_caller_at_the_same_telephone_is_heard_at_once() {
    let mut nearness = Nearness::new();
    share(&mut nearness, &voice(1, -20.0, 4 * SECOND));
    for below_db in [9.0, 18.0] {
        share(&mut nearness, &quiet(SECOND));
        let heard = share(&mut nearness, &voice(4, -20.0 - below_db, 2 * SECOND));
        assert!(heard > 0.95, "{below_db} dB below: {heard}");
    }
}

#[test]
fn a_caller_in_steady_noise_that_was_heard_before_is_no_crowd() {
    // As of a car, which the detector half believes.
    let noise = |nearness: &mut Nearness, dbfs: f32| {
        for ripple in [0.0, 1.0, -1.0, 0.5, -0.5].into_iter().cycle().take(SECOND) {
            nearness.weigh(&Sound { speech: 0.5, likeness: 0.5, ..silent(dbfs + ripple) });
        }
    };
    for below_db in [3.0, 6.0, 9.0, 12.0] {
        let mut nearness = Nearness::new();
        for turn in 1..=4 {
            noise(&mut nearness, -20.0 - below_db);
            let steady = vec![-20.0 - below_db; 8 * SECOND];
            let levels = sum(&[voice(turn, -20.0, 8 * SECOND), steady]);
            let heard = share(&mut nearness, &levels);
            assert!(heard > 0.99, "{below_db} dB below, turn {turn}: {heard}");
        }
    }
}

#[test]
fn a_pitch_tells_a_caller_in_noise_from_a_crowd() {
    for (is_one, wanted) in [(true, 0.99..=1.0), (false, 0.0..=0.5)] {
        let mut nearness = Nearness::new();
        let levels = sum(&[voice(1, -20.0, 8 * SECOND), vec![-26.0; 8 * SECOND]]);
        let near = levels.iter().filter(|level_dbfs| {
            let voicing = if is_one && **level_dbfs > -25.0 { 0.9 } else { 0.5 };
            let sound = Sound { speech: 0.9, likeness: 0.9, voicing, ..silent(**level_dbfs) };
            nearness.weigh(&sound) > SPEAKS
        });
        let heard = near.count() as f32 / levels.len() as f32;
        assert!(wanted.contains(&heard), "one voice {is_one}: {heard}");
    }
}

#[test]
fn a_crowd_behind_our_own_voice_is_not_forgotten() {
    let mut nearness = Nearness::new();
    let around = crowd(-30.0, 12 * SECOND);
    hear(&mut nearness, &around[..4 * SECOND], false);
    // Our reply, above which now and then one of them is heard.
    let over = around[4 * SECOND..8 * SECOND].iter().enumerate().filter(|(frame, dbfs)| {
        let is_masked = frame % 30 < 25;
        let speech = if is_masked { 0.0 } else { 0.9 };
        let sound = Sound { speech, likeness: speech, we_speak: true, is_masked, ..silent(**dbfs) };
        nearness.weigh(&sound) > SPEAKS
    });
    let over = over.count();
    assert!(over <= 2, "{over} frames over our reply");
    let later = share(&mut nearness, &around[8 * SECOND..]);
    assert!(later < 0.05, "{later}");
}

#[test]
fn a_crowd_that_leaves_is_forgotten() {
    let mut nearness = Nearness::new();
    hear(&mut nearness, &crowd(-30.0, 8 * SECOND), false);
    hear(&mut nearness, &quiet(SECOND), false);
    assert!(share(&mut nearness, &voice(1, -32.0, 2 * SECOND)) > 0.95);
}
