//! The arguments of `spyhop pipe` and `spyhop exec`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use stdout::{BatchLimits, Endpoint, EndpointFlags, LineLimits, ReadOptions, SendLimits, ShipOptions, WhenFull};

use crate::failure::Failure;
use crate::settings::{bytes, duration};
use crate::tls_arguments::TlsArguments;

/// What both commands take. Where to send and who is speaking may also come from the variables of OpenTelemetry.
#[derive(Debug, Clone, Args)]
pub(crate) struct ShippingArguments {
    /// OTLP/HTTP endpoint; /v1/logs is added to it [variables: OTEL_EXPORTER_OTLP_ENDPOINT, or
    /// OTEL_EXPORTER_OTLP_LOGS_ENDPOINT with its whole path] [default: http://127.0.0.1:4318].
    #[arg(long, value_name = "URL", help_heading = "Where to")]
    endpoint: Option<String>,
    /// Header to send with every request, such as x-api-key=secret; may be repeated [variables:
    /// OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_LOGS_HEADERS].
    #[arg(long = "header", value_name = "NAME=VALUE", help_heading = "Where to")]
    headers: Vec<String>,
    /// gzip or none [variables: OTEL_EXPORTER_OTLP_COMPRESSION, OTEL_EXPORTER_OTLP_LOGS_COMPRESSION] [default: gzip].
    #[arg(long, value_name = "CODING", help_heading = "Where to")]
    compression: Option<String>,
    /// Longest wait for an answer [variables: OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_EXPORTER_OTLP_LOGS_TIMEOUT, in
    /// milliseconds] [default: 10s].
    #[arg(long, value_parser = duration_of, value_name = "TIME", help_heading = "Where to")]
    timeout: Option<Duration>,
    #[command(flatten)]
    tls: TlsArguments,

    /// service.name; what flags and variables leave open, a line's own service_name, service_version and environment
    /// fill [variable: OTEL_SERVICE_NAME].
    #[arg(long, value_name = "NAME", help_heading = "Who is speaking")]
    service_name: Option<String>,
    /// Resource attribute such as service.version=1.2.0; may be repeated [variables: OTEL_RESOURCE_ATTRIBUTES, and
    /// Kubernetes' POD_NAME, POD_UID, POD_IP, POD_NAMESPACE, NODE_NAME, CONTAINER_NAME, also with K8S_ or MY_ ahead].
    #[arg(long = "resource", value_name = "KEY=VALUE", help_heading = "Who is speaking")]
    resource: Vec<String>,

    /// Do not pass lines on to stdout and stderr.
    #[arg(long, short, help_heading = "Lines")]
    pub(super) quiet: bool,
    /// Offset from UTC of times that name none, such as +02:00.
    #[arg(long, default_value = "+00:00", value_parser = zone_of, value_name = "OFFSET", allow_hyphen_values = true, help_heading = "Lines")]
    time_zone: i64,
    /// Keep the text of JSON and logfmt lines in the attribute log.record.original.
    #[arg(long, help_heading = "Lines")]
    keep_original: bool,
    /// Take terminal colours out of the text of records; what is passed on keeps them.
    #[arg(long, help_heading = "Lines")]
    strip_colors: bool,
    /// Longest line; a longer one becomes several records with the attribute line.part.
    #[arg(long, default_value = "256KiB", value_parser = bytes_of, value_name = "BYTES", help_heading = "Lines")]
    line_bytes_max: usize,
    /// Most lines of one record, such as a stack trace; what goes beyond begins another.
    #[arg(long, default_value_t = 1000, value_parser = count_of, value_name = "LINES", help_heading = "Lines")]
    group_lines_max: usize,
    /// Most bytes of a record of several lines.
    #[arg(long, default_value = "256KiB", value_parser = bytes_of, value_name = "BYTES", help_heading = "Lines")]
    group_bytes_max: usize,
    /// Silence after which a record is complete, though a next line might have belonged to it.
    #[arg(long, default_value = "500ms", value_parser = duration_of, value_name = "TIME", help_heading = "Lines")]
    group_idle: Duration,

    /// Memory for records that wait to be sent, as they go over the wire.
    #[arg(long, default_value = "64MiB", value_parser = bytes_of, value_name = "BYTES", help_heading = "Sending")]
    spool_bytes: usize,
    /// What happens when that is full: drop the oldest records, count and report them; or wait, which blocks the
    /// writer [default: wait where the input is a file, else drop].
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Sending")]
    when_full: Option<Full>,
    /// Most records of a request.
    #[arg(long, default_value_t = 2048, value_parser = count_of, value_name = "RECORDS", help_heading = "Sending")]
    batch_records_max: usize,
    /// Size at which a request is sent, before compression.
    #[arg(long, default_value = "1MiB", value_parser = bytes_of, value_name = "BYTES", help_heading = "Sending")]
    batch_bytes_max: usize,
    /// Longest time that a record waits for others.
    #[arg(long, default_value = "1s", value_parser = duration_of, value_name = "TIME", help_heading = "Sending")]
    batch_age_max: Duration,
    /// Requests on their way at once.
    #[arg(long, default_value_t = 4, value_parser = count_of, value_name = "REQUESTS", help_heading = "Sending")]
    requests_max: usize,
    /// Longest wait before a request is sent again, where the server names none.
    #[arg(long, default_value = "5s", value_parser = duration_of, value_name = "TIME", help_heading = "Sending")]
    retry_wait_max: Duration,
    /// Time to send what is left once the input has ended.
    #[arg(long, default_value = "5s", value_parser = duration_of, value_name = "TIME", help_heading = "Sending")]
    grace: Duration,
    /// Say at the end how many records were sent.
    #[arg(long, help_heading = "Sending")]
    pub(super) summary: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Full {
    Drop,
    Wait,
}

impl ShippingArguments {
    /// Resource attributes that flags name.
    pub(super) fn resource(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut attributes = Vec::new();
        if let Some(name) = &self.service_name {
            attributes.push(("service.name".to_owned(), name.clone()));
        }
        for pair in &self.resource {
            let (key, text) = pair.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
                Failure::usage(format!("--resource is '{pair}': write a pair such as service.version=1.2.0"))
            })?;
            attributes.push((key.to_owned(), text.to_owned()));
        }
        Ok(attributes)
    }

    pub(super) fn read_options(&self) -> ReadOptions {
        ReadOptions {
            limits: LineLimits {
                line_bytes_max: self.line_bytes_max,
                group_lines_max: self.group_lines_max,
                group_bytes_max: self.group_bytes_max,
                group_idle: self.group_idle,
            },
            zone: self.time_zone,
            keep_original: self.keep_original,
            strip_colors: self.strip_colors,
            ..ReadOptions::default()
        }
    }

    pub(super) fn ship_options(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        input_can_wait: bool,
    ) -> Result<ShipOptions, Failure> {
        let flags = EndpointFlags {
            endpoint: self.endpoint.clone(),
            headers: self.headers.clone(),
            compression: self.compression.clone(),
            timeout: self.timeout,
            tls: self.tls.flags(),
        };
        let endpoint = Endpoint::resolve(&flags, variable).map_err(|error| Failure::usage(error.to_string()))?;
        let waits = self.when_full.map_or(input_can_wait, |full| full == Full::Wait);
        Ok(ShipOptions {
            endpoint,
            batch: BatchLimits {
                records_max: self.batch_records_max,
                bytes_max: self.batch_bytes_max,
                age_max: self.batch_age_max,
            },
            send: SendLimits {
                spool_bytes_max: self.spool_bytes,
                requests_max: self.requests_max,
                retry_wait_max: self.retry_wait_max,
                grace: self.grace,
                ..SendLimits::default()
            },
            when_full: if waits { WhenFull::Wait } else { WhenFull::DropOldest },
        })
    }
}

fn bytes_of(text: &str) -> Result<usize, String> {
    let size = bytes(text).and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    size.ok_or_else(|| "write a size such as 64MiB or 512KiB".to_owned())
}

fn duration_of(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "write a time span such as 500ms or 30s".to_owned())
}

fn count_of(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1".to_owned())
}

/// Nanoseconds of an offset from UTC.
fn zone_of(text: &str) -> Result<i64, String> {
    let wrong = || "write an offset such as +02:00 or -08:00".to_owned();
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let (hours, minutes): (i64, i64) = (hours.parse().map_err(|_| wrong())?, minutes.parse().map_err(|_| wrong())?);
    let fine = (0..24).contains(&hours) && (0..60).contains(&minutes);
    fine.then_some(sign * (hours * 60 + minutes) * 60_000_000_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets() {
        let check = |text: &str, expect: Option<i64>| assert_eq!(zone_of(text).ok(), expect, "{text}");
        check("+02:00", Some(7_200_000_000_000));
        check("-08:30", Some(-30_600_000_000_000));
        check("+00:00", Some(0));
        for wrong in ["", "2", "02:00", "+2", "+25:00", "+02:60", "+-2:00", "utc"] {
            check(wrong, None);
        }
    }

    #[test]
    fn defaults_are_those_of_the_crate() {
        #[derive(Debug, clap::Parser)]
        struct Command {
            #[command(flatten)]
            shipping: ShippingArguments,
        }
        let arguments = <Command as clap::Parser>::parse_from(["spyhop"]).shipping;
        assert_eq!(arguments.read_options().limits, LineLimits::default());
        let options = arguments.ship_options(&|_| None, false).expect("fine");
        assert_eq!((options.batch, options.send), (BatchLimits::default(), SendLimits::default()));
        assert_eq!(options.when_full, WhenFull::DropOldest);
        assert_eq!(arguments.ship_options(&|_| None, true).expect("fine").when_full, WhenFull::Wait);
    }
}
