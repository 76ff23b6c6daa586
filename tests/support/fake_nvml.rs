//! A library of the test's own in place of NVIDIA's, with a GPU that does what a file says.
//!
//! Each line of the file is a key and a value; `!N` for a value is NVML's error N, and what has no line is not
//! supported (error 3). `hang 1` holds whoever asks for anything, until the line is gone.

use std::path::PathBuf;
use std::process::Command;

use super::folder::Folder;

const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int R;
enum { OK = 0, NOT_SUPPORTED = 3, TIMEOUT = 10 };

static R look(const char *key, unsigned long long *value, char *text, unsigned size) {
    char line[256];
    R result = NOT_SUPPORTED;
    FILE *file = fopen(STATE, "r");
    if (!file) return NOT_SUPPORTED;
    while (fgets(line, sizeof line, file)) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) || line[length] != ' ') continue;
        char *word = line + length + 1;
        word[strcspn(word, "\n")] = 0;
        if (*word == '!') { result = atoi(word + 1); break; }
        if (value) *value = strtoull(word, 0, 10);
        if (text) { strncpy(text, word, size - 1); text[size - 1] = 0; }
        result = OK;
        break;
    }
    fclose(file);
    return result;
}

static R get(const char *key, unsigned long long *value) {
    unsigned long long hangs = 0;
    while (look("hang", &hangs, 0, 0) == OK && hangs) usleep(20000);
    return look(key, value, 0, 0);
}

static R get_uint(const char *key, unsigned *value) {
    unsigned long long wide = 0;
    R result = get(key, &wide);
    *value = (unsigned)wide;
    return result;
}

R nvmlInit_v2(void) { unsigned long long v; return look("init", &v, 0, 0) == NOT_SUPPORTED ? OK : look("init", &v, 0, 0); }
R nvmlShutdown(void) { return OK; }
R nvmlSystemGetDriverVersion(char *text, unsigned size) { return look("driver", 0, text, size); }
R nvmlDeviceGetCount_v2(unsigned *count) { return get_uint("count", count); }
R nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    unsigned count = 0;
    R result = get_uint("count", &count);
    if (result) return result;
    if (index >= count) return 2;
    *device = (void *)(long)(index + 1);
    return OK;
}
R nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    char known[96];
    R result = look("uuid", 0, known, sizeof known);
    if (result) return result;
    if (strcmp(uuid, known)) return 6;
    *device = (void *)1L;
    return OK;
}
R nvmlDeviceGetName(void *device, char *text, unsigned size) { return look("name", 0, text, size); }
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory;
R nvmlDeviceGetMemoryInfo_v2(void *device, Memory *memory) {
    R result = get("memory_total", &memory->total);
    return result ? result : get("memory_free", &memory->free);
}
typedef struct { unsigned gpu, memory; } Utilization;
R nvmlDeviceGetUtilizationRates(void *device, Utilization *u) { u->memory = 0; return get_uint("load", &u->gpu); }
R nvmlDeviceGetTemperature(void *device, int sensor, unsigned *c) { return get_uint("temperature", c); }
R nvmlDeviceGetTemperatureThreshold(void *device, int kind, unsigned *c) {
    return kind == 1 ? get_uint("slowdown", c) : NOT_SUPPORTED;
}
R nvmlDeviceGetPowerUsage(void *device, unsigned *mw) { return get_uint("power", mw); }
R nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *mw) { return get_uint("power_limit", mw); }
R nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj) { return get("energy", mj); }
R nvmlDeviceGetClockInfo(void *device, int kind, unsigned *mhz) { return get_uint("clock", mhz); }
R nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *mhz) { return get_uint("max_clock", mhz); }
R nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) { return get("throttle", bits); }
R nvmlDeviceGetTotalEccErrors(void *device, int kind, int counter, unsigned long long *count) {
    if (counter != 0) return NOT_SUPPORTED;
    return get(kind == 0 ? "ecc_corrected" : "ecc_uncorrected", count);
}
R nvmlEventSetCreate(void **set) { *set = (void *)1L; return OK; }
R nvmlEventSetFree(void *set) { return OK; }
R nvmlDeviceRegisterEvents(void *device, unsigned long long kinds, void *set) { return kinds == 8 ? OK : NOT_SUPPORTED; }
typedef struct { void *device; unsigned long long type, data; unsigned gi, ci; } Event;
R nvmlEventSetWait_v2(void *set, Event *event, unsigned timeout) {
    /* Each number of the event is told once. */
    static unsigned long long told = 0;
    unsigned long long number = 0, xid = 0;
    if (look("event", &number, 0, 0) || number <= told || look("xid", &xid, 0, 0)) return TIMEOUT;
    told = number;
    memset(event, 0, sizeof *event);
    event->device = (void *)1L;
    event->type = 8;
    event->data = xid;
    return OK;
}
"#;

/// The library and its GPU.
#[derive(Debug)]
pub struct FakeNvml {
    folder: Folder,
    lines: Vec<(String, String)>,
}

impl FakeNvml {
    /// A GPU that tells everything and is well.
    pub fn new() -> Self {
        let folder = Folder::new("nvml");
        let source = folder.write("nvml.c", SOURCE);
        let library = folder.at("libnvidia-ml.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(format!("-DSTATE=\"{}\"", folder.at("state").display()))
            .arg(&source)
            .output()
            .expect("cc builds the program's own parts, too");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut fake = Self { folder, lines: Vec::new() };
        for (key, value) in [
            ("driver", "580.95.05"),
            ("count", "1"),
            ("name", "NVIDIA Test L4"),
            ("uuid", "GPU-5b2f1c0e-84a0-9b1f-1111-222233334444"),
            ("memory_total", "24000000000"),
            ("memory_free", "20000000000"),
            ("load", "37"),
            ("temperature", "61"),
            ("slowdown", "95"),
            ("power", "43500"),
            ("power_limit", "72000"),
            ("energy", "1000000"),
            ("clock", "1995"),
            ("max_clock", "2040"),
            ("throttle", "0"),
            ("ecc_corrected", "2"),
            ("ecc_uncorrected", "0"),
        ] {
            fake.put(key, value);
        }
        fake.write();
        fake
    }

    pub fn library(&self) -> PathBuf {
        self.folder.at("libnvidia-ml.so")
    }

    /// From here on it tells this.
    pub fn set(&mut self, key: &str, value: &str) {
        self.put(key, value);
        self.write();
    }

    /// From here on it does not support this.
    pub fn unset(&mut self, key: &str) {
        self.lines.retain(|(known, _)| known != key);
        self.write();
    }

    pub fn keys(&self) -> Vec<String> {
        self.lines.iter().map(|(key, _)| key.clone()).collect()
    }

    fn put(&mut self, key: &str, value: &str) {
        self.lines.retain(|(known, _)| known != key);
        self.lines.push((key.to_owned(), value.to_owned()));
    }

    /// At once: whoever reads sees the lines before or those after.
    fn write(&self) {
        let lines = self.lines.iter().map(|(key, value)| format!("{key} {value}\n"));
        let new = self.folder.write("state.new", lines.collect::<String>());
        std::fs::rename(new, self.folder.at("state")).unwrap();
    }
}
