//! Points of many series into values of few lines: series by series, some at a time, on several threads.

use std::sync::{Mutex, PoisonError};

use tables::{Scan, TablesError};

use super::grid::{Cell, Grid, Row};
use super::points::Point;
use super::reader::{Held, Plan};
use super::series::Series;

/// A function over the points of a series.
pub(crate) trait Evaluation: Sync {
    /// What it looks at.
    type Point: Point;
    /// What it gathers for a group in a step.
    type Cell: Cell;

    /// Gathers the points of one series, which are in order of time.
    fn add(&self, series: &Series, points: &[Self::Point], row: &mut Row<'_, Self::Cell>);

    /// The value of what was gathered.
    fn value(&self, cell: &Self::Cell, step: usize) -> Option<f64>;
}

/// Series, each with the line it belongs to.
pub(crate) struct Grouped<'a> {
    /// By id.
    pub(crate) series: &'a [Series],
    /// Number of each one's line; none where it is in none.
    pub(crate) line_of: &'a [Option<usize>],
    pub(crate) lines: usize,
}

/// Why there are no values.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Reading failed, or was stopped.
    Tables(TablesError),
    /// It would take more memory than it may.
    TooLarge,
}

impl From<TablesError> for Failure {
    fn from(error: TablesError) -> Failure {
        Failure::Tables(error)
    }
}

/// The values of each line, a value a step.
pub(crate) type Lines = Vec<Vec<Option<f64>>>;

/// What one thread has worked out, and what that cost.
type Worked<C> = Result<(Grid<C>, Scan), Failure>;

/// Reads the points of all series and makes lines of them.
pub(crate) fn evaluate<E: Evaluation>(
    evaluation: &E,
    plan: &Plan<'_>,
    grouped: &Grouped<'_>,
    steps: usize,
    scan: &mut Scan,
) -> Result<Lines, Failure> {
    let threads = plan.threads();
    // Points and cells share what may be held, and so do the threads.
    let cells_bytes_max = plan.bytes_max() / 2 / threads;
    if Grid::<E::Cell>::bytes_empty(grouped.lines, steps) > cells_bytes_max {
        return Err(Failure::TooLarge);
    }
    let parts = Mutex::new(plan.parts());
    let done: Mutex<Vec<Worked<E::Cell>>> = Mutex::new(Vec::new());
    let forked = scan.fork();
    let work = || {
        let (mut grid, mut scan) = (Grid::new(grouped.lines, steps), forked.clone());
        let outcome = loop {
            let Some(part) = parts.lock().unwrap_or_else(PoisonError::into_inner).pop() else { break Ok(()) };
            match plan.read::<E::Point>(part.clone(), plan.bytes_max() / 2 / threads, &mut scan) {
                Ok(Held::All(points)) => gather(evaluation, grouped, part.start, &points, &mut grid),
                Ok(Held::TooMany) if part.len() > 1 => {
                    // Half as many series at a time.
                    let middle = part.start + part.len() / 2;
                    let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                    parts.extend([part.start..middle, middle..part.end]);
                }
                Ok(Held::TooMany) => break Err(Failure::TooLarge),
                Err(error) => break Err(error.into()),
            }
            if grid.bytes() > cells_bytes_max {
                break Err(Failure::TooLarge);
            }
        };
        if outcome.is_err() {
            // The others need not go on.
            parts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
        done.lock().unwrap_or_else(PoisonError::into_inner).push(outcome.map(|()| (grid, scan)));
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut all: Option<Grid<E::Cell>> = None;
    for outcome in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (grid, part) = outcome?;
        scan.join(part);
        match &mut all {
            Some(all) => all.merge(grid),
            None => all = Some(grid),
        }
    }
    let value = |(step, cell): (usize, &Option<E::Cell>)| {
        cell.as_ref().and_then(|cell| evaluation.value(cell, step)).filter(|value| value.is_finite())
    };
    let line = |cells: &[Option<E::Cell>]| cells.iter().enumerate().map(value).collect();
    Ok(all.iter().flat_map(Grid::groups).map(line).collect())
}

/// Gathers series that follow each other from `first` on.
fn gather<E: Evaluation>(
    evaluation: &E,
    grouped: &Grouped<'_>,
    first: usize,
    points: &[Vec<E::Point>],
    grid: &mut Grid<E::Cell>,
) {
    for (at, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        if let Some(line) = grouped.line_of[first + at] {
            evaluation.add(&grouped.series[first + at], points, &mut grid.row(line));
        }
    }
}
