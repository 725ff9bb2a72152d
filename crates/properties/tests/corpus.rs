//! Replays the corpus: what a fuzzer may search for hours is checked here, for the inputs kept so far, in seconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use peak_alloc::PeakAlloc;
use properties::{TARGETS, hold};

/// Counts what the properties take. For that there is but one test here: another one's memory would count too.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The whole corpus stays small enough to be checked in.
const FILES_MAX: usize = 300;
const BYTES_MAX: usize = 1 << 20;

#[test]
fn everything_in_the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let (mut files, mut bytes) = (0, 0);
    for target in TARGETS {
        let begun = Instant::now();
        let inputs = inputs(&corpus.join(target.name));
        assert!(!inputs.is_empty(), "{} has no corpus: `cargo xtask fuzz seeds` writes one", target.name);
        // What is made once and kept is made before anything is measured.
        (target.check)(&[1, 0xff]);
        for path in &inputs {
            let input = fs::read(path).expect("an input is readable");
            // A panic says which input it was.
            print!("{} ", path.display());
            hold(target, &input, &MEMORY);
            println!("holds");
            (files, bytes) = (files + 1, bytes + input.len());
        }
        println!("{}: {} inputs in {:.1?}", target.name, inputs.len(), begun.elapsed());
    }
    assert!(files <= FILES_MAX && bytes <= BYTES_MAX, "a corpus of {files} files and {bytes} bytes");
    let folders = fs::read_dir(&corpus).expect("there is a corpus").count();
    assert_eq!(folders, TARGETS.len(), "folders of the corpus that no target reads");
}

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the corpus is readable").path()).collect();
    paths.sort();
    paths
}
