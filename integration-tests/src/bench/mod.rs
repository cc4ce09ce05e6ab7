//! The rooms of the benchmark: a stage (database, files, slots), a gateway that is watched from
//! outside, and one room a kind of figure.
//!
//! The gateway is a process as an operator has it, with its default settings; nothing here reaches
//! into it but /ready, /metrics and /proc.

pub(crate) mod backlog;
pub(crate) mod bare;
pub(crate) mod beside;
pub(crate) mod big;
pub(crate) mod history;
pub(crate) mod history_latency;
pub(crate) mod kafka;
pub(crate) mod latency;
pub(crate) mod outbox;
pub(crate) mod products;
pub(crate) mod protection;
pub(crate) mod report;
pub(crate) mod stage;
pub(crate) mod start;
pub(crate) mod watched;

/// How the benchmark is called.
pub(crate) const USAGE: &str =
    "bench [--rows N] [--big N] [--seconds N] [--rounds N] [--commits N] [--only NAMES]
  --rows N      rows of the backlog (1000000), in 1000 transactions
  --big N       rows of the one big transaction (5000000)
  --seconds N   how long latency is measured (20)
  --rounds N    how often the backlog is read in each mode or variant (3)
  --commits N   commits of progress before the last start (1000000)
  --only NAMES  of start,latency,backlog,big,history,history-latency,products,
                predicates,outbox,hmac,encrypt; with commas";

/// What to measure, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Rows of the backlog.
    pub(crate) rows: u64,
    /// Rows of the one big transaction.
    pub(crate) big: u64,
    /// How long latency is measured.
    pub(crate) seconds: u64,
    /// How often the backlog is read in each mode.
    pub(crate) rounds: u64,
    /// Commits of progress before the last start.
    pub(crate) commits: u64,
    only: Vec<String>,
}

impl Options {
    /// Reads the command line.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            rows: 1_000_000,
            big: 5_000_000,
            seconds: 20,
            rounds: 3,
            commits: 1_000_000,
            only: Vec::new(),
        };
        while let Some(word) = words.next() {
            let value = words
                .next()
                .ok_or_else(|| format!("{word} needs a value"))?;
            let number = || {
                let n = value.parse::<u64>().ok().filter(|n| *n > 0);
                n.ok_or_else(|| format!("{word} needs a number above 0"))
            };
            match word.as_str() {
                "--rows" => options.rows = number()?,
                "--big" => options.big = number()?,
                "--seconds" => options.seconds = number()?,
                "--rounds" => options.rounds = number()?,
                "--commits" => options.commits = number()?,
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                _ => return Err(format!("{word} is not known")),
            }
        }
        let known = [
            "start",
            "latency",
            "backlog",
            "big",
            "history",
            "history-latency",
            "products",
            "predicates",
            "outbox",
            "hmac",
            "encrypt",
        ];
        match options.only.iter().find(|o| !known.contains(&o.as_str())) {
            Some(other) => Err(format!("--only {other}: there is no such part")),
            None => Ok(options),
        }
    }

    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|o| o == part)
    }
}

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Measure {
    /// What was measured.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What it stands beside, measured in the same run, and how much that was.
    pub(crate) floor: Option<(&'static str, f64)>,
    /// What it should be.
    pub(crate) goal: Option<Goal>,
}

/// A bound that a figure should keep.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At most this.
    Most(f64),
    /// At most this beside its floor.
    MostAboveFloor(f64),
    /// At least so many times its floor.
    RatioOfFloor(f64),
}

impl Measure {
    /// A figure by itself.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Measure {
        Measure {
            name: name.into(),
            value,
            unit,
            floor: None,
            goal: None,
        }
    }

    /// Beside a floor.
    pub(crate) fn beside(mut self, name: &'static str, value: f64) -> Measure {
        self.floor = Some((name, value));
        self
    }

    /// With a goal.
    pub(crate) fn goal(mut self, goal: Goal) -> Measure {
        self.goal = Some(goal);
        self
    }

    /// The figure over its floor.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (_, floor) = self.floor?;
        (floor > 0.0).then(|| self.value / floor)
    }
}

/// The value below which a share of all lies; 0 of nothing.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// The one in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
