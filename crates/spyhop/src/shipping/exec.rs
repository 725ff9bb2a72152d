//! `spyhop exec -- my-app args…`: runs a program, ships what it prints, and ends as it ends.

use stdout::{EndingWatch, Iostream, ProcessFacts};

use super::child::{RunningChild, Streams};
use super::{Shipping, ShippingArguments, Told, runtime};
use crate::failure::Failure;

/// Runs the command and returns the program's exit code.
pub(crate) fn run(arguments: &ShippingArguments, program: &[String]) -> Result<u8, Failure> {
    // What is wrong with the arguments is said before the program runs.
    arguments.resource()?;
    arguments.ship_options(&|name| std::env::var(name).ok(), false)?;
    let runtime = runtime()?;
    let code = runtime.block_on(ship(arguments, program));
    // A thread that hangs in a write to a terminal that nobody reads must not keep us.
    runtime.shutdown_background();
    code
}

async fn ship(arguments: &ShippingArguments, program: &[String]) -> Result<u8, Failure> {
    let told = Told::new(arguments, false)?;
    let (mut child, Streams { stdout, stderr }) = RunningChild::start(program)?;
    let process = ProcessFacts { pid: child.id(), command: program.first().cloned().unwrap_or_default() };
    let shipping = Shipping::new(arguments, told, Some(process));
    let failed = |error: std::io::Error| Failure::new(format!("cannot read what '{}' prints: {error}", program[0]));
    let (ending, watch) = EndingWatch::new().map_err(failed)?;
    let sending = tokio::spawn({
        let shipper = shipping.shipper.clone();
        async move { shipper.send().await }
    });
    let stdout = shipping.pump(Iostream::Stdout, std::os::fd::OwnedFd::from(stdout), &watch).map_err(failed)?;
    let stderr = shipping.pump(Iostream::Stderr, std::os::fd::OwnedFd::from(stderr), &watch).map_err(failed)?;
    let (stdout, stderr) = (shipping.start(stdout), shipping.start(stderr));
    let code = child.wait().await;
    // Its own children may hold the streams open: what they have said until now is read, and no more is waited for.
    drop(ending);
    let read = tokio::time::timeout(shipping.grace, async { tokio::join!(stdout, stderr) });
    if read.await.is_err() {
        shipping.shipper.give_up_waiting();
    }
    shipping.finish(sending, child.asked_to_end()).await;
    Ok(code)
}
