//! `my-app | spyhop pipe`: reads stdin to its end.

use std::fs::File;
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};
use stdout::{EndingWatch, Iostream};

use super::{Shipping, ShippingArguments, Told, runtime};
use crate::failure::Failure;
use crate::signals::Shutdown;

/// Runs the command. It fails where records were lost, so that a script which imports a file knows.
pub(crate) fn run(arguments: &ShippingArguments) -> Result<(), Failure> {
    let stdin = std::io::stdin().as_fd().try_clone_to_owned();
    let stdin = File::from(stdin.map_err(|error| Failure::new(format!("cannot read stdin: {error}")))?);
    let is_file = fstat(&stdin).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    let shipping = Shipping::new(arguments, Told::new(arguments, is_file)?, None);
    let runtime = runtime()?;
    let result = runtime.block_on(ship(&shipping, stdin));
    // A thread that hangs in a write to a terminal that nobody reads must not keep us.
    runtime.shutdown_background();
    result
}

async fn ship(shipping: &Shipping, stdin: File) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen()?;
    let failed = |error: std::io::Error| Failure::new(format!("cannot read stdin: {error}"));
    let (ending, watch) = EndingWatch::new().map_err(failed)?;
    let sending = tokio::spawn({
        let shipper = shipping.shipper.clone();
        async move { shipper.send().await }
    });
    let mut reading = shipping.start(shipping.pump(Iostream::Stdout, stdin, &watch).map_err(failed)?);
    tokio::select! {
        _ = &mut reading => {}
        () = shutdown.signal() => {
            // Ctrl-C reaches the app as well, which has a last word to say before it closes the pipe.
            tokio::select! {
                _ = tokio::time::timeout(shipping.grace, &mut reading) => {}
                () = shutdown.signal() => {}
            }
            drop(ending);
            if !reading.is_finished() {
                shipping.shipper.give_up_waiting();
                let _ = tokio::time::timeout(shipping.grace, &mut reading).await;
            }
        }
    }
    shipping.finish(sending, shutdown.signal()).await;
    match shipping.shipper.counts().lost() {
        0 => Ok(()),
        // What was lost has been said.
        _ => Err(Failure::new(String::new())),
    }
}
