//! `spyhop pipe` and `spyhop exec`: what an app prints becomes log records, and still goes where it went.
//!
//! [`arguments`] is what both commands take, [`mod@pipe`] reads stdin, [`mod@exec`] runs a program and stands in for it: its
//! signals, its exit code. [`child`] is that program as processes see it.

mod arguments;
mod child;
mod exec;
mod pipe;

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use stdout::{EndingWatch, Iostream, Origins, ProcessFacts, Pump, ReadOptions, Resource, ShipOptions, Shipper, Stream};

pub(crate) use arguments::ShippingArguments;
pub(crate) use exec::run as exec;
pub(crate) use pipe::run as pipe;

use crate::failure::Failure;

/// What readers and senders share, and how lines are read.
struct Shipping {
    shipper: Arc<Shipper>,
    read: ReadOptions,
    is_quiet: bool,
    shows_summary: bool,
    grace: Duration,
}

/// What arguments and variables say, found to be right before anything is started or read.
struct Told {
    resource: Vec<(String, String)>,
    options: ShipOptions,
}

impl Told {
    fn new(arguments: &ShippingArguments, input_can_wait: bool) -> Result<Told, Failure> {
        let resource = arguments.resource()?;
        Ok(Told { resource, options: arguments.ship_options(&variable, input_can_wait)? })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Shipping {
    fn new(arguments: &ShippingArguments, told: Told, process: Option<ProcessFacts>) -> Shipping {
        let Told { resource, options } = told;
        let origins = Origins {
            flags: resource,
            variable: Some(&variable),
            host_name: host_name(),
            mounted_namespace: std::fs::read_to_string(MOUNTED_NAMESPACE).ok().map(|text| text.trim().to_owned()),
            process,
        };
        let (resource, complaints) = Resource::gather(&origins);
        complaints.iter().for_each(|complaint| say(complaint));
        let read = ReadOptions { open_service: resource.open_service(), ..arguments.read_options() };
        Shipping {
            grace: options.send.grace,
            shipper: Arc::new(Shipper::new(options, resource, say)),
            read,
            is_quiet: arguments.quiet,
            shows_summary: arguments.summary,
        }
    }

    /// A stream on its way: read from `input`, passed on to our own descriptor of that name.
    fn pump(&self, iostream: Iostream, input: impl Into<std::fs::File>, ending: &EndingWatch) -> std::io::Result<Pump> {
        let echo = match iostream {
            Iostream::Stdout => std::io::stdout().as_fd().try_clone_to_owned(),
            Iostream::Stderr => std::io::stderr().as_fd().try_clone_to_owned(),
        };
        Ok(Pump {
            input: input.into(),
            // A descriptor that was closed from the start is nowhere to pass on to.
            echo: echo.ok().filter(|_| !self.is_quiet).map(std::fs::File::from),
            stream: Stream::new(iostream, self.read),
            ending: ending.try_clone()?,
        })
    }

    /// Runs a pump on a thread of its own.
    fn start(&self, pump: Pump) -> tokio::task::JoinHandle<()> {
        let shipper = Arc::clone(&self.shipper);
        tokio::task::spawn_blocking(move || pump.run(&shipper))
    }

    /// Everything was read: sends what is left while there is time, and says what could not be sent. `impatient` ends
    /// the wait.
    async fn finish(&self, sending: tokio::task::JoinHandle<()>, impatient: impl Future<Output = ()>) {
        self.shipper.finish();
        let stop = sending.abort_handle();
        tokio::select! {
            _ = tokio::time::timeout(self.grace, sending) => {}
            () = impatient => {}
        }
        stop.abort();
        let counts = self.shipper.counts();
        if counts.unsent > 0 {
            let reason = self.shipper.trouble().map(|reason| format!(": {reason}")).unwrap_or_default();
            say(&format!(
                "{} log records could not be sent to {} in the {} s after the end of input (--grace){reason}",
                counts.unsent,
                self.shipper.address(),
                self.grace.as_secs_f64()
            ));
        }
        if self.shows_summary {
            say(&format!(
                "{} log records: {} sent in {} requests, {} dropped, {} refused, {} unsent",
                counts.records, counts.sent, counts.attempts, counts.dropped, counts.rejected, counts.unsent
            ));
        }
    }
}

/// Where Kubernetes mounts the namespace of a pod.
const MOUNTED_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Says a sentence on stderr, as one write, so that it is not torn by what the app says meanwhile.
fn say(sentence: &str) {
    let _ = std::io::stderr().write_all(format!("spyhop: {sentence}\n").as_bytes());
}

/// A runtime for the senders; readers have threads of their own.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))
}
