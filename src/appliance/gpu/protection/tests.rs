use super::*;
use crate::appliance::gpu::{Memory, Reading, Throttle};

const LIMITS: Limits =
    Limits { gpu_c: 88.0, cpu_c: 98.0, memory_reserve_bytes: 64_000_000, has_smaller_model: true };
const TALKING: Work = Work { load: 0.3, calls: 2, on_gpu: true };

struct Bench {
    start: Instant,
    protection: Protection,
}

impl Bench {
    fn new() -> Self {
        Self { start: Instant::now(), protection: Protection::new(LIMITS) }
    }

    fn at(&mut self, second: u64, gpu: Watched, work: Work) -> Verdict {
        let at = self.start + Duration::from_secs(second);
        self.protection.judge(at, &sample(at, gpu, Machine::default()), work)
    }
}

fn sample(at: Instant, gpu: Watched, machine: Machine) -> Sample {
    Sample { at, gpu, machine, energy_j: None, xids: 0, last_xid: None }
}

fn celsius(temperature_c: f32) -> Watched {
    let temperature_c = Some(temperature_c);
    Watched::Found(Reading { name: "L4".to_owned(), temperature_c, ..Reading::default() })
}

fn lost() -> Watched {
    Watched::Lost { name: "L4".to_owned(), why: "its driver tells Xid 79".to_owned() }
}

#[test]
fn heat_is_answered_at_once_and_forgotten_late() {
    let mut bench = Bench::new();
    let mut is_hot = |second, c| bench.at(second, celsius(c), TALKING).is_hot;
    assert!(!is_hot(0, 87.9));
    assert!(is_hot(1, 88.0));
    // Within the margin nothing has cooled down.
    assert!(is_hot(40, 83.5));
    assert!(is_hot(41, 82.0));
    assert!(is_hot(69, 80.0));
    assert!(!is_hot(70, 80.0));
    assert!(!is_hot(71, 85.0));
}

#[test]
fn a_device_that_slows_itself_down_is_hot_whatever_its_temperature() {
    let mut bench = Bench::new();
    let throttle = Some(Throttle { heat: true, ..Throttle::default() });
    let reading = Reading { throttle, ..Reading::default() };
    let verdict = bench.at(0, Watched::Found(reading), TALKING);
    assert!(
        verdict.is_hot && verdict.faults[0].contains("the GPU slows itself down"),
        "{verdict:?}"
    );
    // For power it may be slower on purpose.
    let power = Some(Throttle { power: true, ..Throttle::default() });
    let mut bench = Bench::new();
    let reading = Reading { throttle: power, ..Reading::default() };
    assert_eq!(bench.at(0, Watched::Found(reading), TALKING), Verdict::default());

    let mut protection = Protection::new(LIMITS);
    let now = Instant::now();
    let machine = Machine { throttled: Some(true), ..Machine::default() };
    let verdict = protection.judge(now, &sample(now, Watched::Absent, machine), TALKING);
    assert!(verdict.is_hot && verdict.faults[0].contains("the processor"), "{verdict:?}");
}

#[test]
fn a_box_without_a_gpu_has_limits_too() {
    let now = Instant::now();
    let machine = Machine {
        temperature_c: Some(98.0),
        memory: Some(Memory { total_bytes: 1 << 30, free_bytes: 63_000_000 }),
        ..Machine::default()
    };
    let work = Work { on_gpu: false, ..TALKING };
    let mut protection = Protection::new(LIMITS);
    let verdict = protection.judge(now, &sample(now, Watched::Absent, machine), work);
    assert!(verdict.is_hot && verdict.is_memory_short, "{verdict:?}");
    assert!(verdict.faults.iter().any(|fault| fault.contains("the processor has 98 °C")));
    assert!(verdict.faults.iter().any(|fault| fault.contains("the box has less free memory")));
}

#[test]
fn free_memory_is_looked_at_where_the_models_are() {
    let full = Some(Memory { total_bytes: 1 << 34, free_bytes: 1 });
    let gpu = Watched::Found(Reading { memory: full, ..Reading::default() });
    assert!(Bench::new().at(0, gpu.clone(), TALKING).is_memory_short);
    let beside = Work { on_gpu: false, ..TALKING };
    assert!(!Bench::new().at(0, gpu, beside).is_memory_short);
}

#[test]
fn lasting_heat_brings_the_smaller_model_and_ease_without_calls_takes_it_away() {
    let mut bench = Bench::new();
    let idle = Work { load: 0.0, calls: 0, on_gpu: true };
    assert_eq!(bench.at(0, celsius(90.0), TALKING).mode, Mode::Usual);
    assert_eq!(bench.at(29, celsius(90.0), TALKING).mode, Mode::Usual);
    let verdict = bench.at(30, celsius(90.0), TALKING);
    assert_eq!(verdict.mode, Mode::Lean);
    assert!(verdict.faults.iter().any(|fault| fault.starts_with("gpu.smaller_model: ")));
    assert_eq!(bench.at(61, celsius(60.0), TALKING).mode, Mode::Lean);
    // All is well from here on, but somebody talks.
    assert_eq!(bench.at(700, celsius(60.0), TALKING).mode, Mode::Lean);
    assert_eq!(bench.at(701, celsius(60.0), idle).mode, Mode::Usual);
}

#[test]
fn without_a_smaller_model_none_is_told_of() {
    let limits = Limits { has_smaller_model: false, ..LIMITS };
    let mut bench = Bench { start: Instant::now(), protection: Protection::new(limits) };
    for second in [0, 30, 60] {
        let verdict = bench.at(second, celsius(90.0), TALKING);
        assert_eq!((verdict.mode, verdict.faults.len()), (Mode::Usual, 1), "{verdict:?}");
    }
}

#[test]
fn an_engine_at_its_end_gets_the_smaller_model_without_any_heat() {
    let mut bench = Bench::new();
    let strained = Work { load: 0.95, ..TALKING };
    assert_eq!(bench.at(0, celsius(60.0), strained).mode, Mode::Usual);
    assert_eq!(bench.at(5, celsius(60.0), TALKING).mode, Mode::Usual);
    assert_eq!(bench.at(6, celsius(60.0), strained).mode, Mode::Usual);
    assert_eq!(bench.at(15, celsius(60.0), strained).mode, Mode::Usual);
    assert_eq!(bench.at(16, celsius(60.0), strained).mode, Mode::Lean);
}

#[test]
fn a_lost_gpu_is_left_for_the_cpu_until_it_has_been_back_for_a_while_and_nobody_calls() {
    let mut bench = Bench::new();
    let verdict = bench.at(0, lost(), TALKING);
    assert_eq!(verdict.mode, Mode::WithoutGpu);
    assert_eq!(verdict.faults, ["gpu: L4 is lost: its driver tells Xid 79"]);
    let on_cpu = Work { on_gpu: false, ..TALKING };
    let verdict = bench.at(5, lost(), on_cpu);
    assert_eq!(
        verdict.faults,
        ["gpu: L4 is lost: its driver tells Xid 79; speech works on the CPU"]
    );
    let idle = Work { calls: 0, ..on_cpu };
    assert_eq!(bench.at(10, celsius(50.0), idle).mode, Mode::WithoutGpu);
    // It is gone again: the minute begins anew.
    assert_eq!(bench.at(60, lost(), idle).mode, Mode::WithoutGpu);
    assert_eq!(bench.at(61, celsius(50.0), idle).mode, Mode::WithoutGpu);
    assert_eq!(bench.at(120, celsius(50.0), idle).mode, Mode::WithoutGpu);
    assert_eq!(bench.at(121, celsius(50.0), on_cpu).mode, Mode::WithoutGpu);
    let verdict = bench.at(122, celsius(50.0), idle);
    assert_eq!((verdict.mode, verdict.faults.len()), (Mode::Usual, 0));
}

#[test]
fn a_lost_gpu_that_nothing_worked_in_and_a_silent_driver_are_only_told() {
    let idle = Work { on_gpu: false, ..TALKING };
    assert_eq!(Bench::new().at(0, lost(), idle).mode, Mode::Usual);
    let silent = Watched::Silent { name: Some("L4".to_owned()) };
    let verdict = Bench::new().at(0, silent, TALKING);
    assert_eq!(verdict.mode, Mode::Usual);
    assert_eq!(verdict.faults, ["gpu: the driver of L4 does not answer"]);
}
