//! `spyhop demo`: the telemetry of a small shop, sent through the real OTLP door.
//!
//! [`shop`] is the shop as data: services, journeys of customers as trees of steps, what fails, what is logged.
//! [`journey`] plays one journey into spans and log records, [`gauges`] keeps the metrics, [`payload`] writes OTLP/JSON,
//! [`sender`] sends it and sends again when asked to wait. With the same seed the same customers come in the same order
//! and everything but the clock is the same.

mod gauges;
mod journey;
mod payload;
mod random;
pub(crate) mod sender;
mod shop;

use std::collections::VecDeque;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use gauges::Metrics;
use journey::{Log, Player, Span};
use sender::Sender;

use crate::failure::Failure;
use crate::signals::Shutdown;
use crate::tls_arguments::TlsArguments;
use crate::{clock, logging};

/// Arguments of the command.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// OTLP/HTTP endpoint to send to.
    #[arg(long, default_value = "http://127.0.0.1:4318")]
    endpoint: String,
    #[command(flatten)]
    tls: TlsArguments,
    /// About how many records to send a second, spans and log records together.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// Makes the shop's customers, their luck and the ids the same again.
    #[arg(long, default_value_t = 20_261_121)]
    seed: u64,
    /// Minutes of history to send first, so that charts begin with something in them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=240))]
    history_minutes: u32,
    /// Stop after this many seconds; without it, run until interrupted.
    #[arg(long)]
    seconds: Option<u64>,
}

/// Most records of a request.
const BATCH_RECORDS_MAX: usize = 500;
/// Time between two sends.
const TICK: Duration = Duration::from_millis(250);
/// Time between two points of a metric.
const METRICS_NANOS: i64 = 5_000_000_000;

/// Runs the command.
pub(crate) fn run(arguments: DemoArguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(send(arguments))
}

async fn send(arguments: DemoArguments) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen()?;
    let sender = Sender::new(&arguments.endpoint, &arguments.tls)?;
    let mut shop = OpenShop::new(arguments.seed, f64::from(arguments.rate));
    tokio::select! {
        () = shutdown.signal() => {}
        result = async {
            history(&mut shop, &sender, arguments.history_minutes).await?;
            say_where_to_look(&arguments);
            live(&mut shop, &sender, arguments.seconds).await
        } => result?,
    }
    logging::print(&format!("\nSent {} records.\n", shop.sent));
    Ok(())
}

/// Sends what the shop would have sent in the last minutes, as fast as it is taken.
async fn history(shop: &mut OpenShop, sender: &Sender, minutes: u32) -> Result<(), Failure> {
    let now = clock::now_unix_nano();
    let begin = now - i64::from(minutes) * 60_000_000_000;
    shop.open_at(begin);
    if minutes > 0 {
        logging::print(&format!("Sending {minutes} minutes of history to {} …\n", sender.endpoint()));
    }
    let mut until = begin;
    while until < now {
        until = (until + 1_000_000_000).min(now);
        shop.send_until(until, sender).await?;
    }
    Ok(())
}

/// Sends as time goes by. What could not be sent in time is made up for, so that the rate holds.
async fn live(shop: &mut OpenShop, sender: &Sender, seconds: Option<u64>) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(TICK);
    while seconds.is_none_or(|seconds| begun.elapsed() < Duration::from_secs(seconds)) {
        ticks.tick().await;
        shop.send_until(clock::now_unix_nano(), sender).await?;
    }
    Ok(())
}

fn say_where_to_look(arguments: &DemoArguments) {
    logging::print(&format!(
        "The shop is open: about {} records a second to {}.\n\
         Look at http://127.0.0.1:4319/ (logs, traces). Payment has a bad minute in every three.\n\
         Ctrl-C closes it.\n",
        arguments.rate, arguments.endpoint
    ));
}

/// The shop at one moment: who is on the way, what waits to be sent.
struct OpenShop {
    player: Player,
    metrics: Metrics,
    /// Journeys a second.
    journeys_per_second: f64,
    next_journey: i64,
    next_points: i64,
    spans: VecDeque<Span>,
    logs: VecDeque<Log>,
    sent: u64,
}

impl OpenShop {
    fn new(seed: u64, records_per_second: f64) -> OpenShop {
        OpenShop {
            player: Player::new(seed),
            metrics: Metrics::default(),
            journeys_per_second: records_per_second / shop::RECORDS_PER_JOURNEY,
            next_journey: 0,
            next_points: 0,
            spans: VecDeque::new(),
            logs: VecDeque::new(),
            sent: 0,
        }
    }

    fn open_at(&mut self, time: i64) {
        self.next_journey = time;
        self.next_points = time + METRICS_NANOS;
        self.metrics.open_at(time);
    }

    /// Plays every journey that begins before `time`, and sends what has ended by then.
    async fn send_until(&mut self, time: i64, sender: &Sender) -> Result<(), Failure> {
        while self.next_journey < time {
            let played = self.player.play(self.next_journey);
            self.metrics.count(&played);
            self.spans.extend(played.spans);
            self.logs.extend(played.logs);
            let pause = self.player.pause_nanos(self.journeys_per_second);
            self.next_journey += pause;
        }
        // A span is exported after its end; those of slow calls wait for a later request, as with a real SDK.
        let spans = take_until(&mut self.spans, time, |span| span.end_unix_nano);
        let logs = take_until(&mut self.logs, time, |log| log.time_unix_nano);
        self.sent += (spans.len() + logs.len()) as u64;
        for batch in spans.chunks(BATCH_RECORDS_MAX) {
            sender.send("/v1/traces", payload::traces(batch)).await?;
        }
        for batch in logs.chunks(BATCH_RECORDS_MAX) {
            sender.send("/v1/logs", payload::logs(batch)).await?;
        }
        while self.next_points <= time {
            let points = self.metrics.points(self.next_points, self.player.random());
            self.sent += points.iter().map(|metric| metric.points.len() as u64).sum::<u64>();
            sender.send("/v1/metrics", payload::metrics(&points, self.metrics.opened_unix_nano())).await?;
            self.next_points += METRICS_NANOS;
        }
        Ok(())
    }
}

/// Takes what happened before `time` out of a queue, oldest first; the rest stays.
fn take_until<T>(queue: &mut VecDeque<T>, time: i64, when: impl Fn(&T) -> i64) -> Vec<T> {
    let (mut due, later): (Vec<T>, Vec<T>) = queue.drain(..).partition(|item| when(item) <= time);
    queue.extend(later);
    due.sort_by_key(|item| when(item));
    due
}

#[cfg(test)]
mod tests;
