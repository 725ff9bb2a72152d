//! Sends numbered spans, log records and data points with OpenTelemetry for Rust as guides set it up.
//!
//! Usage: `rust_client grpc|http|json`, with the usual environment (`OTEL_EXPORTER_OTLP_ENDPOINT`,
//! `OTEL_SERVICE_NAME`, `OTEL_BSP_SCHEDULE_DELAY` …) and `CLIENT_RECORDS`, `CLIENT_POINTS`, `CLIENT_SECONDS`. Nothing in
//! here knows Spyhop.

use std::error::Error;
use std::str::FromStr;
use std::thread::sleep;
use std::time::Duration;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

struct Exporters {
    spans: SpanExporter,
    logs: LogExporter,
    metrics: MetricExporter,
}

impl Exporters {
    fn grpc() -> Result<Exporters, Box<dyn Error>> {
        Ok(Exporters {
            spans: SpanExporter::builder().with_tonic().build()?,
            logs: LogExporter::builder().with_tonic().build()?,
            metrics: MetricExporter::builder().with_tonic().build()?,
        })
    }

    fn http(protocol: Protocol) -> Result<Exporters, Box<dyn Error>> {
        Ok(Exporters {
            spans: SpanExporter::builder().with_http().with_protocol(protocol).build()?,
            logs: LogExporter::builder().with_http().with_protocol(protocol).build()?,
            metrics: MetricExporter::builder().with_http().with_protocol(protocol).build()?,
        })
    }
}

fn setting<T: FromStr>(name: &str) -> Result<T, String> {
    let text = std::env::var(name).map_err(|error| format!("{name}: {error}"))?;
    text.parse().map_err(|_| format!("{name} is {text}"))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (records, points, seconds): (u32, u32, f64) =
        (setting("CLIENT_RECORDS")?, setting("CLIENT_POINTS")?, setting("CLIENT_SECONDS")?);
    // tonic wants a runtime around it; the blocking HTTP client wants none.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let exporters = match std::env::args().nth(1).as_deref() {
        Some("grpc") => {
            let _entered = runtime.enter();
            Exporters::grpc()?
        }
        Some("http") => Exporters::http(Protocol::HttpBinary)?,
        Some("json") => Exporters::http(Protocol::HttpJson)?,
        _ => return Err("usage: rust_client grpc|http|json".into()),
    };
    let tracers = SdkTracerProvider::builder().with_batch_exporter(exporters.spans).build();
    let loggers = SdkLoggerProvider::builder().with_batch_exporter(exporters.logs).build();
    let meters = SdkMeterProvider::builder().with_periodic_exporter(exporters.metrics).build();

    let counter = meters.meter("client").u64_counter("client.points").build();
    for number in 0..points {
        counter.add(1, &[KeyValue::new("number", format!("point #{number:06}#"))]);
    }
    let tracer = tracers.tracer("client");
    let logger = loggers.logger("client");
    for number in 0..records {
        let mut span = tracer.start(format!("span #{number:06}#"));
        span.set_attribute(KeyValue::new("number", i64::from(number)));
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Info);
        record.set_body(AnyValue::from(format!("log #{number:06}#")));
        record.add_attribute(Key::new("number"), i64::from(number));
        logger.emit(record);
        span.end();
        sleep(Duration::from_secs_f64(seconds / f64::from(records)));
    }
    // Each sends what it still has; metrics are sent once more. One that fails must not keep the others from it.
    for (what, ended) in [("spans", tracers.shutdown()), ("logs", loggers.shutdown()), ("metrics", meters.shutdown())] {
        if let Err(error) = ended {
            eprintln!("{what}: {error}");
        }
    }
    Ok(())
}
