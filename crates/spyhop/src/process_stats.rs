//! What a role says of its own process, from `/proc/self`.

use std::fs;

use server::status::{Metric, MetricKind};

/// CPU time, memory and threads as metrics, under the names Prometheus clients use.
pub(crate) fn metrics() -> Vec<Metric> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ticks = rustix::param::clock_ticks_per_second().max(1) as f64;
    let mut metrics = Vec::new();
    let mut add = |name, help, kind, value: Option<f64>| {
        metrics.extend(value.map(|value| Metric::plain(name, help, kind, value)));
    };
    let cpu = cpu_ticks(&stat).map(|count| count as f64 / ticks);
    add("process_cpu_seconds_total", "CPU time in user and system mode.", MetricKind::Counter, cpu);
    let gauge = MetricKind::Gauge;
    add("process_resident_memory_bytes", "Memory in RAM.", gauge, line_number(&status, "VmRSS:").map(kib));
    add(
        "spyhop_anonymous_memory_bytes",
        "Memory in RAM that is no file.",
        gauge,
        line_number(&status, "RssAnon:").map(kib),
    );
    add("spyhop_threads", "Threads of the process.", gauge, line_number(&status, "Threads:").map(|count| count as f64));
    let descriptors = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64);
    add("process_open_fds", "Open file descriptors.", gauge, descriptors);
    metrics
}

fn kib(number: u64) -> f64 {
    number as f64 * 1024.0
}

/// Fields 14 and 15 of `/proc/<pid>/stat`, counted after the name, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn line_number(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read() {
        assert_eq!(cpu_ticks("7 (a) b) S 1 1 1 0 -1 4 1 2 3 4 70 30 0 0 20"), Some(100));
        assert_eq!(cpu_ticks(""), None);
        assert_eq!(line_number("VmRSS:\t  120 kB\nThreads:\t3\n", "VmRSS:"), Some(120));
        assert!(metrics().iter().any(|metric| metric.name == "process_resident_memory_bytes"));
    }
}
