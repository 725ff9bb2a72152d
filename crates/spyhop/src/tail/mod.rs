//! `spyhop tail`: log records as they are stored, on the terminal.
//!
//! [`connection`] asks the server and reads its events, [`events`] is the form they come in, [`mod@print`] turns records
//! into lines. A terminal gets coloured lines, anything else the same without colours, a record a line, so that `grep`
//! works; `--json` gives a JSON object a line, for `jq`. Remarks go to stderr. A connection that is lost is made again
//! and goes on behind the last event, so nothing is lost or shown twice.

mod connection;
mod events;
mod print;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;

use connection::{Connection, Lost, Source};
use print::{Form, Lines};

use crate::failure::Failure;
use crate::signals::Shutdown;
use crate::tls_arguments::TlsArguments;

/// Arguments of the command.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TailArguments {
    /// Which records, in the language of the log search: `service:cart severity:>=warn timeout`.
    #[arg(long, short, default_value = "")]
    query: String,
    /// The server's API.
    #[arg(long, default_value = "http://127.0.0.1:4319")]
    endpoint: String,
    /// Header to send, such as authorization=Bearer%20token; may be repeated [variable: SPYHOP_API_HEADERS, pairs with
    /// commas between them].
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    #[command(flatten)]
    tls: TlsArguments,
    /// Print each record as a JSON object on a line.
    #[arg(long)]
    json: bool,
    /// Begin with so many matching records from before.
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    last: u32,
}

/// Waits before connecting again: the first, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Runs the command until it is interrupted.
pub(crate) fn run(arguments: TailArguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let mut signals = Shutdown::listen()?;
        let is_terminal = io::stdout().is_terminal();
        let has_colours = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let form = match arguments.json {
            true => Form::Json,
            false => Form::Text { has_colours, is_folded: !is_terminal },
        };
        let source = Source::new(&arguments)?;
        let lines = Lines { form };
        tokio::select! {
            () = signals.signal() => Ok(()),
            ended = follow(source, &lines) => ended,
        }
    })
}

/// Prints until stdout is closed. A server that was never reached, or refuses the question, ends it with a failure.
async fn follow(mut source: Source, lines: &Lines) -> Result<(), Failure> {
    let mut pause = PAUSE_MIN;
    let mut is_first = true;
    loop {
        let lost = match Connection::open(&source).await {
            Ok(connection) => {
                if !is_first && pause > PAUSE_MIN {
                    remark("connected again");
                }
                (is_first, pause) = (false, PAUSE_MIN);
                match print_all(connection, &mut source, lines).await {
                    Ended::Closed => return Ok(()),
                    Ended::Lost(lost) => lost,
                }
            }
            Err(lost) => lost,
        };
        match lost {
            Lost::Refused(sentence) => return Err(Failure::new(sentence)),
            Lost::Away(sentence) if is_first => return Err(Failure::new(sentence)),
            Lost::Away(sentence) => {
                if pause == PAUSE_MIN * 2 {
                    remark(&format!("{sentence}; trying again"));
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

enum Ended {
    /// Whoever read the lines is gone.
    Closed,
    Lost(Lost),
}

async fn print_all(mut connection: Connection, source: &mut Source, lines: &Lines) -> Ended {
    loop {
        let event = match connection.next().await {
            Ok(event) => event,
            Err(lost) => return Ended::Lost(lost),
        };
        let text = match event.data.as_deref().map(|data| lines.of(data)) {
            None => String::new(),
            Some(Ok(printed)) => {
                if printed.dropped > 0 {
                    remark(&format!(
                        "{} records left out: they come faster than a live tail shows them; narrow it with --query",
                        printed.dropped
                    ));
                }
                printed.incomplete_because.iter().for_each(|reason| remark(reason));
                printed.text
            }
            Some(Err(error)) => {
                return Ended::Lost(Lost::Refused(format!("the server's events are none of ours: {error}")));
            }
        };
        let mut out = io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ended::Closed;
        }
        // Only what has been printed is not asked for again.
        source.go_on_from(event.id);
    }
}

/// Says something beside the records.
fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "spyhop tail: {}", print::harmless(text));
}
