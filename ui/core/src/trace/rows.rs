//! The lines of the waterfall: spans in tree order, each followed by its log records, without what is collapsed.

use std::collections::{HashMap, HashSet};

use super::document::spans_by_id;
use super::{Layout, TraceDocument};
use crate::{highlight, order};

/// Log records shown under one span; the rest is in the span's panel.
const LOGS_PER_SPAN_MAX: usize = 20;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// A span, by index.
    Span(u32),
    /// A log record, by index, and how deep it is indented.
    Log {
        /// The record.
        log: u32,
        /// Depth of its span; 0 where it has none here.
        depth: u16,
    },
    /// So many more log records of a span than are shown.
    MoreLogs {
        /// The span.
        span: u32,
        /// How many more.
        count: u32,
    },
    /// Heading above the records that belong to no span here.
    Loose {
        /// How many there are.
        count: u32,
    },
}

/// What is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowOptions {
    /// Whether log records are lines of their own.
    pub logs: bool,
}

/// The lines, in order.
pub fn rows(document: &TraceDocument, layout: &Layout, collapsed: &HashSet<u32>, options: RowOptions) -> Vec<Row> {
    let logs = if options.logs { logs_by_span(document) } else { HashMap::new() };
    let mut rows = Vec::with_capacity(layout.order.len() + document.logs.len());
    let mut at = 0;
    while let Some(index) = layout.order.get(at) {
        let (span, depth) = (*index, layout.depth[*index as usize]);
        rows.push(Row::Span(span));
        if let Some(found) = logs.get(&Some(span)) {
            rows.extend(found.iter().take(LOGS_PER_SPAN_MAX).map(|log| Row::Log { log: *log, depth }));
            let count = found.len().saturating_sub(LOGS_PER_SPAN_MAX) as u32;
            rows.extend((count > 0).then_some(Row::MoreLogs { span, count }));
        }
        at += 1;
        if collapsed.contains(&span) {
            at += layout.descendants[span as usize] as usize;
        }
    }
    if let Some(loose) = logs.get(&None) {
        rows.push(Row::Loose { count: loose.len() as u32 });
        rows.extend(loose.iter().map(|log| Row::Log { log: *log, depth: 0 }));
    }
    rows
}

/// Log records by the span they name (`None`: no span of this trace), each list in time order.
fn logs_by_span(document: &TraceDocument) -> HashMap<Option<u32>, Vec<u32>> {
    if document.logs.is_empty() {
        return HashMap::new();
    }
    let by_id = spans_by_id(&document.spans);
    let mut found: HashMap<Option<u32>, Vec<u32>> = HashMap::new();
    let logs = &document.logs;
    for index in order::sorted_by_number(logs.len(), &|at| logs[at].time) {
        let span = logs[index].span.and_then(|id| by_id.get(&id).copied());
        found.entry(span).or_default().push(index as u32);
    }
    found
}

/// Where a span's line is.
pub fn row_of_span(rows: &[Row], span: u32) -> Option<usize> {
    rows.iter().position(|row| *row == Row::Span(span))
}

/// Opens everything above a span, so that it has a line. Says whether anything changed.
pub fn reveal(layout: &Layout, collapsed: &mut HashSet<u32>, span: u32) -> bool {
    let mut changed = false;
    let mut above = layout.parent.get(span as usize).copied().flatten();
    while let Some(parent) = above {
        changed |= collapsed.remove(&parent);
        above = layout.parent[parent as usize];
    }
    changed
}

/// Spans with errors in the order they are shown.
pub fn errors_in_order(document: &TraceDocument, layout: &Layout) -> Vec<u32> {
    layout.order.iter().copied().filter(|span| document.spans[*span as usize].is_error).collect()
}

/// Spans, in the order they are shown, whose name, service, id, attributes or log records hold the text.
pub fn find(document: &TraceDocument, layout: &Layout, text: &str) -> Vec<u32> {
    let needle = text.trim().to_lowercase();
    if needle.is_empty() {
        return Vec::new();
    }
    let services: Vec<bool> = document.services.iter().map(|name| highlight::contains(name, &needle)).collect();
    let in_logs: HashSet<u64> =
        document.logs.iter().filter(|log| highlight::contains(&log.line, &needle)).filter_map(|log| log.span).collect();
    let is_match = |span: &u32| {
        let head = &document.spans[*span as usize];
        highlight::contains(&head.name, &needle)
            || services.get(usize::from(head.service)).copied().unwrap_or(false)
            || in_logs.contains(&head.id)
            || highlight::contains(document.attribute_text(*span as usize), &needle)
            || (needle.len() >= 4 && format!("{:016x}", head.id).contains(&needle))
    };
    layout.order.iter().copied().filter(is_match).collect()
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::{decoded, document};
    use super::*;
    use crate::trace::LogHead;
    use serde_json::json;

    fn log(document: &TraceDocument, span: Option<u64>, time: i64, line: &str) -> LogHead {
        let text = json!({"logs": [{"time_unix_nano": time.to_string(), "body": line}]}).to_string();
        let mut head = decoded(text).expect("decodes").logs.remove(0);
        head.span = span;
        let _ = document;
        head
    }

    #[test]
    fn logs_follow_their_span_and_collapse_with_its_ancestors() {
        let mut document = document(&[(1, None, 0, 100), (2, Some(1), 10, 40), (3, None, 50, 60)]);
        document.logs = vec![
            log(&document, Some(2), 30, "late"),
            log(&document, Some(2), 20, "early"),
            log(&document, Some(77), 5, "lost"),
        ];
        let layout = Layout::of(&document);
        let mut collapsed = HashSet::new();
        let with = RowOptions { logs: true };
        assert_eq!(
            rows(&document, &layout, &collapsed, with),
            [
                Row::Span(0),
                Row::Span(1),
                Row::Log { log: 1, depth: 1 },
                Row::Log { log: 0, depth: 1 },
                Row::Span(2),
                Row::Loose { count: 1 },
                Row::Log { log: 2, depth: 0 },
            ]
        );
        collapsed.insert(0);
        assert_eq!(rows(&document, &layout, &collapsed, RowOptions::default()), [Row::Span(0), Row::Span(2)]);
        assert!(reveal(&layout, &mut collapsed, 1));
        assert!(collapsed.is_empty() && !reveal(&layout, &mut collapsed, 1));
        assert_eq!(find(&document, &layout, "EARLY"), [1]);
        assert_eq!(find(&document, &layout, "op3"), [2]);
        assert!(find(&document, &layout, " ").is_empty());
    }

    #[test]
    fn a_flood_of_logs_is_cut() {
        let mut document = document(&[(1, None, 0, 100)]);
        document.logs = (0..500).map(|n| log(&document, Some(1), n, "x")).collect();
        let layout = Layout::of(&document);
        let found = rows(&document, &layout, &HashSet::new(), RowOptions { logs: true });
        assert_eq!(found.len(), 22);
        assert_eq!(found.last(), Some(&Row::MoreLogs { span: 0, count: 480 }));
    }
}
