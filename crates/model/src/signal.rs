//! Signals as OTLP has them, and the tables their records are kept in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of OTLP's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points of every kind.
    Metrics,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// The name in OTLP paths and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kind of row: one Arrow schema, one folder of files, one SQL table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Table {
    /// Log records.
    Logs = 0,
    /// Spans.
    Spans = 1,
    /// What identifies a metric series, once per segment and hour.
    Series = 2,
    /// Number points of gauges and sums.
    Points = 3,
    /// Points of explicit-bucket histograms.
    Histograms = 4,
    /// Points of exponential histograms.
    ExpHistograms = 5,
    /// Points of summaries.
    Summaries = 6,
    /// Exemplars of points of every kind.
    Exemplars = 7,
}

impl Table {
    /// Every table, by number.
    pub const ALL: [Table; 8] = [
        Table::Logs,
        Table::Spans,
        Table::Series,
        Table::Points,
        Table::Histograms,
        Table::ExpHistograms,
        Table::Summaries,
        Table::Exemplars,
    ];

    /// The name in paths and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Table::Logs => "logs",
            Table::Spans => "spans",
            Table::Series => "series",
            Table::Points => "points",
            Table::Histograms => "histograms",
            Table::ExpHistograms => "exp_histograms",
            Table::Summaries => "summaries",
            Table::Exemplars => "exemplars",
        }
    }

    /// The table with this number, as journals and catalogs store it.
    pub fn from_number(number: u8) -> Option<Table> {
        Table::ALL.get(usize::from(number)).copied()
    }

    /// The number journals and catalogs store.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The signal whose requests fill this table.
    pub fn signal(self) -> Signal {
        match self {
            Table::Logs => Signal::Logs,
            Table::Spans => Signal::Traces,
            _ => Signal::Metrics,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Table {
    type Err = ();

    fn from_str(name: &str) -> Result<Table, ()> {
        Table::ALL.into_iter().find(|table| table.name() == name).ok_or(())
    }
}
