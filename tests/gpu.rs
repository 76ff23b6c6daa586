//! The GPU and the box: NVML by a library of the test's own, a Jetson and thermal zones by a tree of files, and a
//! running box that takes fewer calls when its GPU is hot and says when it is lost.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use attendant::appliance::gpu::jetson::Jetson;
use attendant::appliance::gpu::machine::{Machine, MachineReader};
use attendant::appliance::gpu::nvml::{self, NvmlReader};
use attendant::appliance::gpu::{
    Ecc, Gauge, Memory, Reader, Reading, Settings, Throttle, Watched, Wish,
};
use support::appliance::{Appliance, Setup};
use support::fake_nvml::FakeNvml;
use support::folder::Folder;
use support::phone::Phone;
use support::wait;

/// NVML's numbers of errors.
const GPU_IS_LOST: &str = "!15";
const RESET_REQUIRED: &str = "!16";
const UNKNOWN: &str = "!999";
const SOON: Duration = Duration::from_secs(30);

fn settings(fake: &FakeNvml, device: Wish) -> Settings {
    Settings { device, library: Some(fake.library()), root: "/nonexistent".into() }
}

fn well() -> Reading {
    Reading {
        name: "NVIDIA Test L4".to_owned(),
        memory: Some(Memory { total_bytes: 24_000_000_000, free_bytes: 20_000_000_000 }),
        load: Some(0.37),
        temperature_c: Some(61.0),
        slowdown_c: Some(95.0),
        power_w: Some(43.5),
        power_limit_w: Some(72.0),
        energy_j: Some(1_000.0),
        clock_mhz: Some(1_995),
        max_clock_mhz: Some(2_040),
        throttle: Some(Throttle::default()),
        ecc: Some(Ecc { corrected: 2, uncorrected: 0 }),
        xids: Vec::new(),
    }
}

#[test]
fn nvml_is_read_field_by_field_and_what_is_not_told_is_left_out() {
    let mut fake = FakeNvml::new();
    let nvml = nvml::open(&settings(&fake, Wish::Auto)).unwrap();
    let mut reader = NvmlReader::new(&nvml, &Wish::Auto).unwrap();
    assert_eq!(reader.read(), Ok(well()));

    // 0x20 and 0x40: software and hardware thermal slowdown; 0x4: power cap; 0x8: hardware slowdown; 0x1: idle.
    let throttle = |heat, power, hardware| Throttle { heat, power, hardware };
    for (bits, expected) in [
        ("1", throttle(false, false, false)),
        ("32", throttle(true, false, false)),
        ("64", throttle(true, false, false)),
        ("4", throttle(false, true, false)),
        ("136", throttle(false, true, true)),
    ] {
        fake.set("throttle", bits);
        assert_eq!(reader.read().unwrap().throttle, Some(expected), "{bits}");
    }

    // Each alone is missing, in two ways, and the others stay.
    let gone = |key: &str| {
        let mut reading = well();
        match key {
            "memory_total" | "memory_free" => reading.memory = None,
            "load" => reading.load = None,
            "temperature" => reading.temperature_c = None,
            "slowdown" => reading.slowdown_c = None,
            "power" => reading.power_w = None,
            "power_limit" => reading.power_limit_w = None,
            "energy" => reading.energy_j = None,
            "clock" => reading.clock_mhz = None,
            "max_clock" => reading.max_clock_mhz = None,
            "throttle" => reading.throttle = None,
            "ecc_corrected" | "ecc_uncorrected" => reading.ecc = None,
            _ => return None,
        }
        Some(reading)
    };
    let keys = FakeNvml::new().keys();
    let mut tried = 0;
    for key in keys {
        let Some(expected) = gone(&key) else { continue };
        let mut fake = FakeNvml::new();
        let nvml = nvml::open(&settings(&fake, Wish::Auto)).unwrap();
        let mut reader = NvmlReader::new(&nvml, &Wish::Auto).unwrap();
        fake.unset(&key);
        assert_eq!(reader.read().as_ref(), Ok(&expected), "{key}");
        fake.set(&key, UNKNOWN);
        assert_eq!(reader.read().as_ref(), Ok(&expected), "{key}");
        tried += 1;
    }
    assert_eq!(tried, 13);
}

#[test]
fn a_gpu_is_chosen_by_its_number_or_uuid_and_a_wrong_one_is_told() {
    let fake = FakeNvml::new();
    let nvml = nvml::open(&settings(&fake, Wish::Auto)).unwrap();
    let uuid = |text: &str| Wish::Uuid(text.to_owned());
    for (wish, is_there) in [
        (Wish::Index(0), true),
        (Wish::Index(1), false),
        (uuid("GPU-5b2f1c0e-84a0-9b1f-1111-222233334444"), true),
        (uuid("GPU-00000000-84a0-9b1f-1111-222233334444"), false),
    ] {
        assert_eq!(NvmlReader::new(&nvml, &wish).is_ok(), is_there, "{wish:?}");
    }
    let mut missing = settings(&fake, Wish::Auto);
    missing.library = Some("/nonexistent/libnvidia-ml.so".into());
    let fault = nvml::open(&missing).err().unwrap();
    assert!(fault.to_string().contains("/nonexistent/libnvidia-ml.so"), "{fault}");
    // Without any driver nothing is wrong.
    let none = Settings { library: None, ..settings(&fake, Wish::Auto) };
    match nvml::open(&none) {
        Err(nvml::NotThere::None) | Ok(_) => (),
        Err(fault) => panic!("{fault}"),
    }
}

#[test]
fn a_gpu_that_is_lost_is_no_reading_and_errors_of_programs_are_counted() {
    let mut fake = FakeNvml::new();
    let nvml = nvml::open(&settings(&fake, Wish::Auto)).unwrap();
    let mut reader = NvmlReader::new(&nvml, &Wish::Auto).unwrap();
    // A fault of a program's (31): the GPU goes on.
    fake.set("xid", "31");
    fake.set("event", "1");
    assert_eq!(reader.read().unwrap().xids, [31]);
    assert_eq!(reader.read().unwrap().xids, [] as [u64; 0]);
    for error in [GPU_IS_LOST, RESET_REQUIRED] {
        fake.set("temperature", error);
        reader.read().unwrap_err();
        fake.set("temperature", "61");
    }
    fake.set("xid", "79");
    fake.set("event", "2");
    let lost = reader.read().unwrap_err();
    assert_eq!((lost.why.as_str(), lost.xid), ("its driver tells Xid 79", Some(79)));
}

#[test]
fn a_driver_that_hangs_holds_nobody_and_is_followed_again_when_it_answers() {
    let mut fake = FakeNvml::new();
    let gauge = Gauge::start(settings(&fake, Wish::Auto)).unwrap();
    let is_found = |gauge: &Gauge| matches!(gauge.sample(Instant::now()).gpu, Watched::Found(_));
    wait::until("it is found", SOON, || is_found(&gauge).then_some(()));
    fake.set("hang", "1");
    let silent = wait::until("it is silent", SOON, || {
        // The driver answers nobody until it is let go: one that waited for it would not come back.
        let sample = gauge.sample(Instant::now());
        matches!(sample.gpu, Watched::Silent { .. }).then_some(sample)
    });
    assert_eq!(silent.gpu, Watched::Silent { name: Some("NVIDIA Test L4".to_owned()) });
    fake.unset("hang");
    wait::until("it answers again", SOON, || is_found(&gauge).then_some(()));
    // Lost, and back after a reset: it is looked for again by itself.
    fake.set("temperature", GPU_IS_LOST);
    wait::until("it is lost", SOON, || {
        matches!(gauge.sample(Instant::now()).gpu, Watched::Lost { .. }).then_some(())
    });
    fake.set("temperature", "50");
    wait::until("it is found again", 2 * SOON, || is_found(&gauge).then_some(()));
}

/// Files below a folder.
fn tree(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new("sys");
    files.iter().for_each(|(path, text)| put(folder.path(), path, text));
    folder
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

const ORIN: [(&str, &str); 34] = [
    ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0"),
    ("proc/meminfo", "MemTotal:        7803620 kB\nMemFree: 1 kB\nMemAvailable:    5000000 kB\n"),
    ("sys/class/devfreq/15340000.vic/device/of_node/name", "vic\0"),
    ("sys/class/devfreq/15340000.vic/device/load", "999\n"),
    ("sys/class/devfreq/17000000.gpu/device/of_node/name", "gpu\0"),
    ("sys/class/devfreq/17000000.gpu/device/load", "425\n"),
    ("sys/class/devfreq/17000000.gpu/cur_freq", "918000000\n"),
    ("sys/class/devfreq/17000000.gpu/max_freq", "1020000000\n"),
    ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
    ("sys/class/thermal/thermal_zone0/temp", "49125\n"),
    ("sys/class/thermal/thermal_zone1/type", "gpu-thermal\n"),
    ("sys/class/thermal/thermal_zone1/temp", "48093\n"),
    // A part that is switched off: the kernel tells nothing readable.
    ("sys/class/thermal/thermal_zone2/type", "cv0-thermal\n"),
    ("sys/class/thermal/thermal_zone2/temp", ""),
    ("sys/class/thermal/thermal_zone3/type", "tj-thermal\n"),
    ("sys/class/thermal/thermal_zone3/temp", "50562\n"),
    ("sys/class/thermal/thermal_zone3/trip_point_0_type", "active\n"),
    ("sys/class/thermal/thermal_zone3/trip_point_0_temp", "35000\n"),
    ("sys/class/thermal/thermal_zone3/trip_point_1_type", "passive\n"),
    ("sys/class/thermal/thermal_zone3/trip_point_1_temp", "99000\n"),
    ("sys/class/thermal/cooling_device0/type", "pwm-fan\n"),
    ("sys/class/thermal/cooling_device0/cur_state", "2\n"),
    ("sys/class/thermal/cooling_device1/type", "gpu-throttle-alert\n"),
    ("sys/class/thermal/cooling_device1/cur_state", "0\n"),
    ("sys/class/hwmon/hwmon1/name", "ina3221\n"),
    ("sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n"),
    ("sys/class/hwmon/hwmon1/in1_input", "5000\n"),
    ("sys/class/hwmon/hwmon1/curr1_input", "1224\n"),
    ("sys/class/hwmon/hwmon1/in2_label", "VDD_CPU_GPU_CV\n"),
    ("sys/class/hwmon/hwmon1/in2_input", "5000\n"),
    ("sys/class/hwmon/hwmon1/curr2_input", "400\n"),
    ("sys/class/hwmon/hwmon1/in7_label", "sum of shunt voltages\n"),
    ("sys/class/hwmon/hwmon1/in7_input", "12\n"),
    ("sys/class/hwmon/hwmon1/curr1_crit_alarm", "0\n"),
];

#[test]
fn a_jetson_is_read_from_sysfs_as_tegrastats_does() {
    let root = tree(&ORIN);
    let mut jetson = Jetson::find(root.path()).unwrap();
    let orin = Reading {
        name: "NVIDIA Jetson Orin Nano Developer Kit".to_owned(),
        memory: Some(Memory { total_bytes: 7_803_620 * 1_024, free_bytes: 5_120_000_000 }),
        load: Some(0.425),
        temperature_c: Some(48.093),
        power_w: Some(6.12),
        clock_mhz: Some(918),
        max_clock_mhz: Some(1_020),
        throttle: Some(Throttle::default()),
        ..Reading::default()
    };
    assert_eq!(jetson.read(), Ok(orin.clone()));

    put(root.path(), "sys/class/thermal/cooling_device1/cur_state", "1\n");
    put(root.path(), "sys/class/hwmon/hwmon1/curr1_crit_alarm", "1\n");
    let hot = Throttle { heat: true, power: true, hardware: false };
    assert_eq!(jetson.read().unwrap().throttle, Some(hot));

    // A board without these files tells less, and nothing fails.
    for gone in ["sys/class/hwmon", "sys/class/thermal", "proc/meminfo"] {
        let path = root.path().join(gone);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
    }
    let reading = jetson.read().unwrap();
    let bare = Reading { memory: None, temperature_c: None, power_w: None, throttle: None, ..orin };
    assert_eq!(reading, bare);
    std::fs::remove_dir_all(root.path().join("sys/class/devfreq")).unwrap();
    assert!(jetson.read().is_err());
    assert!(Jetson::find(root.path()).is_none());
}

#[test]
fn a_jetson_is_preferred_to_nvml_which_tells_little_there() {
    let (root, fake) = (tree(&ORIN), FakeNvml::new());
    let root = root.path().to_owned();
    let gauge = Gauge::start(Settings { root, ..settings(&fake, Wish::Auto) }).unwrap();
    let name = wait::until("it is found", SOON, || {
        gauge.sample(Instant::now()).gpu.reading().map(|reading| reading.name.clone())
    });
    assert!(name.contains("Orin"), "{name}");
}

#[test]
fn the_box_is_read_by_its_zones_else_by_its_sensors() {
    let orin = tree(&ORIN);
    let mut reader = MachineReader::new(orin.path());
    let machine = Machine {
        temperature_c: Some(50.562),
        slowdown_c: Some(99.0),
        throttled: Some(false),
        memory: Some(Memory { total_bytes: 7_803_620 * 1_024, free_bytes: 5_120_000_000 }),
    };
    assert_eq!(reader.read(), machine);

    // A computer with an AMD processor: no zone of it, but a sensor.
    let amd = tree(&[
        ("sys/class/hwmon/hwmon0/name", "nvme\n"),
        ("sys/class/hwmon/hwmon0/temp1_input", "88000\n"),
        ("sys/class/hwmon/hwmon2/name", "k10temp\n"),
        ("sys/class/hwmon/hwmon2/temp1_input", "54250\n"),
        ("sys/class/hwmon/hwmon2/temp3_input", "51000\n"),
    ]);
    let machine = MachineReader::new(amd.path()).read();
    assert_eq!((machine.temperature_c, machine.throttled), (Some(54.25), None));

    // One of Intel's counts for how long it was slowed down.
    let count = "sys/devices/system/cpu/cpu3/thermal_throttle/package_throttle_total_time_ms";
    let intel = tree(&[
        ("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
        ("sys/class/thermal/thermal_zone0/temp", "71000\n"),
        (count, "12\n"),
    ]);
    let mut reader = MachineReader::new(intel.path());
    let before = reader.read();
    assert_eq!((before.temperature_c, before.throttled), (Some(71.0), Some(false)));
    put(intel.path(), count, "111\n");
    assert_eq!(reader.read().throttled, Some(false));
    put(intel.path(), count, "211\n");
    assert_eq!(reader.read().throttled, Some(true));
    assert_eq!(reader.read().throttled, Some(false));

    // A virtual machine tells nothing.
    let bare =
        tree(&[("proc/meminfo", "nonsense\n"), ("sys/class/thermal/thermal_zone0/temp", "x")]);
    assert_eq!(MachineReader::new(bare.path()).read(), Machine::default());
}

fn gpu_of(appliance: &Appliance) -> serde_json::Value {
    appliance.api("/health")["machine"]["gpu"].clone()
}

/// Waits until one of the reasons of the health has these words. While an engine is exchanged it is 503.
fn reason(appliance: &Appliance, words: &str) -> String {
    wait::until(words, SOON, || {
        let (_, health) = appliance.get("/health")?;
        let reasons = health["reasons"].as_array().unwrap().clone();
        let mut texts = reasons.iter().map(|reason| reason.as_str().unwrap().to_owned());
        texts.find(|text| text.contains(words))
    })
}

#[test]
fn a_box_shows_its_gpu_takes_fewer_calls_while_it_is_hot_and_says_when_it_is_lost() {
    let mut fake = FakeNvml::new();
    let keys = format!(
        "library = \"{}\"\nsmaller_model = \"starter\"\nmemory_reserve_mb = 0",
        fake.library().display()
    );
    // The same model by another name: what is heard with it costs little, and the exchange is seen.
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/starter-en/ggml-starter-en-q8_0.bin");
    let appliance = Setup::default()
        .calls_max(2)
        .with("gpu", &keys)
        .with("speech", &format!("whisper_model = \"{model}\""))
        .start();
    let usual = appliance.api("/health")["engine"]["model"].clone();
    let gpu = wait::until("the GPU is shown", SOON, || {
        Some(gpu_of(&appliance)).filter(|gpu| gpu["state"] == "found")
    });
    assert_eq!(
        (gpu["name"].as_str(), gpu["power_w"].as_f64()),
        (Some("NVIDIA Test L4"), Some(43.5))
    );
    assert!(appliance.text("/metrics").contains("attendant_gpu_temperature_celsius 61\n"));

    // What it uses while one call is up is that call's.
    let mut first = Phone::new("first");
    first.call(&appliance.uri(), appliance.sip);
    fake.set("energy", "1240000");
    wait::until("240 J are counted", SOON, || {
        (gpu_of(&appliance)["energy_j"].as_f64() == Some(240.0)).then_some(())
    });

    fake.set("temperature", "91");
    let told = reason(&appliance, "fewer calls are taken");
    assert!(told.contains("the GPU has 91 °C, its limit is 88 °C"), "{told}");
    let mut second = Phone::new("second");
    let refused = second.is_refused(&appliance.uri(), appliance.sip);
    assert!(refused.contains(" 486 "), "{refused}");
    assert_eq!(appliance.api("/health")["machine"]["limit"], "heat");

    // Heat that lasts: another engine hears, and the call that is up stays so.
    let engine = appliance.engine_pid().unwrap();
    wait::until("the engine is exchanged", 4 * SOON, || {
        appliance.engine_pid().filter(|pid| *pid != engine)
    });
    reason(&appliance, "gpu.smaller_model: ");
    wait::until("another model hears", SOON, || {
        let (status, health) = appliance.get("/health")?;
        (status == 200 && health["engine"]["model"] != usual).then_some(())
    });
    assert_eq!(appliance.live_calls(), 1);
    first.hangs_up();
    let record = wait::until("the call has ended", SOON, || {
        appliance.record_of("first").filter(|call| call["state"] == "ended")
    });
    assert_eq!(record["gpu_energy_j"].as_f64(), Some(240.0), "{record}");

    fake.set("xid", "79");
    fake.set("event", "1");
    let told = reason(&appliance, "NVIDIA Test L4 is lost");
    assert!(told.contains("Xid 79") && told.contains("speech works on the CPU"), "{told}");
    let gpu = gpu_of(&appliance);
    assert_eq!((gpu["state"].as_str(), gpu["last_xid"].as_u64()), (Some("lost"), Some(79)));
    assert!(gpu["temperature_c"].is_null());
    assert!(appliance.text("/metrics").contains("attendant_gpu_state{state=\"lost\"} 1\n"));
    // It goes on answering.
    Phone::new("third").call(&appliance.uri(), appliance.sip);
}
