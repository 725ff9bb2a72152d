//! Services and what they call.
//!
//! The map of a range is drawn from the spans that start in its minutes: the range is widened to whole minutes, which
//! is how finely files are counted. A call A → B is a span of B whose parent, whenever and wherever it is, belongs to
//! A. A client or producer span reaches a place without telemetry where no span of another service, within
//! [`store::rollup::REACH_MINUTES`], has it as its parent.
//!
//! Each file (and the journal's tail) has counted what it can tell by itself. What it cannot, its *dangling* spans, is
//! put right here: their traces are looked up everywhere, a call is added where the parent is found, and a reach is
//! taken away where the parent's file did not know of it. So the answer is that of looking at all rows at once, however
//! they are spread over files; beyond [`QueryLimits::map_traces_max`] traces it says that it is not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use api::{MapEdge, MapNode, ServiceMapAnswer};
use model::{Table, TenantId, TimeRange, TraceId};
use store::rollup::{
    CallPair, CallTarget, DanglingSpan, LinkedSpan, MINUTE_NANOS, MapBuilder, MapRollup, OperationRollup,
    REACH_MINUTES, RollupLimits, SpanLinks, is_within_reach,
};
use tables::{Scan, TablesError, TraceColumns, Unit, UnitSource};

use crate::by_minute::{Piece, span_pieces, whole_minutes};
use crate::error::QueryError;
use crate::service::{QueryLimits, QueryService, Question};
use crate::services::RedTotals;
use crate::side_by_side::each_unit;

/// Kinds of spans, as OTLP numbers them.
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

/// Most spans read for the traces that are looked up.
const SPANS_MAX: usize = 2_000_000;

/// A question for the map.
#[derive(Debug, Clone, Default)]
pub struct ServiceMapSearch {
    /// Start times of the spans, widened to whole minutes.
    pub range: TimeRange,
    /// Id of a node: it and its neighbours alone.
    pub focus: Option<String>,
}

impl QueryService {
    /// Services and what they call in a range.
    ///
    /// # Errors
    /// Any of [`QueryError`] but `Invalid`.
    pub async fn service_map(
        &self,
        tenant: &TenantId,
        search: ServiceMapSearch,
    ) -> Result<ServiceMapAnswer, QueryError> {
        let limits = self.limits().clone();
        let done = self.ask(tenant, move |question, scan| map(question, &search, &limits, scan)).await?;
        Ok(ServiceMapAnswer { stats: done.stats, completeness: done.completeness, ..done.answer })
    }
}

/// One end of an edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Service(String),
    Target(CallTarget),
}

impl Place {
    fn id(&self) -> String {
        match self {
            Place::Service(name) => name.clone(),
            Place::Target(target) => target.to_string(),
        }
    }
}

/// A dangling span with the name of its service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Loose {
    span: DanglingSpan,
    service: String,
}

/// Calls counted so far.
#[derive(Debug, Default)]
struct Calls {
    edges: HashMap<(Place, Place), RedTotals>,
    /// What files could not tell, also of the minutes around the range.
    loose: Vec<Loose>,
    left_out: u64,
    loose_left_out: u64,
    has_more: bool,
}

impl Calls {
    fn edge(&mut self, from: Place, to: Place, limits: &QueryLimits) -> Option<&mut RedTotals> {
        let key = (from, to);
        if self.edges.len() >= limits.map_edges_max && !self.edges.contains_key(&key) {
            self.has_more = true;
            return None;
        }
        Some(self.edges.entry(key).or_default())
    }

    fn add(&mut self, rollup: &MapRollup, range: &TimeRange, limits: &QueryLimits) {
        let is_inside = |minute: i64| range.contains(minute.saturating_mul(MINUTE_NANOS));
        let mut counted: BTreeMap<CallPair, RedTotals> = BTreeMap::new();
        rollup.each_cell(|pair, cell| {
            if is_inside(cell.minute) {
                counted.entry(pair).or_default().add(cell);
            }
        });
        let service = |number: u32| Place::Service(rollup.services()[number as usize].clone());
        let target = |number: u32| Place::Target(rollup.targets()[number as usize].clone());
        for (pair, totals) in counted {
            let (from, to) = match pair {
                CallPair::Call(from, to) => (service(from), service(to)),
                CallPair::Reach(from, to) => (service(from), target(to)),
                CallPair::Take(to, from) => (target(from), service(to)),
            };
            if let Some(edge) = self.edge(from, to, limits) {
                edge.merge(&totals);
            }
        }
        self.left_out += rollup.left_out();
        self.loose_left_out += rollup.dangling_left_out();
        let near = widened(range);
        let loose = rollup.dangling().iter().filter(|span| near.contains(span.minute.saturating_mul(MINUTE_NANOS)));
        self.loose
            .extend(loose.map(|span| Loose { span: *span, service: rollup.services()[span.service as usize].clone() }));
        if self.loose.len() > limits.map_traces_max.saturating_mul(LOOSE_PER_TRACE) {
            self.keep_loose(limits.map_traces_max);
        }
    }

    fn merge(&mut self, more: Calls, limits: &QueryLimits) {
        for ((from, to), totals) in more.edges {
            if let Some(edge) = self.edge(from, to, limits) {
                edge.merge(&totals);
            }
        }
        self.loose.extend(more.loose);
        self.left_out += more.left_out;
        self.loose_left_out += more.loose_left_out;
        self.has_more |= more.has_more;
    }

    /// Keeps the dangling spans of so many traces, those of the smallest ids, as files do.
    fn keep_loose(&mut self, traces_max: usize) {
        self.loose.sort_unstable();
        let mut traces = 0;
        let mut before = None;
        let end = self.loose.iter().position(|loose| {
            traces += usize::from(before != Some(loose.span.trace));
            before = Some(loose.span.trace);
            traces > traces_max
        });
        if let Some(end) = end {
            self.loose_left_out += (self.loose.len() - end) as u64;
            self.loose.truncate(end);
        }
    }
}

/// Dangling spans kept for each trace that may be looked up, before the surplus is dropped.
const LOOSE_PER_TRACE: usize = 8;

/// The range with the minutes around it in which an answer to a call may begin.
fn widened(range: &TimeRange) -> TimeRange {
    const REACH: i64 = REACH_MINUTES * MINUTE_NANOS;
    TimeRange {
        start: range.start.map(|start| start.saturating_sub(REACH)),
        end: range.end.map(|end| end.saturating_add(REACH)),
    }
}

fn map(
    question: &Question<'_>,
    search: &ServiceMapSearch,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<ServiceMapAnswer, TablesError> {
    let range = whole_minutes(&search.range);
    let mut calls = counted(question, &range, limits, scan)?;
    calls.keep_loose(limits.map_traces_max);
    resolve(question, &mut calls, &range, limits, scan)?;
    if calls.loose_left_out > 0 {
        scan.note(format!(
            "of {} spans the callers were not looked up: their traces are spread over files, and there are too many \
             of them; a shorter range has fewer",
            calls.loose_left_out
        ));
    }
    if calls.left_out > 0 {
        scan.note(format!("{} calls between rare pairs are left out: there are too many pairs", calls.left_out));
    }
    if calls.has_more {
        scan.note(format!("there are more than {} pairs of caller and called", limits.map_edges_max));
    }
    let asked = asked_of_services(question, &range, limits, scan)?;
    Ok(answer(calls.edges, asked, search.focus.as_deref()))
}

/// What every file, and the tail as a whole, can tell by itself.
fn counted(
    question: &Question<'_>,
    range: &TimeRange,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<Calls, TablesError> {
    let units = question.engine.units(question.pinned, Table::Spans, &widened(range), scan);
    let (files, tail): (Vec<Unit>, Vec<Unit>) =
        units.into_iter().partition(|unit| matches!(unit.source, UnitSource::File(_)));
    let mut sum = Calls::default();
    for part in each_unit(question, &files, scan, Calls::default, |calls, (_, unit), scan| {
        if let UnitSource::File(file) = &unit.source {
            calls.add(question.engine.span_rollup(file, scan)?.map(), range, limits);
        }
        Ok(())
    })? {
        sum.merge(part, limits);
    }
    let mut builder = MapBuilder::default();
    for unit in &tail {
        let open = question.engine.open_unit(unit, scan)?;
        open.read(&SpanLinks::COLUMNS, &open.all_rows(), scan, |batch, _, _| {
            builder.push(batch);
            Ok(())
        })?;
    }
    sum.add(&builder.finish(&RollupLimits { pairs_max: limits.map_edges_max, ..RollupLimits::NONE }), range, limits);
    Ok(sum)
}

/// Looks the traces of dangling spans up, and puts right what files counted without them.
fn resolve(
    question: &Question<'_>,
    calls: &mut Calls,
    range: &TimeRange,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<(), TablesError> {
    let ids: BTreeSet<u128> = calls.loose.iter().map(|loose| loose.span.trace).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<TraceId> = ids.into_iter().map(|id| TraceId(id.to_be_bytes())).collect();
    let mut links = SpanLinks::default();
    let (engine, pinned) = (question.engine, question.pinned);
    for batch in
        engine.trace_rows(pinned, Table::Spans, &ids, TraceColumns::All(&SpanLinks::COLUMNS), SPANS_MAX, scan)?
    {
        links.push(&batch);
    }
    links.index();
    let is_inside = |minute: i64| range.contains(minute.saturating_mul(MINUTE_NANOS));
    let loose = std::mem::take(&mut calls.loose);
    // By position of the calling span: how many spans of other services it called that its file did not know of.
    let mut unknown: BTreeMap<usize, u64> = BTreeMap::new();
    for Loose { span, service } in &loose {
        let Some(at) = links.find(span.trace, span.parent) else { continue };
        let parent = &links.spans()[at];
        let caller = &links.services()[parent.service as usize];
        if caller == service {
            continue;
        }
        if is_inside(span.minute)
            && let Some(edge) = calls.edge(Place::Service(caller.clone()), Place::Service(service.clone()), limits)
        {
            edge.add_one(span.bucket, span.is_error);
        }
        if is_within_reach(parent.minute, span.minute) {
            *unknown.entry(at).or_default() += 1;
        }
    }
    let called = called_within_reach(&links, &unknown);
    for (at, unknown) in unknown {
        let parent = &links.spans()[at];
        // A file that knew of any answer counted no reach.
        let was_known = called.get(&at).copied().unwrap_or_default() > unknown;
        if let Some(target) = reached(parent).filter(|_| !was_known && is_inside(parent.minute)) {
            let from = Place::Service(links.services()[parent.service as usize].clone());
            let to = Place::Target(links.targets()[target as usize].clone());
            if let Some(edge) = calls.edges.get_mut(&(from, to)) {
                edge.remove_one(parent.bucket, parent.is_error);
            }
        }
    }
    calls.edges.retain(|_, totals| totals.calls > 0);
    Ok(())
}

/// The place that a span reaches where nothing it called is known.
fn reached(span: &LinkedSpan) -> Option<u32> {
    span.target().filter(|_| matches!(span.kind, CLIENT | PRODUCER))
}

/// How many spans of other services, near enough in time, each of these spans called in all.
fn called_within_reach(links: &SpanLinks, of: &BTreeMap<usize, u64>) -> HashMap<usize, u64> {
    let mut called: HashMap<usize, u64> = HashMap::new();
    for span in links.spans() {
        let Some(at) = links.parent_of(span).filter(|at| of.contains_key(at)) else { continue };
        let parent = &links.spans()[at];
        if parent.service != span.service && is_within_reach(parent.minute, span.minute) {
            *called.entry(at).or_default() += 1;
        }
    }
    called
}

/// The calls that each service was asked for, and every service with a span.
fn asked_of_services(
    question: &Question<'_>,
    range: &TimeRange,
    limits: &QueryLimits,
    scan: &mut Scan,
) -> Result<BTreeMap<String, RedTotals>, TablesError> {
    // The files were counted above: looking into their other part costs nothing more.
    let mut apart = scan.fork();
    let units = question.engine.units(question.pinned, Table::Spans, range, &mut apart);
    let begin = BTreeMap::<String, RedTotals>::new;
    let parts = each_unit(question, &units, &mut apart, begin, |services, unit, scan| {
        span_pieces(question, unit, range, scan, &mut |piece| add_asked(services, piece, limits.services_max))
    })?;
    let mut sum = begin();
    for (name, totals) in parts.into_iter().flatten() {
        sum.entry(name).or_default().merge(&totals);
    }
    scan.cost.rows_scanned += apart.cost.rows_scanned;
    scan.cost.bytes_scanned += apart.cost.bytes_scanned;
    for reason in apart.incomplete_because {
        scan.note(reason);
    }
    if sum.len() > limits.services_max {
        scan.note(format!("there are more than {} services", limits.services_max));
    }
    Ok(sum)
}

fn add_asked(services: &mut BTreeMap<String, RedTotals>, piece: &Piece<'_, OperationRollup>, services_max: usize) {
    let rollup = piece.rollup;
    let mut totals: Vec<Option<RedTotals>> = vec![None; rollup.services().len()];
    rollup.each_cell(|operation, cell| {
        if piece.holds(cell.minute) {
            let of_service = totals[operation.service as usize].get_or_insert_default();
            if operation.is_call {
                of_service.add(cell);
            }
        }
    });
    for (name, totals) in rollup.services().iter().zip(totals) {
        // One more than may be, so that whoever adds up sees that there are more.
        if let Some(totals) = totals
            && (services.len() <= services_max || services.contains_key(name))
        {
            services.entry(name.clone()).or_default().merge(&totals);
        }
    }
}

fn answer(
    edges: HashMap<(Place, Place), RedTotals>,
    asked: BTreeMap<String, RedTotals>,
    focus: Option<&str>,
) -> ServiceMapAnswer {
    let mut nodes: BTreeMap<Place, RedTotals> =
        asked.into_iter().map(|(name, totals)| (Place::Service(name), totals)).collect();
    // What has no spans of its own is described by its callers; a caller whose spans lie before the range is there too.
    let known: HashSet<Place> = nodes.keys().cloned().collect();
    for ((from, to), totals) in &edges {
        nodes.entry(from.clone()).or_default();
        let node = nodes.entry(to.clone()).or_default();
        if !known.contains(to) {
            node.merge(totals);
        }
    }
    let is_seen = |from: &Place, to: &Place| focus.is_none_or(|id| from.id() == id || to.id() == id);
    let mut shown: Vec<MapEdge> = edges
        .iter()
        .filter(|((from, to), _)| is_seen(from, to))
        .map(|((from, to), totals)| MapEdge { source: from.id(), target: to.id(), red: totals.red() })
        .collect();
    shown.sort_by(|a, b| (&a.source, &a.target).cmp(&(&b.source, &b.target)));
    let near: BTreeSet<&str> = shown.iter().flat_map(|edge| [edge.source.as_str(), edge.target.as_str()]).collect();
    let node = |(place, totals): (&Place, &RedTotals)| {
        let (name, kind) = match place {
            Place::Service(name) => (name.clone(), "service"),
            Place::Target(target) => (target.name.clone(), target.kind.name()),
        };
        MapNode { id: place.id(), name, kind: kind.to_owned(), red: totals.red() }
    };
    let is_near = |id: &str| focus.is_none_or(|focus| id == focus || near.contains(id));
    let mut nodes: Vec<MapNode> = nodes.iter().map(node).filter(|node| is_near(&node.id)).collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    ServiceMapAnswer { nodes, edges: shown, ..ServiceMapAnswer::default() }
}
