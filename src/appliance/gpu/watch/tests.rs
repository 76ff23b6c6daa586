use super::*;
use std::collections::VecDeque;

fn reading(energy_j: Option<f64>, power_w: Option<f32>) -> Reading {
    Reading { energy_j, power_w, ..Reading::default() }
}

#[test]
fn energy_is_that_of_the_counter_else_of_the_power_and_never_shrinks() {
    let start = Instant::now();
    let at = |second| start + Duration::from_secs(second);
    let mut energy = Energy::default();
    assert_eq!(energy.used_j, None);
    energy.add(at(0), &reading(Some(1_000.0), Some(50.0)));
    assert_eq!(energy.used_j, Some(0.0));
    energy.add(at(1), &reading(Some(1_070.0), Some(50.0)));
    assert_eq!(energy.used_j, Some(70.0));
    // The driver was loaded anew.
    energy.add(at(2), &reading(Some(3.0), Some(50.0)));
    assert_eq!(energy.used_j, Some(70.0));
    energy.add(at(4), &reading(None, Some(50.0)));
    assert_eq!(energy.used_j, Some(170.0));
    // While it was lost nothing is known.
    energy.pause();
    energy.add(at(90), &reading(None, Some(50.0)));
    assert_eq!(energy.used_j, Some(170.0));
    let mut untold = Energy::default();
    untold.add(at(0), &reading(None, None));
    assert_eq!(untold.used_j, None);
}

struct Script(VecDeque<Result<Reading, Lost>>);

impl Reader for Script {
    fn read(&mut self) -> Result<Reading, Lost> {
        self.0.pop_front().unwrap_or_else(|| Err(Lost::of("the script is over")))
    }
}

#[test]
fn a_gpu_that_is_lost_is_told_by_its_name_and_the_error_is_counted() {
    let start = Sample::before_all(Instant::now());
    let (publish, latest) = watch::channel(start);
    let (stop, stopped) = mpsc::channel();
    let mut looker = Looker::new(Path::new("/nonexistent"), publish, stopped);
    // The looks are told although nobody waits for the next.
    drop(stop);
    let mut reader = Script(VecDeque::from([Ok(Reading {
        name: "L4".to_owned(),
        xids: vec![31, 13],
        ..Reading::default()
    })]));
    assert_eq!(looker.follow(Some(&mut reader)), End::Stopped);
    assert_eq!((latest.borrow().xids, latest.borrow().last_xid), (2, Some(13)));
    let fallen = Lost { why: "its driver tells Xid 79".to_owned(), xid: Some(79) };
    assert_eq!(looker.follow(Some(&mut Script(VecDeque::from([Err(fallen)])))), End::Stopped);
    let sample = latest.borrow().clone();
    let Watched::Lost { name, why } = &sample.gpu else { panic!("{sample:?}") };
    assert_eq!((name.as_str(), why.as_str()), ("L4", "its driver tells Xid 79"));
    assert_eq!((sample.xids, sample.last_xid), (3, Some(79)));
    // What comes after the loss is the loss still.
    assert_eq!(looker.without(NotThere::None), End::Stopped);
    assert!(matches!(latest.borrow().gpu, Watched::Lost { .. }));
}

#[test]
fn what_is_old_is_told_to_be_silent() {
    let at = Instant::now();
    let gpu = Watched::Found(Reading { name: "L4".to_owned(), ..Reading::default() });
    let machine = Machine { temperature_c: Some(40.0), ..Machine::default() };
    let (publish, latest) = watch::channel(Sample {
        at,
        gpu,
        machine,
        energy_j: Some(9.0),
        xids: 1,
        last_xid: Some(13),
    });
    let gauge = Gauge { latest, _stop: mpsc::channel().0 };
    let early = gauge.sample(at + limits::GPU_SILENT - Duration::from_millis(1));
    assert!(matches!(early.gpu, Watched::Found(_)));
    let late = gauge.sample(at + limits::GPU_SILENT);
    assert_eq!(late.gpu, Watched::Silent { name: Some("L4".to_owned()) });
    assert_eq!((late.machine, late.energy_j), (Machine::default(), Some(9.0)));
    drop(publish);
}
