//! The one table that is printed, with what the figures depend on.

use std::fmt::Write;
use std::time::Instant;

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    None,
    AtMost(f64),
    AtLeast(f64),
}

/// Figures in the order in which they were measured.
#[derive(Debug)]
pub struct Table {
    rows: Vec<[String; 4]>,
    remarks: Vec<String>,
    began: Instant,
    load_at_start: String,
}

impl Default for Table {
    fn default() -> Self {
        Self { rows: Vec::new(), remarks: Vec::new(), began: Instant::now(), load_at_start: load() }
    }
}

impl Table {
    pub fn section(&mut self, name: &str) {
        self.rows.push([name.to_owned(), String::new(), String::new(), String::new()]);
    }

    /// A figure; `None` where nothing could be measured.
    pub fn figure(&mut self, what: &str, figure: Option<f64>, unit: &str, target: Target) {
        let (wanted, limit) = match target {
            Target::None => (String::new(), None),
            Target::AtMost(limit) => (format!("<= {}", number(limit)), Some(limit)),
            Target::AtLeast(limit) => (format!(">= {}", number(limit)), Some(limit)),
        };
        let limit = limit.filter(|limit| *limit > 0.0);
        let ratio = limit.zip(figure).map(|(limit, figure)| format!("{:.2}", figure / limit));
        let figure = figure.map_or("none".to_owned(), |value| format!("{} {unit}", number(value)));
        self.rows.push([format!("  {what}"), wanted, figure, ratio.unwrap_or_default()]);
    }

    /// A figure in words.
    pub fn note(&mut self, what: &str, words: &str) {
        self.rows.push([format!("  {what}"), String::new(), words.to_owned(), String::new()]);
    }

    /// A line under the table.
    pub fn remark(&mut self, words: String) {
        self.remarks.push(words);
    }

    pub fn print(&self) {
        let head = ["what", "target", "figure", "of target"].map(str::to_owned);
        let all: Vec<&[String; 4]> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |at: usize| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        let mut text = String::new();
        for [what, target, figure, ratio] in all {
            let [a, b, c, d] = widths;
            let row = format!("{what:<a$}  {target:>b$}  {figure:>c$}  {ratio:>d$}");
            let _ = writeln!(text, "{}", row.trim_end());
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "{remark}");
        }
        let took_s = self.began.elapsed().as_secs();
        let _ = writeln!(text, "\nconditions: {}", machine());
        let _ = writeln!(
            text,
            "load average {} at start, {} at end; {took_s} s",
            self.load_at_start,
            load()
        );
        let _ = writeln!(
            text,
            "model starter-en, voice slt, playbook logistics; the callers and their voices share the cores"
        );
        print!("{text}");
    }
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, name)| name);
    format!("{cores} cores ({model}), recognition on the CPU")
}
