//! What a process holds, as /proc shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use super::wait;

const REST: Duration = Duration::from_millis(500);

/// What must be the same before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub files: usize,
    pub threads: usize,
    pub udp_ports: BTreeSet<u16>,
}

/// What it holds once that stays the same for a while: a web connection of ours may be closing.
pub fn held_at_rest(pid: u32) -> Held {
    let mut last = (held(pid), Instant::now());
    wait::until("nothing comes or goes", REST * 60, || {
        let now = held(pid);
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() >= REST).then(|| last.0.clone())
    })
}

pub fn held(pid: u32) -> Held {
    let files = open_files(pid);
    Held {
        files: files.len(),
        threads: status_field(pid, "Threads:").unwrap() as usize,
        udp_ports: udp_ports(pid, &files),
    }
}

/// Resident memory in KiB.
pub fn resident_kib(pid: u32) -> u64 {
    status_field(pid, "VmRSS:").unwrap()
}

/// Processor time spent by all threads, in seconds.
pub fn processor_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = &stat[stat.rfind(')').unwrap() + 2..];
    let fields: Vec<&str> = after_name.split(' ').collect();
    // utime and stime are the fields 14 and 15 of all, the name being the second (proc(5)); the
    // kernel counts them in hundredths.
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks as f64 / 100.0
}

/// Children whose command line contains `word`.
pub fn children(pid: u32, word: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end between two looks at it.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rfind(')').and_then(|end| stat[end + 2..].split(' ').nth(1));
        if parent.and_then(|p| p.parse().ok()) != Some(pid) {
            continue;
        }
        let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.contains(word) {
            found.push(child);
        }
    }
    found
}

fn status_field(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// What each open file is.
fn open_files(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.map(|path| path.to_string_lossy().into_owned()).collect()
}

fn udp_ports(pid: u32, files: &[String]) -> BTreeSet<u16> {
    let mut by_inode = BTreeMap::new();
    for table in ["udp", "udp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let port = fields[1].rsplit(':').next().unwrap();
            by_inode.insert(fields[9].to_owned(), u16::from_str_radix(port, 16).unwrap());
        }
    }
    let inode = |file: &String| {
        file.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).map(str::to_owned)
    };
    files.iter().filter_map(inode).filter_map(|inode| by_inode.get(&inode).copied()).collect()
}

/// The number of the thread of this name of a process.
pub fn thread(pid: u32, name: &str) -> Option<u32> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let numbers = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.into_iter().find(|number: &u32| {
        let comm = std::fs::read_to_string(format!("/proc/{pid}/task/{number}/comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}
