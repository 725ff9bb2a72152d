//! Writes every target's seeds into a corpus: `seeds <folder>`, what `cargo xtask fuzz seeds` runs.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(corpus) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: seeds <folder>");
        return ExitCode::FAILURE;
    };
    for target in properties::TARGETS {
        let folder = corpus.join(target.name);
        let seeds = (target.seeds)();
        let written = fs::create_dir_all(&folder)
            .and_then(|()| seeds.iter().try_for_each(|(name, input)| fs::write(folder.join(name), input)));
        match written {
            Ok(()) => println!("{}: {} seeds", target.name, seeds.len()),
            Err(error) => {
                eprintln!("cannot write seeds into {}: {error}", folder.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
