//! `/metrics`: the status files of all roles as Prometheus text. Bounded by the bound of a status file.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::status::{Metric, MetricKind, RoleStatus, Sample};

/// Joins statuses, `None` standing for a role without a readable file.
pub(crate) fn text(statuses: &[(&str, Option<RoleStatus>)]) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for (role, status) in statuses {
        let up = f64::from(u8::from(status.is_some()));
        add(
            &mut families,
            role,
            &Metric::plain("spyhop_role_seen", "Whether the role writes its status.", MetricKind::Gauge, up),
        );
        let Some(status) = status else { continue };
        let gauge = |name: &str, help: &str, value: f64| Metric::plain(name, help, MetricKind::Gauge, value);
        let ready = f64::from(u8::from(status.ready));
        add(&mut families, role, &gauge("spyhop_role_ready", "Whether the role does its work.", ready));
        let started = status.started_unix_nano as f64 / 1e9;
        add(&mut families, role, &gauge("process_start_time_seconds", "Start of the process.", started));
        let written = status.written_unix_nano as f64 / 1e9;
        add(&mut families, role, &gauge("spyhop_status_time_seconds", "When the role last reported.", written));
        for metric in &status.metrics {
            add(&mut families, role, metric);
        }
        for metric in ledger(status) {
            add(&mut families, role, &metric);
        }
    }
    let mut out = String::new();
    for (name, family) in families {
        let _ = writeln!(out, "# HELP {name} {}\n# TYPE {name} {}", escaped(&family.help), family.kind);
        out.push_str(&family.lines);
    }
    out
}

struct Family {
    help: String,
    kind: &'static str,
    lines: String,
}

fn add(families: &mut BTreeMap<String, Family>, role: &str, metric: &Metric) {
    if !is_metric_name(&metric.name) {
        return;
    }
    let kind = match metric.kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
    };
    let family = families.entry(metric.name.clone());
    let family = family.or_insert_with(|| Family { help: metric.help.clone(), kind, lines: String::new() });
    for Sample { labels, value } in &metric.samples {
        let _ = write!(family.lines, "{}{{role=\"{}\"", metric.name, escaped(role));
        for (label, text) in labels.iter().filter(|(label, _)| is_metric_name(label)) {
            let _ = write!(family.lines, ",{label}=\"{}\"", escaped(text));
        }
        let _ = writeln!(family.lines, "}} {value}");
    }
}

/// The ledger's counts as metrics.
fn ledger(status: &RoleStatus) -> Vec<Metric> {
    if status.signals.is_empty() {
        return Vec::new();
    }
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut records = Vec::new();
    let mut rejected = Vec::new();
    for (signal, counts) in &status.signals {
        let outcomes = [("received", counts.received), ("stored", counts.stored), ("duplicate", counts.duplicate)];
        for (outcome, count) in outcomes {
            let labels = [label("signal", signal), label("outcome", outcome)].into();
            records.push(Sample { labels, value: count as f64 });
        }
        for (reason, count) in &counts.rejected {
            let labels = [label("signal", signal), label("reason", reason)].into();
            rejected.push(Sample { labels, value: *count as f64 });
        }
    }
    let counter = |name: &str, help: &str, samples| Metric {
        name: name.to_owned(),
        help: help.to_owned(),
        kind: MetricKind::Counter,
        samples,
    };
    vec![
        counter("spyhop_records_total", "Records by signal and outcome since ingest started.", records),
        counter("spyhop_rejected_records_total", "Records rejected, by signal and reason.", rejected),
        Metric::plain(
            "spyhop_refused_requests_total",
            "Export requests refused for load or a failing disk.",
            MetricKind::Counter,
            status.refused_requests as f64,
        ),
    ]
}

fn is_metric_name(name: &str) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_joined_over_roles() {
        let metric = |value| Metric::plain("process_resident_memory_bytes", "Memory.", MetricKind::Gauge, value);
        let status = |value| RoleStatus { ready: true, metrics: vec![metric(value)], ..RoleStatus::default() };
        let mut ingest = status(1.0);
        let rejected = [("bad\"id".to_owned(), 2)].into();
        let counts = api::SignalCounts { received: 7, stored: 5, duplicate: 0, rejected };
        ingest.signals.insert("logs".to_owned(), counts);
        let text = text(&[("ingest", Some(ingest)), ("query", Some(status(2.0))), ("compact", None)]);
        let expect = [
            "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes{role=\"ingest\"} 1\n\
             process_resident_memory_bytes{role=\"query\"} 2\n",
            "spyhop_role_seen{role=\"compact\"} 0\n",
            "spyhop_records_total{role=\"ingest\",outcome=\"stored\",signal=\"logs\"} 5\n",
            "spyhop_rejected_records_total{role=\"ingest\",reason=\"bad\\\"id\",signal=\"logs\"} 2\n",
        ];
        for part in expect {
            assert!(text.contains(part), "{part}\n---\n{text}");
        }
        assert_eq!(text.matches("# TYPE process_resident_memory_bytes").count(), 1);
    }
}
