//! Units looked through side by side, on as many threads as a question may use.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tables::{Scan, TablesError, Unit};

use crate::service::Question;

/// Hands every unit, with its number, to `visit` on one of several threads, each with a state of its own. Damaged
/// units are noted.
pub(crate) fn each_unit<S: Send>(
    question: &Question<'_>,
    units: &[Unit],
    scan: &mut Scan,
    begin: impl Fn() -> S + Sync,
    visit: impl Fn(&mut S, (usize, &Unit), &mut Scan) -> Result<(), TablesError> + Sync,
) -> Result<Vec<S>, TablesError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Result<(S, Scan), TablesError>>> = Mutex::new(Vec::new());
    let forked = scan.fork();
    let work = || {
        let (mut state, mut scan) = (begin(), forked.clone());
        let outcome = loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(number) else { break Ok(()) };
            let visited = scan.deadline.check().and_then(|()| visit(&mut state, (number, unit), &mut scan));
            if let Err(error) = scan.without_damage(visited) {
                break Err(error);
            }
        };
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        done.push(outcome.map(|()| (state, scan)));
    };
    let threads = question.engine.limits().partitions.min(units.len()).max(1);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut states = Vec::new();
    for outcome in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let (state, part) = outcome?;
        scan.join(part);
        states.push(state);
    }
    Ok(states)
}
