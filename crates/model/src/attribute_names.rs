//! Attribute names of yesterday's semantic conventions and of today's: one field under several names.
//!
//! Senders move from one set of names to the other in their own time, and many send the old ones for years. What is
//! stored and shown stays as it was sent (I11); whoever looks for a field asks for all of its names. The table follows
//! OpenTelemetry's published schemas up to 1.44 and its migration guides. It has a rename only where the value stays
//! the same; so `net.transport` (`ip_tcp`, now `tcp`) and `rpc.grpc.status_code` (a number, now a word) are not in it,
//! nor are bare words (`state`, `type`) that mean different things in different metrics.
//!
//! A few names are wider than the one of today: `http.target` has the query behind the path, `code.function` lacks the
//! namespace, `net.peer.name` and `net.host.name` are both `server.address` now. They count as the same field, compared
//! as they were sent: an exact test of `url.path` finds those targets that are a path alone.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The names of each field that has several: today's first.
const FIELDS: &[&[&str]] = &[
    // HTTP and URLs
    &["http.request.method", "http.method"],
    &["http.response.status_code", "http.status_code"],
    &["http.request.body.size", "http.request_content_length"],
    &["http.response.body.size", "http.response_content_length"],
    &["http.request.resend_count", "http.resend_count", "http.retry_count"],
    &["url.full", "http.url"],
    &["url.path", "http.target", "http.path"],
    &["url.scheme", "http.scheme"],
    &["user_agent.original", "http.user_agent", "browser.user_agent"],
    &["client.address", "http.client_ip"],
    // Network
    &["server.address", "net.peer.name", "net.host.name", "tls.client.server_name"],
    &["server.port", "net.peer.port", "net.host.port"],
    &["network.peer.address", "net.sock.peer.addr", "net.peer.ip"],
    &["network.peer.port", "net.sock.peer.port"],
    &["network.local.address", "net.sock.host.addr", "net.host.ip"],
    &["network.local.port", "net.sock.host.port"],
    &["network.protocol.name", "net.protocol.name", "net.app.protocol.name"],
    &["network.protocol.version", "net.protocol.version", "net.app.protocol.version", "http.flavor"],
    &["service.peer.name", "peer.service"],
    // Databases
    &["db.system.name", "db.system"],
    &[
        "db.namespace",
        "db.name",
        "db.cassandra.keyspace",
        "db.hbase.namespace",
        "db.redis.database_index",
        "db.elasticsearch.cluster.name",
    ],
    &["db.operation.name", "db.operation"],
    &["db.query.text", "db.statement"],
    &["db.collection.name", "db.sql.table", "db.cassandra.table", "db.mongodb.collection", "db.cosmosdb.container"],
    &["db.client.connection.pool.name", "db.client.connections.pool.name"],
    &["db.client.connection.state", "db.client.connections.state"],
    // Messaging
    &["messaging.destination.name", "messaging.destination"],
    &["messaging.destination.temporary", "messaging.temp_destination"],
    &["messaging.destination.partition.id", "messaging.kafka.destination.partition", "messaging.kafka.partition"],
    &["messaging.destination.subscription.name", "messaging.servicebus.destination.subscription_name"],
    &["messaging.operation.type", "messaging.operation"],
    &["messaging.client.id", "messaging.client_id", "messaging.kafka.client_id", "messaging.rocketmq.client_id"],
    &[
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
    ],
    &["messaging.message.id", "messaging.message_id"],
    &["messaging.message.conversation_id", "messaging.conversation_id"],
    &["messaging.message.body.size", "messaging.message.payload_size_bytes", "messaging.message_payload_size_bytes"],
    &["messaging.kafka.message.key", "messaging.kafka.message_key"],
    &["messaging.kafka.message.tombstone", "messaging.kafka.tombstone"],
    &["messaging.kafka.offset", "messaging.kafka.message.offset"],
    &["messaging.rabbitmq.destination.routing_key", "messaging.rabbitmq.routing_key"],
    // RPC
    &["rpc.system.name", "rpc.system"],
    &["rpc.message.type", "message.type"],
    &["rpc.message.id", "message.id"],
    &["rpc.message.compressed_size", "message.compressed_size"],
    &["rpc.message.uncompressed_size", "message.uncompressed_size"],
    // Code and users
    &["code.function.name", "code.function"],
    &["code.file.path", "code.filepath"],
    &["code.line.number", "code.lineno"],
    &["code.column.number", "code.column"],
    &["user.id", "enduser.id"],
    // Where it runs
    &["deployment.environment.name", "deployment.environment"],
    &["container.runtime.name", "container.runtime"],
    &["cloud.resource_id", "faas.id"],
    &["faas.invocation_id", "faas.execution"],
    &["azure.resource_provider.namespace", "az.namespace"],
    &["azure.service.request.id", "az.service_request_id"],
    &["telemetry.distro.version", "telemetry.auto.version"],
    &["cpu.mode", "system.cpu.state", "process.cpu.state", "container.cpu.state"],
    // Models and flags
    &["gen_ai.provider.name", "gen_ai.system"],
    &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
    &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
    &["feature_flag.provider.name", "feature_flag.provider_name"],
    &["feature_flag.result.variant", "feature_flag.variant"],
    &["feature_flag.result.reason", "feature_flag.evaluation.reason"],
];

static FIELD_OF: LazyLock<HashMap<&str, &[&str]>> =
    LazyLock::new(|| FIELDS.iter().flat_map(|names| names.iter().map(|name| (*name, *names))).collect());

/// All names of the field that has this one, today's first, this one among them; none where it has no other.
pub fn names_of(name: &str) -> &'static [&'static str] {
    FIELD_OF.get(name).copied().unwrap_or_default()
}

/// Today's name of the field that has this one.
pub fn today(name: &str) -> &str {
    names_of(name).first().copied().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_belongs_to_one_field() {
        let mut names: Vec<&str> = FIELDS.iter().copied().flatten().copied().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(FIELDS.iter().all(|names| names.len() > 1));
    }

    #[test]
    fn every_name_knows_the_others() {
        let check = |name: &str, expect: &[&str]| assert_eq!(names_of(name), expect, "{name}");
        check("http.method", &["http.request.method", "http.method"]);
        check("http.request.method", &["http.request.method", "http.method"]);
        check("deployment.environment", &["deployment.environment.name", "deployment.environment"]);
        check("http.route", &[]);
        check("HTTP.METHOD", &[]);
        for (name, expect) in [
            ("http.status_code", "http.response.status_code"),
            ("http.url", "url.full"),
            ("http.target", "url.path"),
            ("db.system", "db.system.name"),
            ("db.name", "db.namespace"),
            ("db.operation", "db.operation.name"),
            ("db.statement", "db.query.text"),
            ("db.sql.table", "db.collection.name"),
            ("net.peer.name", "server.address"),
            ("net.peer.port", "server.port"),
            ("messaging.destination", "messaging.destination.name"),
            ("code.function", "code.function.name"),
            ("http.user_agent", "user_agent.original"),
            ("enduser.id", "user.id"),
            ("user.id", "user.id"),
            ("http.route", "http.route"),
        ] {
            assert_eq!(today(name), expect, "{name}");
        }
    }
}
