//! What a span calls that sends no telemetry of its own: a database, a queue, some other server.
//!
//! Attributes are asked for under today's name and under yesterday's ([`ATTRIBUTES`]); today's win.

use std::fmt;

use arrow::array::RecordBatch;
use model::attributes::{self, AnyValue};

use super::operations::{CLIENT, CONSUMER, PRODUCER};
use super::rows::TextColumn;

/// An attribute that names what is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Database,
    Namespace,
    Messaging,
    Destination,
    Server,
}

/// Today's names with a column of their own, and what else the same thing is or was called, best first.
///
/// This is the one place of the map that knows attribute names.
const ATTRIBUTES: [(Named, &str, &[&str]); 5] = [
    (Named::Database, "db_system_name", &["db.system.name", "db.system"]),
    (Named::Namespace, "db_namespace", &["db.namespace", "db.name"]),
    (Named::Messaging, "messaging_system", &["messaging.system"]),
    (
        Named::Destination,
        "messaging_destination_name",
        &["messaging.destination.name", "messaging.destination", "messaging.destination.template"],
    ),
    (Named::Server, "server_address", &["server.address", "net.peer.name", "peer.service", "rpc.service"]),
];

/// What kind of place is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TargetKind {
    /// A database.
    Database,
    /// A queue or topic.
    Queue,
    /// Any other server.
    External,
}

impl TargetKind {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            TargetKind::Database => "database",
            TargetKind::Queue => "queue",
            TargetKind::External => "external",
        }
    }
}

/// A place that is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallTarget {
    /// What it is.
    pub kind: TargetKind,
    /// `postgresql/shop`, `kafka/orders`, `api.example.com`.
    pub name: String,
}

impl fmt::Display for CallTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.name(), self.name)
    }
}

impl CallTarget {
    pub(super) fn number_of_kind(&self) -> u64 {
        self.kind as u64
    }

    pub(super) fn of_number(kind: u64, name: String) -> Option<CallTarget> {
        let kinds = [TargetKind::Database, TargetKind::Queue, TargetKind::External];
        Some(CallTarget { kind: *kinds.get(usize::try_from(kind).ok()?)?, name })
    }
}

/// The columns of a batch that targets are read from.
pub(super) struct TargetColumns<'a> {
    columns: [TextColumn<'a>; 5],
    attributes: TextColumn<'a>,
}

impl<'a> TargetColumns<'a> {
    pub(super) const COLUMNS: [&'static str; 6] = [
        "attributes",
        "db_system_name",
        "db_namespace",
        "messaging_system",
        "messaging_destination_name",
        "server_address",
    ];

    pub(super) fn new(batch: &'a RecordBatch) -> TargetColumns<'a> {
        TargetColumns {
            columns: ATTRIBUTES.map(|(_, column, _)| TextColumn::of(batch, column)),
            attributes: TextColumn::of(batch, "attributes"),
        }
    }

    /// What a span of this kind calls, or, for a consumer, takes from.
    pub(super) fn target(&self, row: usize, kind: i32) -> Option<CallTarget> {
        if !matches!(kind, CLIENT | PRODUCER | CONSUMER) {
            return None;
        }
        let mut others = None;
        let mut find = |named: Named| {
            let at = named as usize;
            let promoted = self.columns[at].get(row).filter(|text| !text.is_empty());
            promoted.map(str::to_owned).or_else(|| {
                let others = others.get_or_insert_with(|| old_names(self.attributes.get(row).unwrap_or_default()));
                others[at].1.take()
            })
        };
        if kind != CONSUMER
            && let Some(system) = find(Named::Database)
        {
            let name = match find(Named::Namespace) {
                Some(namespace) => format!("{system}/{namespace}"),
                None => system,
            };
            return Some(CallTarget { kind: TargetKind::Database, name });
        }
        if let Some(system) = find(Named::Messaging) {
            let name = match find(Named::Destination) {
                Some(destination) => format!("{system}/{destination}"),
                None => system,
            };
            return Some(CallTarget { kind: TargetKind::Queue, name });
        }
        let server = find(Named::Server).filter(|_| kind != CONSUMER)?;
        Some(CallTarget { kind: TargetKind::External, name: server })
    }
}

/// The best name found for each attribute in the text of those without a column, and how good it is.
fn old_names(text: &str) -> [(usize, Option<String>); 5] {
    let mut found = [const { (usize::MAX, None) }; 5];
    for (key, raw) in attributes::entries(text) {
        for (named, _, names) in ATTRIBUTES {
            let Some(rank) = names.iter().position(|name| *name == key) else { continue };
            let best = &mut found[named as usize];
            if rank < best.0
                && let Ok(AnyValue::String(value)) = attributes::parse(raw)
                && !value.is_empty()
            {
                *best = (rank, Some(value));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn names_of_today_and_yesterday_lead_to_the_same_place() {
        let check = |kind: i32, columns: &[(&str, &str)], attributes: &str, expect: &str| {
            let keyword =
                |text: &str| -> ArrayRef { Arc::new([Some(text)].into_iter().collect::<DictionaryArray<Int32Type>>()) };
            let mut arrays: Vec<(&str, ArrayRef)> = columns.iter().map(|(name, text)| (*name, keyword(text))).collect();
            arrays.push(("attributes", Arc::new(StringArray::from(vec![attributes]))));
            let batch = RecordBatch::try_from_iter(arrays).expect("a batch");
            let target = TargetColumns::new(&batch).target(0, kind);
            assert_eq!(target.map(|target| target.to_string()).unwrap_or_default(), expect, "{columns:?} {attributes}");
        };
        let database = [("db_system_name", "postgresql"), ("db_namespace", "shop"), ("server_address", "db1")];
        check(CLIENT, &database, "{}", "database:postgresql/shop");
        check(CLIENT, &[("db_system_name", "redis")], "{}", "database:redis");
        check(CLIENT, &[], r#"{"db.system":"mysql","db.name":"orders"}"#, "database:mysql/orders");
        check(
            CLIENT,
            &[("db_system_name", "mysql")],
            r#"{"db.system":"old","db.name":"orders"}"#,
            "database:mysql/orders",
        );
        check(
            PRODUCER,
            &[("messaging_system", "kafka")],
            r#"{"messaging.destination":"orders"}"#,
            "queue:kafka/orders",
        );
        check(
            PRODUCER,
            &[("messaging_system", "kafka"), ("messaging_destination_name", "orders"), ("server_address", "k1")],
            "{}",
            "queue:kafka/orders",
        );
        check(CONSUMER, &[("messaging_system", "kafka"), ("server_address", "k1")], "{}", "queue:kafka");
        check(CONSUMER, &[("server_address", "k1")], "{}", "");
        check(CLIENT, &[("server_address", "api.example.com")], "{}", "external:api.example.com");
        check(CLIENT, &[], r#"{"peer.service":"billing","net.peer.name":"10.0.0.1"}"#, "external:10.0.0.1");
        check(CLIENT, &[], r#"{"peer.service":"billing"}"#, "external:billing");
        check(CLIENT, &[], r#"{"peer.service":17,"net.peer.name":""}"#, "");
        check(CLIENT, &[], "not json", "");
        check(SERVER_KIND, &database, "{}", "");
    }

    const SERVER_KIND: i32 = super::super::operations::SERVER;
}
