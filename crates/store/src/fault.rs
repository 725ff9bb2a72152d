//! Faults on purpose: named points in the code where tests make the process die or an operation fail.
//!
//! `SPYHOP_FAULT=after_fdatasync:3` fires at the third passing of that point (the first when no number is
//! given); `fail_fdatasync:2+` at the second and every later one; several are parted by commas. With
//! `SPYHOP_FAULT_ONCE=<file>` the first fault that fires makes that file and none fires while it exists, so
//! that a restarted process runs on. Tests inside one process arm a thread instead ([`arm_thread`]).
//!
//! Nothing is read but the two variables, once; where they are unset a point costs two loads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// When one point fires.
#[derive(Debug)]
struct Trigger {
    /// Passings so far.
    passed: AtomicU64,
    /// Fires at this passing, counted from 1.
    at: u64,
    /// And at every later one.
    and_later: bool,
}

impl Trigger {
    fn fires(&self) -> bool {
        let passing = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        passing == self.at || self.and_later && passing > self.at
    }
}

/// Which points fire, and when.
#[derive(Debug, Default)]
struct Plan {
    triggers: HashMap<String, Trigger>,
    /// Made by the first fault that fires; none fires once it exists.
    once: Option<PathBuf>,
}

impl Plan {
    fn parse(text: &str, once: Option<PathBuf>) -> Plan {
        let mut plan = Plan { triggers: HashMap::new(), once };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (point, times) = part.split_once(':').unwrap_or((part, "1"));
            let and_later = times.ends_with('+');
            // A count that is no number must not turn a fault test into a test of nothing: fire at once.
            let at = times.trim_end_matches('+').parse().unwrap_or(1).max(1);
            plan.triggers.insert(point.to_owned(), Trigger { passed: AtomicU64::new(0), at, and_later });
        }
        plan
    }

    fn fires(&self, point: &str) -> bool {
        self.triggers.get(point).is_some_and(Trigger::fires) && self.once.as_deref().is_none_or(is_first)
    }
}

/// Whether this call made the file that says a fault has fired.
fn is_first(mark: &Path) -> bool {
    std::fs::OpenOptions::new().write(true).create_new(true).open(mark).is_ok()
}

fn process_plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let read = || {
        let text = std::env::var("SPYHOP_FAULT").ok()?;
        Some(Plan::parse(&text, std::env::var_os("SPYHOP_FAULT_ONCE").map(PathBuf::from)))
    };
    PLAN.get_or_init(read).as_ref()
}

/// How many threads are armed: while none is, the thread-local plan is not looked at.
static ARMED_THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD_PLAN: RefCell<Option<Arc<Plan>>> = const { RefCell::new(None) };
}

fn fires(point: &str) -> bool {
    if ARMED_THREADS.load(Ordering::Relaxed) > 0 {
        let plan = THREAD_PLAN.with_borrow(Clone::clone);
        if plan.is_some_and(|plan| plan.fires(point)) {
            return true;
        }
    }
    process_plan().is_some_and(|plan| plan.fires(point))
}

/// Marks a point that a test may want to die at: aborts the process if its fault is due.
pub fn hit(point: &str) {
    if fires(point) {
        eprintln!("spyhop: fault '{point}' fires, aborting");
        std::process::abort();
    }
}

/// Whether the operation at this point is to be reported as failed.
pub fn fails(point: &str) -> bool {
    fires(point)
}

/// Takes the faults of [`arm_thread`] away when dropped.
#[derive(Debug)]
pub struct Armed(());

impl Drop for Armed {
    fn drop(&mut self) {
        THREAD_PLAN.set(None);
        ARMED_THREADS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For tests inside one process: arms the calling thread with faults written as in `SPYHOP_FAULT`.
#[must_use = "the faults end when this is dropped"]
pub fn arm_thread(text: &str) -> Armed {
    THREAD_PLAN.set(Some(Arc::new(Plan::parse(text, None))));
    ARMED_THREADS.fetch_add(1, Ordering::Relaxed);
    Armed(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_fires_when_its_turn_comes() {
        let check = |text: &str, expect: [bool; 4]| {
            let armed = arm_thread(text);
            assert_eq!([(); 4].map(|()| fails("point")), expect, "{text}");
            drop(armed);
            assert!(!fails("point"));
        };
        check("point", [true, false, false, false]);
        check("point:3", [false, false, true, false]);
        check("other, point:2+", [false, true, true, true]);
        check("other:1", [false; 4]);
        check("", [false; 4]);
    }

    #[test]
    fn with_a_mark_file_only_the_first_fault_fires() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = Plan::parse("a:1+,b:1+", Some(folder.path().join("fired")));
        assert!(plan.fires("a"));
        assert!(!plan.fires("a") && !plan.fires("b"));
    }
}
