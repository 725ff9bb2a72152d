//! What libFuzzer says of a run, read from its log.

/// Figures of one run; what the log does not say is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Figures {
    executions: String,
    per_second: String,
    coverage: String,
    features: String,
    /// Inputs in the corpus at the end, and their bytes.
    corpus: String,
    slowest_unit_seconds: String,
    memory_mib: String,
}

impl Figures {
    /// The figures in a log: those of its last line of progress, and the statistics after it.
    pub fn of(log: &str) -> Figures {
        let progress =
            log.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")).unwrap_or_default();
        let after = |word: &str| {
            let rest = progress.split_once(word).map(|(_, rest)| rest).unwrap_or_default();
            rest.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let statistic = |name: &str| {
            let found = log.lines().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            found.map(|rest| rest.trim_start_matches(':').trim().to_owned()).unwrap_or_default()
        };
        Figures {
            executions: statistic("number_of_executed_units"),
            per_second: statistic("average_exec_per_sec"),
            coverage: after(" cov: "),
            features: after(" ft: "),
            corpus: after(" corp: "),
            slowest_unit_seconds: statistic("slowest_unit_time_sec"),
            memory_mib: statistic("peak_rss_mb"),
        }
    }

    /// What the columns of [`Figures::line`] are.
    pub fn head() -> String {
        columns(["target", "executions", "a second", "edges", "features", "corpus", "slowest s", "peak MiB"])
    }

    /// One line of a table.
    pub fn line(&self, target: &str) -> String {
        columns([
            target,
            &self.executions,
            &self.per_second,
            &self.coverage,
            &self.features,
            &self.corpus,
            &self.slowest_unit_seconds,
            &self.memory_mib,
        ])
    }
}

fn columns(cells: [&str; 8]) -> String {
    let [first, rest @ ..] = cells;
    rest.iter().fold(format!("{first:<12}"), |line, cell| format!("{line} {cell:>12}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read() {
        let log = "INFO: seed 1\n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                   #90\tNEW    cov: 12 ft: 13 corp: 2/3b lim: 4 exec/s: 9 rss: 41Mb L: 2/2 MS: 1 InsertByte-\n\
                   #900\tDONE   cov: 14 ft: 15 corp: 3/70Kb lim: 4 exec/s: 90 rss: 42Mb\n\
                   Done 900 runs in 10 second(s)\nstat::number_of_executed_units: 900\n\
                   stat::average_exec_per_sec:     90\nstat::slowest_unit_time_sec:    0\nstat::peak_rss_mb:              43\n";
        let line = Figures::of(log).line("json");
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["json", "900", "90", "14", "15", "3/70Kb", "0", "43"]);
        assert_eq!(Figures::of("killed"), Figures::default());
    }
}
