//! Loki's push: streams of lines under labels, in JSON and in protobuf.
//!
//! Labels are the resource, since they are the same for every line of a stream: under their own names, except those
//! that Loki itself makes from OpenTelemetry's (`service_name`), which get the name back that they had. Where no label
//! is `service_name`, the service's name is also taken from the first label that Loki would take it from. A line is the
//! body of a record, unchanged. Structured metadata are its attributes; a trace id, a span id and a level among them
//! find their place, and a level among the labels counts for lines that have none of their own.

mod json;
mod labels;
mod protobuf;

use model::Signal;
use otlp_wire::{LogDraft, put_text};

use crate::envelope::Envelope;
use crate::{DoorError, Limits, Reason, Translation, TurnedAway, ids, severity};

/// How a push is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `{"streams": [{"stream": {…}, "values": [["<ns>", "line", {…}]]}]}`
    Json,
    /// `logproto.PushRequest`, after snappy.
    Protobuf,
}

/// Translates a push.
///
/// # Errors
/// See [`DoorError`]; nothing of the body can be stored.
pub fn translate(encoding: Encoding, body: &[u8], limits: &Limits) -> Result<Translation, DoorError> {
    let mut push = Push::new(limits);
    match encoding {
        Encoding::Json => json::read(body, &mut push)?,
        Encoding::Protobuf => protobuf::read(body, &mut push)?,
    }
    let records = push.envelope.records();
    Ok(Translation { signal: Signal::Logs, request: push.envelope.finish(), records, turned_away: push.turned_away })
}

/// A push while it is read.
struct Push {
    envelope: Envelope,
    turned_away: TurnedAway,
    stream: Stream,
    draft: LogDraft,
}

/// The labels of the stream that is being read.
#[derive(Debug, Default)]
struct Stream {
    /// Bytes of a `Resource` message.
    resource: Vec<u8>,
    level: Option<(u8, String)>,
    service: Option<(usize, String)>,
    is_named: bool,
}

/// Labels that OpenTelemetry names were made into, and the names.
const NAMES: [(&str, &str); 10] = [
    ("service_name", "service.name"),
    ("service_namespace", "service.namespace"),
    ("service_instance_id", "service.instance.id"),
    ("service_version", "service.version"),
    ("deployment_environment_name", "deployment.environment.name"),
    ("k8s_namespace_name", "k8s.namespace.name"),
    ("k8s_pod_name", "k8s.pod.name"),
    ("k8s_container_name", "k8s.container.name"),
    ("k8s_node_name", "k8s.node.name"),
    ("host_name", "host.name"),
];

/// Labels that say which service it is, where none is `service_name`; the first in this order counts.
const SERVICES: [&str; 10] = [
    "service",
    "app",
    "application",
    "app_name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "component",
    "workload",
    "job",
];

/// Labels and metadata that say how severe a line is.
const LEVELS: [&str; 5] = ["level", "severity", "severity_text", "lvl", "detected_level"];

impl Stream {
    fn clear(&mut self) {
        self.resource.clear();
        self.level = None;
        self.service = None;
        self.is_named = false;
    }

    fn label(&mut self, name: &str, value: &str) {
        let renamed = NAMES.iter().find(|(label, _)| *label == name).map(|(_, renamed)| *renamed);
        self.is_named |= matches!(renamed.unwrap_or(name), "service.name");
        if let Some(rank) = SERVICES.iter().position(|label| *label == name)
            && self.service.as_ref().is_none_or(|(other, _)| rank < *other)
            && !value.is_empty()
        {
            self.service = Some((rank, value.to_owned()));
        }
        if LEVELS.contains(&name)
            && self.level.is_none()
            && let Some(number) = severity::of_name(value)
        {
            self.level = Some((number, value.to_owned()));
        }
        put_text(&mut self.resource, 1, renamed.unwrap_or(name), value);
    }

    /// The labels have ended.
    fn settle(&mut self) {
        if let Some((_, service)) = self.service.take().filter(|_| !self.is_named) {
            put_text(&mut self.resource, 1, "service.name", &service);
        }
    }
}

impl Push {
    fn new(limits: &Limits) -> Push {
        Push {
            envelope: Envelope::new(limits.request_bytes_max),
            turned_away: TurnedAway::default(),
            stream: Stream::default(),
            draft: LogDraft::default(),
        }
    }

    /// Adds a pair of structured metadata to the draft.
    fn metadata(draft: &mut LogDraft, name: &str, value: &str) {
        match name {
            "trace_id" | "traceID" | "traceId" | "trace.id" if draft.trace_id.is_none() => {
                draft.trace_id = ids::trace_id(value);
                if draft.trace_id.is_some() {
                    return;
                }
            }
            "span_id" | "spanID" | "spanId" | "span.id" if draft.span_id.is_none() => {
                draft.span_id = ids::span_id(value);
                if draft.span_id.is_some() {
                    return;
                }
            }
            "severity_number" if draft.severity_number == 0 => {
                if let Some(number) = value.parse().ok().filter(|number| (1..=24).contains(number)) {
                    draft.severity_number = number;
                    return;
                }
            }
            // What Loki guessed is no more than a guess, and stays beside what was sent.
            "detected_level" => {}
            _ if LEVELS.contains(&name) && draft.severity_text.is_empty() => {
                if let Some(number) = severity::of_name(value) {
                    let number = if draft.severity_number > 0 { draft.severity_number } else { number };
                    draft.severity(number, value);
                    return;
                }
            }
            _ => {}
        }
        draft.text_attribute(name, value);
    }

    /// Adds the draft, which is the next line of the stream.
    fn line(&mut self, time: u64, line: &[u8]) -> Result<(), DoorError> {
        self.draft.time = time;
        self.draft.text_body(line);
        self.level_of_stream();
        self.envelope.add(&self.stream.resource, &[], |out| self.draft.write(out))
    }

    fn level_of_stream(&mut self) {
        if let Some((number, text)) = &self.stream.level
            && self.draft.severity_number == 0
            && self.draft.severity_text.is_empty()
        {
            self.draft.severity(*number, text);
        }
    }

    fn turn_away(&mut self, reason: Reason, detail: &str) {
        self.turned_away.add(reason, detail);
    }
}

#[cfg(test)]
mod tests;
