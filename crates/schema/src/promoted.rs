//! The fixed list of attributes that have a column of their own.

/// Native type of a promoted column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromotedType {
    /// A dictionary of texts: few distinct values a file.
    Keyword,
    /// Plain text: many distinct values.
    Text,
    /// A 64-bit integer.
    Int,
}

/// An attribute key, the column it is promoted to, and the column's type.
///
/// A value whose type does not fit, or a key that occurs twice, stays in the JSON text; the column is null then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promoted {
    /// Attribute key as sent.
    pub key: &'static str,
    /// Column name: the key with dots as underscores.
    pub column: &'static str,
    /// Type of the column.
    pub kind: PromotedType,
}

const fn of(key: &'static str, column: &'static str, kind: PromotedType) -> Promoted {
    Promoted { key, column, kind }
}

use PromotedType::{Int, Keyword, Text};

/// Attributes of spans and log records with a column of their own, sorted by key.
pub const PROMOTED: &[Promoted] = &[
    of("code.file.path", "code_file_path", Keyword),
    of("code.function.name", "code_function_name", Keyword),
    of("code.line.number", "code_line_number", Int),
    of("db.collection.name", "db_collection_name", Keyword),
    of("db.namespace", "db_namespace", Keyword),
    of("db.operation.name", "db_operation_name", Keyword),
    of("db.query.text", "db_query_text", Text),
    of("db.system.name", "db_system_name", Keyword),
    of("enduser.id", "enduser_id", Text),
    of("exception.type", "exception_type", Keyword),
    of("http.request.method", "http_request_method", Keyword),
    of("http.response.status_code", "http_response_status_code", Int),
    of("http.route", "http_route", Keyword),
    of("messaging.destination.name", "messaging_destination_name", Keyword),
    of("messaging.operation.name", "messaging_operation_name", Keyword),
    of("messaging.system", "messaging_system", Keyword),
    of("network.peer.address", "network_peer_address", Text),
    of("rpc.method", "rpc_method", Keyword),
    of("rpc.service", "rpc_service", Keyword),
    of("rpc.system", "rpc_system", Keyword),
    of("server.address", "server_address", Keyword),
    of("server.port", "server_port", Int),
    of("thread.id", "thread_id", Int),
    of("thread.name", "thread_name", Keyword),
    of("url.full", "url_full", Text),
    of("url.path", "url_path", Text),
    of("user_agent.original", "user_agent_original", Keyword),
];

/// Attributes of the resource with a column beside the `resource` dictionary, which keeps them too.
pub const PROMOTED_RESOURCE: &[Promoted] = &[
    of("host.name", "host_name", Keyword),
    of("k8s.namespace.name", "k8s_namespace_name", Keyword),
    of("k8s.node.name", "k8s_node_name", Keyword),
    of("k8s.pod.name", "k8s_pod_name", Keyword),
    of("service.name", "service_name", Keyword),
    of("service.namespace", "service_namespace", Keyword),
];

/// Position in [`PROMOTED`] of this attribute key.
pub fn promoted(key: &str) -> Option<usize> {
    PROMOTED.binary_search_by(|entry| entry.key.cmp(key)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_columns_follow_keys() {
        for list in [PROMOTED, PROMOTED_RESOURCE] {
            assert!(list.windows(2).all(|pair| pair[0].key < pair[1].key));
            for entry in list {
                assert_eq!(entry.column, entry.key.replace('.', "_"));
            }
        }
        assert_eq!(promoted("http.route").map(|at| PROMOTED[at].column), Some("http_route"));
        assert_eq!(promoted("http.rout"), None);
    }
}
