//! Prometheus' text format 0.0.4, as its documentation describes it: families of samples, each with its HELP
//! and its TYPE once and before its samples.

use std::fmt::Write;

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Labels of one sample, with values from bounded sets.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text under way.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// Begins a family; its name is `[a-z_]+`, its help one line.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        Family { text: &mut self.text, name }
    }

    pub fn into_text(self) -> String {
        self.text
    }
}

/// The samples of one family.
#[derive(Debug)]
pub(super) struct Family<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Family<'_> {
    pub fn sample(&mut self, labels: Labels<'_>, value: u64) -> &mut Self {
        self.line("", labels, &value.to_string());
        self
    }

    pub fn fraction(&mut self, labels: Labels<'_>, value: f64) -> &mut Self {
        self.line("", labels, &value.to_string());
        self
    }

    /// `counts` are those of each bucket alone; one more than there are bounds.
    pub fn histogram(&mut self, labels: Labels<'_>, bounds: &[f64], counts: &[u64], sum: f64) {
        let mut seen = 0;
        for (index, count) in counts.iter().enumerate() {
            seen += count;
            let bound = bounds.get(index).map_or("+Inf".to_owned(), f64::to_string);
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.line("_bucket", &labels, &seen.to_string());
        }
        self.line("_sum", labels, &sum.to_string());
        self.line("_count", labels, &seen.to_string());
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: &str) {
        let Self { text, name } = self;
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = match labels.is_empty() {
            true => writeln!(text, "{name}{suffix} {value}"),
            false => writeln!(text, "{name}{suffix}{{{}}} {value}", labels.join(",")),
        };
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
