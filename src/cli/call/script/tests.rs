use super::*;
use crate::cli::call::scenario::{Reflex, Turn, Wanted, pattern};

const MS: Duration = Duration::from_millis(1);

struct Call<'a> {
    start: Instant,
    script: Script<'a>,
    said: Vec<(u64, Output)>,
}

/// Turns of keys, each after a pause.
fn turns(pauses_ms: &[u64]) -> Scenario {
    let turn = |ms: &u64| silence(*ms, "1");
    Scenario { turns: pauses_ms.iter().map(turn).collect(), ..Scenario::default() }
}

fn silence(pause_ms: u64, keys: &str) -> Turn {
    Turn::new(When::Silence(Duration::from_millis(pause_ms)), Act::Press(keys.to_owned()))
}

fn expecting(turn: Turn, what: &str, tries: u32) -> Turn {
    Turn { expect: vec![pattern(what).unwrap()], tries, ..turn }
}

const fn turn(number: usize) -> Output {
    Output::Perform(What::Turn(number))
}

impl<'a> Call<'a> {
    /// Without words.
    fn new(scenario: &'a Scenario) -> Self {
        Self::begin(scenario, false)
    }

    /// Without words: greeted until 2 s, our first turn said until 4 s, the reply to it from 4.24 s to 5.3 s.
    fn replied(scenario: &'a Scenario) -> Self {
        let mut call = Self::new(scenario);
        call.at(10, Input::Connected);
        call.began(50);
        call.ended(2_700);
        call.at(4_000, Input::Spoken);
        call.began(4_240);
        call.ended(6_000);
        call
    }

    /// With words.
    fn judged(scenario: &'a Scenario) -> Self {
        Self::begin(scenario, true)
    }

    fn begin(scenario: &'a Scenario, has_words: bool) -> Self {
        let script = Script::new(scenario, has_words, Duration::from_secs(120));
        let mut call = Self { start: Instant::now(), script, said: Vec::new() };
        call.at(0, Input::Dialled);
        call
    }

    fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn mark(&self, ms: u64) -> Mark {
        Mark { number: 0, arrived: self.instant(ms) }
    }

    /// Lets every deadline before `ms` pass, then gives the input.
    fn at(&mut self, ms: u64, input: Input<'_>) {
        while let Some(due) = self.script.timers.next().filter(|due| *due <= self.instant(ms)) {
            self.script.handle(due, Input::Timeout);
            self.drain(due);
        }
        let now = self.instant(ms);
        self.script.handle(now, input);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        let ms = u64::try_from((now - self.start).as_millis()).unwrap();
        loop {
            match self.script.poll_output() {
                Output::Timeout(_) => return,
                output => self.said.push((ms, output)),
            }
        }
    }

    fn gaps(&self) -> Vec<Option<i64>> {
        self.script.acts().iter().map(|act| act.exchange.gap_ms()).collect()
    }

    fn began(&mut self, ms: u64) {
        self.at(ms, Input::Began(self.mark(ms)));
    }

    fn ended(&mut self, ms: u64) {
        self.at(ms, Input::Ended(self.mark(ms - 700)));
    }

    /// The far end has spoken from then to then, and these are all its words so far.
    fn hears(&mut self, from_ms: u64, to_ms: u64, words: &str) {
        self.began(from_ms);
        self.ended(to_ms);
        assert_eq!(self.said.pop(), Some((to_ms, Output::Read)));
        self.at(to_ms, Input::Words(words));
    }

    /// We have said what was asked for last.
    fn says(&mut self, from_ms: u64, to_ms: u64) {
        self.at(from_ms, Input::Audible);
        self.at(to_ms, Input::Spoken);
    }
}

#[test]
fn each_turn_waits_for_the_reply_to_the_one_before() {
    let scenario = turns(&[0, 300]);
    let mut call = Call::replied(&scenario);
    call.at(7_000, Input::Spoken);
    call.began(7_100);
    call.at(9_000, Input::Closed);
    assert_eq!(call.said, [(2_700, turn(0)), (6_300, turn(1))]);
    assert_eq!(call.script.greeting().gap_ms(), Some(40));
    assert_eq!(call.gaps(), [Some(240), Some(100)]);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
}

#[test]
fn who_pauses_hears_out_what_is_added_and_pauses_anew() {
    let scenario = turns(&[0, 5_000]);
    let mut call = Call::replied(&scenario);
    call.began(9_000);
    call.ended(12_000);
    call.at(18_000, Input::Spoken);
    assert_eq!(call.said, [(2_700, turn(0)), (17_000, turn(1))]);
}

#[test]
fn without_greeting_or_reply_the_call_goes_on_after_ten_seconds() {
    let scenario = turns(&[0, 0]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.at(11_000, Input::Spoken);
    call.at(25_000, Input::Spoken);
    call.at(40_100, Input::Closed);
    let said = [(10_000, turn(0)), (21_000, turn(1)), (40_000, Output::HangUp)];
    assert_eq!(call.said, said);
    assert_eq!(call.gaps()[0], None);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
}

#[test]
fn a_patient_caller_waits_longer_and_measures_the_late_reply() {
    let scenario = Scenario { patience: Some(MS * 60_000), ..turns(&[0]) };
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.at(11_000, Input::Timeout);
    assert_eq!(call.said, []);
    call.began(30_000);
    call.ended(31_000);
    call.at(33_000, Input::Spoken);
    call.began(80_000);
    assert_eq!(call.gaps(), [Some(47_000)]);
}

#[test]
fn a_reply_before_our_end_is_a_negative_gap_and_one_that_stops_again_is_none() {
    let scenario = turns(&[0, 0]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(0);
    call.ended(1_000);
    call.began(1_800);
    call.at(2_000, Input::Spoken);
    call.ended(3_000);
    call.began(3_100);
    call.ended(4_000);
    call.at(5_000, Input::Spoken);
    call.began(5_300);
    assert_eq!(call.gaps(), [Some(-200), Some(300)]);
}

#[test]
fn a_far_end_that_leaves_early_breaks_the_call_off() {
    let scenario = turns(&[0, 0]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(10);
    call.ended(1_000);
    call.at(2_000, Input::Spoken);
    call.at(2_100, Input::Closed);
    assert_eq!(call.script.verdict(), Some(Verdict::BrokenOff));
    let nothing = turns(&[]);
    let mut refused = Call::new(&nothing);
    refused.at(5, Input::Closed);
    assert_eq!(refused.script.verdict(), Some(Verdict::BrokenOff));
}

#[test]
fn a_call_has_its_longest_time_however_busy() {
    let scenario = turns(&[0]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(10);
    call.at(122_000, Input::Timeout);
    assert_eq!(call.script.verdict(), None);
    // Its answer to our BYE never comes.
    call.at(123_000, Input::Timeout);
    assert_eq!(call.said, [(120_000, Output::HangUp)]);
    assert_eq!(call.script.verdict(), Some(Verdict::TooLong));
}

#[test]
fn a_call_without_turns_hears_the_greeting_and_leaves() {
    let scenario = turns(&[]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(30);
    call.ended(2_000);
    call.at(7_000, Input::Timeout);
    assert_eq!(call.said, [(7_000, Output::HangUp)]);
    call.at(7_001 + u64::from(MS.subsec_millis()), Input::Closed);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
}

#[test]
fn a_reply_that_is_not_as_expected_has_the_turn_made_again_until_the_caller_gives_up() {
    let again = expecting(silence(0, "1"), "open", 2);
    let scenario = Scenario { turns: vec![again], ..Scenario::default() };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.says(2_100, 3_000);
    call.hears(3_200, 5_000, "Hello. Sorry?");
    call.says(5_100, 6_000);
    call.hears(6_200, 8_000, "Hello. Sorry? What?");
    assert_eq!(call.said, [(2_000, turn(0)), (5_000, turn(0)), (8_000, Output::HangUp)]);
    call.at(8_010, Input::Closed);
    assert_eq!(call.script.verdict(), Some(Verdict::GaveUp));
    assert_eq!(call.gaps(), [Some(200), Some(200)]);
    let from: Vec<_> = call.script.acts().iter().map(|act| act.words_from).collect();
    assert_eq!(from, ["Hello.".len(), "Hello. Sorry?".len()]);
}

/// A caller who was cut off by "41, is that right?" from 2,400 to 4,300 and has ended at 3,000.
fn cut_off(scenario: &Scenario) -> Call<'_> {
    let mut call = Call::judged(scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.at(2_100, Input::Audible);
    call.began(2_400);
    call.at(3_000, Input::Spoken);
    call.ended(5_000);
    call.at(5_010, Input::Words("Hello. 4 1, is that right?"));
    call
}

/// Says no to a number that is not 47.
fn another_number() -> Reflex {
    Reflex {
        hears: pattern("is that right").unwrap(),
        unless: vec![pattern("4 7").unwrap()],
        act: Act::Press("2".to_owned()),
        pause: Duration::ZERO,
        times: 1,
    }
}

#[test]
fn who_was_cut_off_waits_for_the_reply_to_the_rest() {
    let reflex = another_number();
    let number = || expecting(silence(0, "1"), "4 7", 3);
    let scenario = Scenario { turns: vec![number()], whenever: vec![reflex], ..turns(&[]) };
    let read = (5_000, Output::Read);
    let mut call = cut_off(&scenario);
    assert_eq!(call.said, [(2_000, turn(0)), read]);
    call.hears(5_900, 8_000, "Hello. 4 1, is that right? 4 7, is that right?");
    call.at(8_500, Input::Closed);
    assert_eq!(call.said, [(2_000, turn(0)), read]);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    assert_eq!(call.gaps(), [Some(-600)]);
    // The rest was lost, and nothing comes to it.
    let mut call = cut_off(&scenario);
    call.at(7_000, Input::Timeout);
    call.at(7_010, Input::Words("Hello. 4 1, is that right?"));
    let no = Output::Perform(What::Whenever(0));
    assert_eq!(call.said[2..], [(7_000, Output::Read), (7_010, no)]);
    let alone = Scenario { turns: vec![number()], ..turns(&[]) };
    let mut call = cut_off(&alone);
    call.at(7_010, Input::Words("Hello. 4 1, is that right?"));
    assert_eq!(call.said[2..], [(7_000, Output::Read), (7_010, turn(0))]);
}

#[test]
fn what_comes_while_words_are_read_is_heard_out() {
    let again = expecting(silence(0, "1"), "open", 2);
    let scenario = Scenario { turns: vec![again], ..Scenario::default() };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.says(2_100, 3_000);
    call.began(3_200);
    call.ended(5_000);
    call.began(5_005);
    call.at(5_010, Input::Words("Hello. One moment."));
    assert_eq!(call.said, [(2_000, turn(0)), (5_000, Output::Read)]);
    call.ended(7_000);
    call.at(7_010, Input::Words("Hello. One moment. We are open."));
    assert_eq!(call.said, [(2_000, turn(0)), (5_000, Output::Read), (7_000, Output::Read)]);
}

#[test]
fn a_greeting_that_is_not_as_expected_ends_the_call_and_a_good_one_begins_it() {
    let greeting = vec![pattern("northgate").unwrap()];
    let scenario = Scenario { greeting, ..turns(&[0]) };
    for (words, output) in [("Hello.", Output::HangUp), ("Hello, Northgate here.", turn(0))] {
        let mut call = Call::judged(&scenario);
        call.at(0, Input::Connected);
        call.hears(10, 2_000, words);
        assert_eq!(call.said, [(2_000, output)]);
    }
}

#[test]
fn whenever_something_is_heard_the_caller_does_their_part_and_the_turn_goes_on() {
    let reflex = another_number();
    let number = expecting(silence(0, "1"), "4 7", 3);
    let scenario = Scenario { turns: vec![number], whenever: vec![reflex], ..Scenario::default() };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.says(2_100, 3_000);
    call.hears(3_200, 5_000, "Hello. 4 1, is that right?");
    call.says(5_100, 6_000);
    // The question was answered; the turn itself is made again.
    call.hears(6_200, 7_000, "Hello. 4 1, is that right? The number?");
    call.says(7_100, 8_000);
    call.hears(8_200, 9_000, "Hello. 4 1, is that right? The number? 4 7, is that right?");
    let no = Output::Perform(What::Whenever(0));
    assert_eq!(call.said, [(2_000, turn(0)), (5_000, no), (7_000, turn(0))]);
    call.at(9_010, Input::Closed);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
}

#[test]
fn an_interrupter_begins_into_the_words_that_were_awaited() {
    let over = Turn::new(When::Over(MS * 1_500), Act::Press("2".to_owned()));
    let scenario = Scenario {
        turns: vec![expecting(silence(0, "1"), "open", 2), expecting(over, "road", 1)],
        ..Scenario::default()
    };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.says(2_100, 3_000);
    call.began(3_200);
    call.at(4_700, Input::Timeout);
    assert_eq!(call.said, [(2_000, turn(0)), (4_700, Output::Read)]);
    call.at(4_710, Input::Words("Hello. We are open."));
    assert_eq!(call.said.last(), Some(&(4_710, turn(1))));
    call.at(4_800, Input::Audible);
    // Their last word was at 5,000.
    call.ended(5_700);
    call.at(6_500, Input::Spoken);
    call.began(6_700);
    let exchange = call.script.acts()[1].exchange;
    assert_eq!(exchange.stopped_after(), Some(MS * 200));
    assert_eq!(exchange.gap_ms(), Some(200));
}

#[test]
fn what_was_not_understood_is_not_interrupted_but_said_again() {
    let over = Turn::new(When::Over(MS * 1_000), Act::Press("2".to_owned()));
    let scenario = Scenario {
        turns: vec![expecting(silence(0, "1"), "open", 2), over],
        ..Scenario::default()
    };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.says(2_100, 3_000);
    call.began(3_200);
    call.at(4_200, Input::Timeout);
    call.at(4_210, Input::Words("Hello. Sorry, I did not catch that."));
    call.ended(6_000);
    call.at(6_010, Input::Words("Hello. Sorry, I did not catch that."));
    let said = [(2_000, turn(0)), (4_200, Output::Read), (6_000, Output::Read), (6_010, turn(0))];
    assert_eq!(call.said, said);
}

#[test]
fn an_answer_that_is_one_stretch_with_what_was_spoken_into_is_judged_when_it_ends() {
    let over = Turn::new(When::Over(MS * 1_000), Act::Press("2".to_owned()));
    let scenario = Scenario { turns: vec![expecting(over, "road", 1)], ..Scenario::default() };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.began(100);
    call.at(1_100, Input::Timeout);
    call.at(1_100, Input::Words("Hello, this is a long greeting."));
    call.says(1_200, 1_500);
    call.ended(5_000);
    assert_eq!(call.said.pop(), Some((5_000, Output::Read)));
    call.at(5_000, Input::Words("Hello, this is a long greeting. Harbour Road."));
    // All turns are made and the answer is there: the far end may say goodbye.
    call.at(10_000, Input::Timeout);
    assert_eq!(call.said.last(), Some(&(10_000, Output::HangUp)));
}

#[test]
fn a_turn_may_wait_for_words_that_come_late() {
    let late = Turn::new(When::Heard(pattern("monday").unwrap()), Act::Press("2".to_owned()));
    let scenario = Scenario { turns: vec![silence(0, "1"), late], ..Scenario::default() };
    for comes in [true, false] {
        let mut call = Call::judged(&scenario);
        call.at(0, Input::Connected);
        call.hears(10, 2_000, "Hello.");
        call.says(2_100, 3_000);
        call.hears(3_200, 5_000, "Hello. Let me have a look.");
        assert_eq!(call.said, [(2_000, turn(0))]);
        if comes {
            call.hears(7_000, 9_000, "Hello. Let me have a look. On Monday.");
            assert_eq!(call.said.last(), Some(&(9_000, turn(1))));
            continue;
        }
        call.at(15_000, Input::Timeout);
        call.at(15_000, Input::Words("Hello. Let me have a look."));
        assert_eq!(call.said.last(), Some(&(15_000, Output::HangUp)));
    }
}

#[test]
fn who_waits_says_nothing_and_hears_what_comes() {
    let wait = Turn::new(When::Silence(Duration::ZERO), Act::Wait(Duration::from_secs(20)));
    let scenario = Scenario { turns: vec![expecting(wait, "still there", 1)], ..turns(&[]) };
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.hears(10, 2_000, "Hello.");
    call.hears(9_300, 11_000, "Hello. Are you still there?");
    assert_eq!(call.said, []);
    call.at(12_000, Input::Closed);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    assert_eq!(call.script.longest_quiet(), MS * 8_000);
}

#[test]
fn a_caller_may_hang_up_in_mid_sentence_or_at_once_after_the_last_turn() {
    let scenario = Scenario {
        turns: vec![Turn { hang_up_after: Some(MS * 800), ..silence(0, "1") }],
        ..Scenario::default()
    };
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(10);
    call.ended(2_000);
    call.at(4_000, Input::Closed);
    assert_eq!(call.said, [(2_000, turn(0)), (2_800, Output::HangUp)]);
    assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    let wanted = Wanted { end: Some(End::Caller), ..Wanted::default() };
    let scenario = Scenario { wanted, ..turns(&[]) };
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(10);
    call.ended(2_000);
    assert_eq!(call.said, [(2_000, Output::HangUp)]);
}

#[test]
fn words_that_never_come_do_not_hold_the_caller() {
    let scenario = turns(&[0]);
    let mut call = Call::judged(&scenario);
    call.at(0, Input::Connected);
    call.began(10);
    call.ended(2_000);
    call.at(17_000, Input::Timeout);
    assert_eq!(call.said, [(2_000, Output::Read), (17_000, turn(0))]);
}

#[test]
fn silence_counts_from_the_last_word_of_either_side() {
    let scenario = turns(&[3_000]);
    let mut call = Call::new(&scenario);
    call.at(0, Input::Connected);
    call.began(500);
    call.ended(2_700);
    // 700 ms until we know that they are silent, and 3 s of our own.
    call.at(7_000, Input::Spoken);
    assert_eq!(call.script.longest_quiet(), MS * 3_700);
    call.began(12_000);
    assert_eq!(call.script.longest_quiet(), MS * 5_000);
}
