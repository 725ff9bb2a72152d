//! One metric over time: which series make which line, and which function is applied.

use std::collections::BTreeMap;

use api::filter::{self, Target};
use api::{MetricLine, MetricRangeAnswer, StepRange, UnixNano};
use model::{Table, TimeRange};
use tables::{Scan, TablesError};

use super::MetricLimits;
use super::amounts::Amounts;
use super::distributions::Distributions;
use super::evaluate::{Failure, Grouped, Lines, evaluate};
use super::exemplars::exemplars;
use super::function::{Function, GroupBy, MetricKind, Temporality};
use super::labels::LabelKey;
use super::levels::{Levels, SummaryQuantiles};
use super::points::{ExponentialPoint, HistogramPoint, SummaryPoint};
use super::reader::{Plan, Wanted};
use super::series::{Selected, Selection, Series, select};
use super::steps::Steps;
use crate::error::QueryError;
use crate::matcher::Matcher;
use crate::service::Question;

/// What quantile is meant where none is named.
const QUANTILE_USUAL: f64 = 0.95;

/// Lines where no limit is named.
const LINES_USUAL: usize = 100;

/// A question for the values of a metric over time.
#[derive(Debug, Clone, Default)]
pub struct MetricRange {
    /// Name of the metric.
    pub metric: String,
    /// Which kind, where senders disagree; the one with the most series where absent.
    pub kind: Option<MetricKind>,
    /// Times; where an end is open, that of the metric points there are.
    pub range: TimeRange,
    /// Width of a step in nanoseconds; chosen where absent.
    pub step: Option<i64>,
    /// What is made of the points; the usual for the kind where absent.
    pub function: Option<Function>,
    /// From 0 to 1.
    pub quantile: Option<f64>,
    /// Which series make one line.
    pub group_by: GroupBy,
    /// Filter over labels.
    pub filter: String,
    /// Whether exemplars are wanted too.
    pub exemplars: bool,
    /// Most lines.
    pub limit: usize,
}

/// A question that has been read.
pub(crate) struct Prepared {
    ask: MetricRange,
    matcher: Matcher,
    quantile: f64,
    limit: usize,
    limits: MetricLimits,
}

pub(crate) fn prepare(ask: MetricRange, limits: &MetricLimits) -> Result<Prepared, QueryError> {
    if ask.metric.is_empty() {
        return Err(QueryError::invalid("'metric' is missing: name the metric"));
    }
    if let (Some(start), Some(end)) = (ask.range.start, ask.range.end)
        && start >= end
    {
        return Err(QueryError::invalid("the range ends before it starts"));
    }
    let quantile = ask.quantile.unwrap_or(QUANTILE_USUAL);
    if !(0.0..=1.0).contains(&quantile) {
        return Err(QueryError::invalid(format!("the quantile {quantile} is not between 0 and 1")));
    }
    if ask.quantile.is_some() && ask.function.is_some_and(|function| function != Function::Quantile) {
        return Err(QueryError::invalid("a quantile was named, and another function than 'quantile'"));
    }
    let matcher = Matcher::new(&filter::parse(&ask.filter, Target::Metrics)?, Target::Metrics);
    let limit = match ask.limit {
        0 => LINES_USUAL.min(limits.lines_max),
        limit => limit.min(limits.lines_max),
    };
    // A quantile that is named says which function is meant.
    let function = ask.function.or(ask.quantile.map(|_| Function::Quantile));
    Ok(Prepared { ask: MetricRange { function, ..ask }, matcher, quantile, limit, limits: limits.clone() })
}

/// What the metric turned out to be, and so what is asked of it.
struct Settled {
    kind: MetricKind,
    function: Function,
    steps: Steps,
    look_back: i64,
    /// Times of the points that are read.
    points: TimeRange,
}

pub(crate) fn range(
    question: &Question<'_>,
    prepared: &Prepared,
    scan: &mut Scan,
) -> Result<Result<MetricRangeAnswer, QueryError>, TablesError> {
    let ask = &prepared.ask;
    let (start, end) = bounds(question, &ask.range);
    let steps = match Steps::covering(start, end, ask.step, prepared.limits.steps_max) {
        Ok(steps) => steps,
        Err(error) => return Ok(Err(error)),
    };
    let look_back = i64::try_from(prepared.limits.look_back.as_nanos()).unwrap_or(i64::MAX);
    let look_back = look_back.max(steps.step().saturating_mul(2));
    let points = TimeRange::new(steps.start().saturating_sub(look_back), end);
    let selection = Selection { metric: &ask.metric, kind: ask.kind, matcher: &prepared.matcher, range: points };
    let selected = select(question, &selection, prepared.limits.series_max, scan)?;
    let mut answer = MetricRangeAnswer {
        function: ask.function.map(|function| function.name().to_owned()).unwrap_or_default(),
        steps: StepRange {
            step_nano: UnixNano(steps.step()),
            start_unix_nano: UnixNano(steps.start()),
            end_unix_nano: UnixNano(steps.time(steps.count())),
        },
        ..MetricRangeAnswer::default()
    };
    let Some(kind) = selected.kind else {
        return Ok(Ok(MetricRangeAnswer { metric: selected.summary, ..answer }));
    };
    let temporality = match selected.summary.temporality.as_str() {
        "delta" => Temporality::Delta,
        _ => Temporality::Cumulative,
    };
    let usual = || Function::default_of(kind, selected.summary.monotonic, temporality);
    let function = ask.function.unwrap_or_else(usual);
    if let Err(error) = function.check(kind) {
        return Ok(Err(error));
    }
    answer.function = function.name().to_owned();
    answer.quantile = (function == Function::Quantile).then_some(prepared.quantile);
    let settled = Settled { kind, function, steps, look_back, points };
    let outcome = fill(&mut answer, question, prepared, &settled, &selected, scan);
    answer.metric = selected.summary;
    match outcome {
        Ok(()) => Ok(Ok(answer)),
        Err(Failure::Tables(error)) => Err(error),
        Err(Failure::TooLarge) => Ok(Err(too_large(prepared))),
    }
}

fn too_large(prepared: &Prepared) -> QueryError {
    let limit = prepared.limits.bytes_max >> 20;
    QueryError::TooLarge {
        message: format!(
            "this takes more than the {limit} MiB a question about metrics may hold: ask for fewer lines, a longer \
             step, a shorter range, or filter more"
        ),
    }
}

/// The times asked for; where an end is open, those of the points there are.
fn bounds(question: &Question<'_>, range: &TimeRange) -> (i64, i64) {
    let tables = [Table::Points, Table::Histograms, Table::ExpHistograms, Table::Summaries];
    let known = tables.into_iter().filter_map(|table| question.pinned.time_bounds(table));
    let known = known.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let end = range.end.or(known.map(|(_, max)| max.saturating_add(1)));
    let start = range.start.or(known.map(|(min, _)| min)).or(end).unwrap_or(0);
    (start, end.unwrap_or(start).max(start.saturating_add(1)))
}

/// Lines and exemplars.
fn fill(
    answer: &mut MetricRangeAnswer,
    question: &Question<'_>,
    prepared: &Prepared,
    settled: &Settled,
    selected: &Selected,
    scan: &mut Scan,
) -> Result<(), Failure> {
    let group_by = prepared.ask.group_by.clone().settled(settled.kind, selected.summary.monotonic, settled.function);
    let (lines, line_of, truncated) = group(&selected.series, &group_by, prepared.limit);
    answer.truncated = truncated;
    // Series beyond the lines that are shown need not be read.
    let shown = |at: &usize| line_of[*at].is_some();
    let series: Vec<Series> = (0..selected.series.len()).filter(shown).map(|at| selected.series[at].clone()).collect();
    let line_of: Vec<Option<usize>> = line_of.into_iter().filter(Option::is_some).collect();
    let grouped = Grouped { series: &series, line_of: &line_of, lines: lines.len() };
    let values = values(question, prepared, settled, &grouped, scan)?;
    let filled = lines.into_iter().zip(values).filter(|(_, values)| values.iter().any(Option::is_some));
    answer.lines = filled.map(|(labels, values)| MetricLine { labels, values }).collect();
    if prepared.ask.exemplars {
        let ids: Vec<u64> = series.iter().map(|series| series.id).collect();
        let range = TimeRange::new(settled.steps.start(), settled.steps.end());
        answer.exemplars = exemplars(question, &prepared.ask.metric, &ids, range, &selected.summary.unit, scan)?;
    }
    Ok(())
}

/// Labels of each line, the number of each series' line, and whether there are more lines than shown.
type Groups = (Vec<BTreeMap<String, String>>, Vec<Option<usize>>, bool);

fn group(series: &[Series], group_by: &GroupBy, lines_max: usize) -> Groups {
    let keys: Vec<LabelKey> = match group_by {
        GroupBy::Labels(labels) => labels.iter().map(|label| LabelKey::new(label)).collect(),
        _ => Vec::new(),
    };
    let mut members: BTreeMap<BTreeMap<String, String>, Vec<usize>> = BTreeMap::new();
    for (at, series) in series.iter().enumerate() {
        let labels = series.labels();
        let common = match group_by {
            GroupBy::Each => labels.all(),
            _ => keys.iter().filter_map(|key| Some((key.asked.clone(), labels.get(key)?))).collect(),
        };
        members.entry(common).or_default().push(at);
    }
    let truncated = members.len() > lines_max;
    let mut line_of = vec![None; series.len()];
    let mut lines = Vec::new();
    for (labels, members) in members.into_iter().take(lines_max) {
        members.into_iter().for_each(|at| line_of[at] = Some(lines.len()));
        lines.push(labels);
    }
    (lines, line_of, truncated)
}

fn values(
    question: &Question<'_>,
    prepared: &Prepared,
    settled: &Settled,
    grouped: &Grouped<'_>,
    scan: &mut Scan,
) -> Result<Lines, Failure> {
    let Settled { kind, function, look_back, .. } = *settled;
    let (steps, quantile) = (settled.steps.clone(), prepared.quantile);
    let needs_buckets = matches!(function, Function::Quantile | Function::Min | Function::Max);
    let wanted = Wanted {
        metric: &prepared.ask.metric,
        table: kind.table(),
        series: grouped.series,
        range: settled.points,
        buckets: needs_buckets,
        bytes_max: prepared.limits.bytes_max,
    };
    let plan = Plan::new(question, wanted, scan)?;
    let count = steps.count();
    match kind {
        MetricKind::Gauge | MetricKind::Sum => {
            // Deltas say what came, not where it stands: adding them up is their sum.
            let is_delta = |series: &Series| series.temporality == Temporality::Delta;
            let adds_up = function == Function::Sum && grouped.series.iter().any(is_delta);
            match function {
                Function::Rate | Function::Increase => {
                    let is_rate = function == Function::Rate;
                    evaluate(&Amounts { steps, look_back, kind, is_rate }, &plan, grouped, count, scan)
                }
                _ if adds_up => {
                    evaluate(&Amounts { steps, look_back, kind, is_rate: false }, &plan, grouped, count, scan)
                }
                _ => evaluate(&Levels { steps, look_back, function, quantile }, &plan, grouped, count, scan),
            }
        }
        MetricKind::Histogram => {
            let evaluation = Distributions::<HistogramPoint>::new(steps, look_back, function, quantile);
            let lines = evaluate(&evaluation, &plan, grouped, count, scan)?;
            if evaluation.is_part() {
                scan.note(
                    "some series have bucket bounds that do not fit the others': where they meet, the one with the most \
                     observations is shown; group by what tells them apart"
                        .into(),
                );
            }
            Ok(lines)
        }
        MetricKind::ExponentialHistogram => {
            let evaluation = Distributions::<ExponentialPoint>::new(steps, look_back, function, quantile);
            evaluate(&evaluation, &plan, grouped, count, scan)
        }
        MetricKind::Summary if function == Function::Quantile => {
            summary_quantiles(Levels { steps, look_back, function, quantile }, &plan, grouped, count, scan)
        }
        MetricKind::Summary => {
            let evaluation = Distributions::<SummaryPoint>::new(steps, look_back, function, quantile);
            evaluate(&evaluation, &plan, grouped, count, scan)
        }
    }
}

fn summary_quantiles(
    levels: Levels,
    plan: &Plan<'_>,
    grouped: &Grouped<'_>,
    steps: usize,
    scan: &mut Scan,
) -> Result<Lines, Failure> {
    if grouped.series.len() > grouped.lines {
        let reason = "quantiles of several summaries cannot be merged: their mean is shown; group by * to see each";
        scan.note(reason.into());
    }
    let quantile = levels.quantile;
    let evaluation = SummaryQuantiles::new(levels);
    let lines = evaluate(&evaluation, plan, grouped, steps, scan)?;
    let others = evaluation.others();
    if !others.is_empty() && lines.iter().flatten().all(Option::is_none) {
        let others = others.join(", ");
        scan.note(format!("these summaries were sent without the quantile {quantile}: they have {others}"));
    }
    Ok(lines)
}
