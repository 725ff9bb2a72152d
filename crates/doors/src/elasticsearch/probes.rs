//! What clients ask before they send, answered as a cluster would that has all they look for and keeps nothing of it.
//!
//! The version is one that today's clients of the 7, 8 and 9 series accept. Templates, policies and pipelines are
//! acknowledged and forgotten: records have a schema of their own.

/// An answer: a status and a JSON body, which is left out for HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: &'static str,
}

const INFO: &str = r#"{"name":"spyhop","cluster_name":"spyhop","cluster_uuid":"c3B5aG9wLXNweWhvcC1zcHk","version":{"number":"8.19.0","build_flavor":"default","build_type":"docker","build_hash":"0000000000000000000000000000000000000000","build_date":"2025-07-29T00:00:00.000000000Z","build_snapshot":false,"lucene_version":"9.12.2","minimum_wire_compatibility_version":"7.17.0","minimum_index_compatibility_version":"7.0.0"},"tagline":"You Know, for Search"}"#;
const LICENSE: &str = r#"{"license":{"status":"active","uid":"00000000-0000-0000-0000-000000000000","type":"basic","issue_date":"2025-01-01T00:00:00.000Z","issue_date_in_millis":1735689600000,"max_nodes":1000,"issued_to":"spyhop","issuer":"spyhop","start_date_in_millis":-1}}"#;
const XPACK: &str = r#"{"build":{"hash":"0000000","date":"2025-07-29T00:00:00.000Z"},"license":{"uid":"00000000-0000-0000-0000-000000000000","type":"basic","mode":"basic","status":"active"},"features":{"ilm":{"available":true,"enabled":true},"data_streams":{"available":true,"enabled":true,"data_streams":0,"indices_count":0}},"tagline":"You know, for X"}"#;
const HEALTH: &str = r#"{"cluster_name":"spyhop","status":"green","timed_out":false,"number_of_nodes":1,"number_of_data_nodes":1,"active_primary_shards":0,"active_shards":0,"relocating_shards":0,"initializing_shards":0,"unassigned_shards":0,"delayed_unassigned_shards":0,"number_of_pending_tasks":0,"number_of_in_flight_fetch":0,"task_max_waiting_in_queue_millis":0,"active_shards_percent_as_number":100.0}"#;
const NODES: &str = r#"{"_nodes":{"total":1,"successful":1,"failed":0},"cluster_name":"spyhop","nodes":{}}"#;
const ACKNOWLEDGED: &str = r#"{"acknowledged":true}"#;

/// Paths below which anything exists and is acknowledged.
const KEPT: [&str; 6] =
    ["/_index_template", "/_template", "/_component_template", "/_ilm", "/_ingest", "/_data_stream"];

/// Answers a probe; nothing where the path is none. The path has no closing slash.
pub fn probe(method: &str, path: &str) -> Option<Probe> {
    let is_below =
        |parent: &str| path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let reads = matches!(method, "GET" | "HEAD");
    let body = match path {
        "" if reads => INFO,
        "/_license" if reads => LICENSE,
        "/_xpack" if reads => XPACK,
        _ if reads && is_below("/_cluster/health") => HEALTH,
        _ if reads && is_below("/_nodes") => NODES,
        _ if KEPT.into_iter().any(is_below) => match method {
            "GET" | "HEAD" => "{}",
            "PUT" | "POST" | "DELETE" => ACKNOWLEDGED,
            _ => return None,
        },
        _ => return None,
    };
    Some(Probe { status: 200, body })
}
