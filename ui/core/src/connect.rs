//! What the Connect page shows: this server's endpoints as a browser's machine would reach them, and snippets.

use api::IngestStatus;

/// Where to send telemetry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// OTLP over gRPC: `http://host:4317`.
    pub grpc: String,
    /// OTLP over HTTP, without `/v1/…`.
    pub http: String,
}

impl Endpoints {
    /// The endpoints of a server: addresses that listen everywhere are replaced by the page's own host.
    pub fn of(status: &IngestStatus, page_host: &str) -> Endpoints {
        let grpc = reachable(&status.otlp_grpc_address, page_host, 4317);
        let http = reachable(&status.otlp_http_address, page_host, 4318);
        Endpoints { grpc: format!("http://{grpc}"), http: format!("http://{http}") }
    }
}

fn reachable(address: &str, page_host: &str, default_port: u16) -> String {
    let host_of_page = if page_host.is_empty() { "localhost" } else { page_host };
    let address = address.trim().trim_start_matches("http://");
    if address.is_empty() {
        return format!("{host_of_page}:{default_port}");
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.to_owned()),
        _ => (address, default_port.to_string()),
    };
    match host {
        "" | "0.0.0.0" | "[::]" | "::" | "*" => format!("{host_of_page}:{port}"),
        "127.0.0.1" | "[::1]" => format!("localhost:{port}"),
        _ => format!("{host}:{port}"),
    }
}

/// A way to send telemetry, ready to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Stable name, for the URL and tests.
    pub id: &'static str,
    /// Tab's title.
    pub title: &'static str,
    /// What to do, in a sentence.
    pub note: &'static str,
    /// Text to paste.
    pub text: String,
}

/// Snippets for these endpoints.
pub fn snippets(endpoints: &Endpoints) -> Vec<Snippet> {
    let Endpoints { grpc, http } = endpoints;
    vec![
        Snippet {
            id: "env",
            title: "Any SDK",
            note: "Every OpenTelemetry SDK reads these. Set them where your service starts.",
            text: environment(http),
        },
        Snippet {
            id: "curl",
            title: "curl",
            note: "One log record by hand, to see that the way is open.",
            text: curl(http),
        },
        Snippet {
            id: "demo",
            title: "Demo",
            note: "No service at hand? This sends the telemetry of a made-up shop until it is stopped.",
            text: "spyhop demo".to_owned(),
        },
        Snippet {
            id: "python",
            title: "Python",
            note: "No change in your code: the agent instruments the libraries it knows.",
            text: format!(
                "pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\n\n{}\nexport OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=true\n\nopentelemetry-instrument python app.py",
                environment(http)
            ),
        },
        Snippet {
            id: "node",
            title: "Node.js",
            note: "No change in your code: the package is loaded before it.",
            text: format!(
                "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n\n{}\n\nnode --require @opentelemetry/auto-instrumentations-node/register app.js",
                environment(http)
            ),
        },
        Snippet {
            id: "java",
            title: "Java",
            note: "The agent instruments servers, clients, databases and log frameworks.",
            text: format!(
                "curl -LO https://github.com/open-telemetry/opentelemetry-java-instrumentation/releases/latest/download/opentelemetry-javaagent.jar\n\n{}\n\njava -javaagent:opentelemetry-javaagent.jar -jar app.jar",
                environment(http)
            ),
        },
        Snippet { id: "go", title: "Go", note: "Set up once, early in main.", text: go(grpc) },
        Snippet { id: "rust", title: "Rust", note: "Set up once, early in main.", text: rust(grpc) },
        Snippet {
            id: "collector",
            title: "Collector",
            note: "Add the exporter to each pipeline of a Collector you run already.",
            text: collector(grpc),
        },
    ]
}

fn environment(http: &str) -> String {
    format!(
        "export OTEL_SERVICE_NAME=my-service\nexport OTEL_EXPORTER_OTLP_ENDPOINT={http}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_LOGS_EXPORTER=otlp OTEL_TRACES_EXPORTER=otlp OTEL_METRICS_EXPORTER=otlp"
    )
}

fn curl(http: &str) -> String {
    format!(
        r#"curl -i {http}/v1/logs -H 'content-type: application/json' -d '{{
  "resourceLogs": [{{
    "resource": {{"attributes": [{{"key": "service.name", "value": {{"stringValue": "my-service"}}}}]}},
    "scopeLogs": [{{"logRecords": [{{
      "timeUnixNano": "'$(date +%s)'000000000",
      "severityNumber": 9, "severityText": "INFO",
      "body": {{"stringValue": "hello from curl"}}
    }}]}}]
  }}]
}}'"#
    )
}

fn go(grpc: &str) -> String {
    let address = grpc.trim_start_matches("http://");
    format!(
        r#"// go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc
exporter, err := otlptracegrpc.New(ctx,
    otlptracegrpc.WithEndpoint("{address}"), otlptracegrpc.WithInsecure())
if err != nil {{
    log.Fatal(err)
}}
provider := trace.NewTracerProvider(
    trace.WithBatcher(exporter),
    trace.WithResource(resource.NewSchemaless(attribute.String("service.name", "my-service"))))
defer provider.Shutdown(ctx)
otel.SetTracerProvider(provider)"#
    )
}

fn rust(grpc: &str) -> String {
    format!(
        r#"// cargo add opentelemetry opentelemetry_sdk --features opentelemetry_sdk/rt-tokio
// cargo add opentelemetry-otlp --features grpc-tonic
let exporter = opentelemetry_otlp::SpanExporter::builder()
    .with_tonic()
    .with_endpoint("{grpc}")
    .build()?;
let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder()
    .with_batch_exporter(exporter)
    .with_resource(Resource::builder().with_service_name("my-service").build())
    .build();
opentelemetry::global::set_tracer_provider(provider);"#
    )
}

fn collector(grpc: &str) -> String {
    let address = grpc.trim_start_matches("http://");
    format!(
        "exporters:\n  otlp/spyhop:\n    endpoint: {address}\n    tls:\n      insecure: true\n\nservice:\n  pipelines:\n    traces:\n      exporters: [otlp/spyhop]\n    logs:\n      exporters: [otlp/spyhop]\n    metrics:\n      exporters: [otlp/spyhop]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_reachable() {
        let check = |address: &str, host: &str, expect: &str| assert_eq!(reachable(address, host, 4317), expect);
        check("0.0.0.0:4317", "obs.example", "obs.example:4317");
        check("[::]:5000", "10.0.0.5", "10.0.0.5:5000");
        check("127.0.0.1:4317", "localhost", "localhost:4317");
        check("otlp.example:4317", "ui.example", "otlp.example:4317");
        check("", "ui.example", "ui.example:4317");
        check("", "", "localhost:4317");
    }

    #[test]
    fn every_snippet_names_this_server() {
        let endpoints = Endpoints { grpc: "http://g:1".into(), http: "http://h:2".into() };
        for snippet in snippets(&endpoints).into_iter().filter(|snippet| snippet.id != "demo") {
            assert!(snippet.text.contains("g:1") || snippet.text.contains("h:2"), "{}", snippet.id);
        }
        assert!(snippets(&endpoints)[1].text.contains("\"timeUnixNano\": \"'$(date +%s)'000000000\""));
    }
}
