//! Answers in Elasticsearch's form.

use super::bulk::{Bulk, Item};

/// The answer to a bulk request whose translation is stored: one item for each, in order.
pub fn bulk_answer(bulk: &Bulk, took_ms: u128) -> Vec<u8> {
    let has_errors = bulk.items.iter().any(|item| item.error.is_some());
    let mut out = format!(r#"{{"took":{took_ms},"errors":{has_errors},"items":["#);
    for (place, item) in bulk.items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_item(&mut out, item, place);
    }
    out.push_str("]}");
    out.into_bytes()
}

fn write_item(out: &mut String, item: &Item, place: usize) {
    // An id that nobody gave only has to differ from its neighbours: nothing is ever asked by it.
    let id = item.id.as_deref().map_or_else(|| json(&format!("{place:08x}")), json);
    out.push_str(&format!(r#"{{"{}":{{"_index":{},"_id":{id},"#, item.action.name(), json(&item.index)));
    match &item.error {
        None => out.push_str(
            r#""_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":0,"_primary_term":1,"status":201}}"#,
        ),
        Some(error) => {
            let (kind, reason) = (json(error.kind), json(&error.reason));
            out.push_str(&format!(r#""status":400,"error":{{"type":{kind},"reason":{reason}}}}}}}"#));
        }
    }
}

/// The body of an error that concerns a whole request.
pub fn error_answer(status: u16, kind: &str, reason: &str) -> String {
    let (kind, reason) = (json(kind), json(reason));
    format!(
        r#"{{"error":{{"root_cause":[{{"type":{kind},"reason":{reason}}}],"type":{kind},"reason":{reason}}},"status":{status}}}"#
    )
}

/// A text in JSON.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
