//! The compact role: one job at a time, at the lowest CPU priority.

use compact::{CompactLimits, CompactStatus, Compactor, Keep};
use server::status::{Metric, MetricKind, RoleStatus};
use store::Layout;
use tokio_util::sync::CancellationToken;

use super::{Role, runtime};
use crate::failure::Failure;
use crate::locks::RoleLock;
use crate::settings::Settings;
use crate::signals::Shutdown;
use crate::start;
use crate::status_writer::StatusWriter;

/// Runs the role until a signal asks for its end.
pub(super) fn run(settings: &Settings, layout: Layout, lock: RoleLock) -> Result<(), Failure> {
    let runtime = runtime(1, "compact")?;
    let ended = runtime.block_on(async {
        let mut signals = Shutdown::listen()?;
        let catalog = start::open_catalog(&layout).await?;
        let compactor = Compactor::open(layout.clone(), catalog, limits(settings));
        let status = compactor.status();
        let _writer =
            StatusWriter::start(layout.status_folder(), Role::Compact, move |out| report(&status.read(), out))
                .map_err(|error| Failure::cannot_start(format!("cannot start a thread: {error}")))?;
        let shutdown = CancellationToken::new();
        let on_signal = shutdown.clone();
        tokio::spawn(async move {
            signals.signal().await;
            on_signal.cancel();
        });
        compactor.run(shutdown).await.map_err(|error| Failure::new(error.to_string()))
    });
    drop(lock);
    ended
}

fn limits(settings: &Settings) -> CompactLimits {
    let compact = &settings.compact;
    let keep =
        Keep { logs: compact.retention_logs, traces: compact.retention_traces, metrics: compact.retention_metrics };
    CompactLimits {
        past: keep.longest(),
        keep,
        close_after: compact.close_after,
        final_rows: compact.final_rows,
        merge_bytes_max: compact.merge_bytes_max,
        merge_files_max: compact.merge_files_max,
        ledger: settings.ledger.limits,
        ledger_keep: settings.ledger.keep,
        disk_reserve_bytes: settings.journal.disk_reserve_bytes,
        ..CompactLimits::default()
    }
}

fn report(status: &CompactStatus, out: &mut RoleStatus) {
    out.ready = status.lease_epoch > 0;
    out.remarks.extend(status.last_error.iter().map(|error| format!("last error: {error}")));
    let segments = [("is quarantined", &status.quarantined), ("cannot be read now", &status.blocked)];
    for (what, list) in segments {
        out.remarks.extend(list.iter().take(20).map(|(segment, reason)| format!("segment {segment} {what}: {reason}")));
    }
    out.remarks.extend(status.strange_files.iter().take(20).map(|path| format!("the catalog does not know {path}")));
    let held = [
        (status.merges_held, "merges wait for disk space"),
        (status.retention_held, "the clock jumped: retention deletes nothing for an hour"),
    ];
    out.remarks.extend(held.iter().filter(|(is_held, _)| *is_held).map(|(_, remark)| (*remark).to_owned()));
    let mut add = |name: &str, help: &str, kind, value: f64| out.metrics.push(Metric::plain(name, help, kind, value));
    let (counter, gauge) = (MetricKind::Counter, MetricKind::Gauge);
    add("spyhop_compact_segments_waiting", "Sealed segments not yet in files.", gauge, status.segments_waiting as f64);
    add("spyhop_compact_bytes_waiting", "Their bytes.", gauge, status.bytes_waiting as f64);
    add("spyhop_compact_flushes_total", "Flushes committed.", counter, status.flushes as f64);
    add("spyhop_compact_rows_total", "Rows that flushes wrote to files.", counter, status.rows_flushed as f64);
    add("spyhop_compact_bytes_total", "Bytes of Parquet they wrote.", counter, status.bytes_written as f64);
    add("spyhop_compact_seconds_total", "Time flushes took.", counter, status.flush_micros as f64 / 1e6);
    add("spyhop_compact_merges_total", "Merges committed.", counter, status.merges as f64);
    add("spyhop_compact_merged_files_total", "Files that merges read.", counter, status.files_merged as f64);
    add("spyhop_compact_merged_rows_total", "Rows that merges wrote.", counter, status.rows_merged as f64);
    add("spyhop_compact_merged_bytes_total", "Bytes of Parquet they wrote.", counter, status.bytes_merged as f64);
    add("spyhop_compact_merge_seconds_total", "Time merges took.", counter, status.merge_micros as f64 / 1e6);
    add("spyhop_compact_hours_waiting", "Hours that are over and not merged.", gauge, status.hours_waiting as f64);
    add("spyhop_retention_files_total", "Files removed by retention.", counter, status.files_expired as f64);
    add("spyhop_retention_rows_total", "Rows in them.", counter, status.rows_expired as f64);
    add("spyhop_compact_reaped_total", "Segments and files deleted after their grace.", counter, status.reaped as f64);
    add("spyhop_quarantined_segments", "Damaged segments taken out.", gauge, status.quarantined.len() as f64);
}
