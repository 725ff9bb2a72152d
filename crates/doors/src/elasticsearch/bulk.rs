//! The lines of a bulk request: an action, and under `create` and `index` its document.

use std::sync::Arc;

use model::Signal;
use otlp_wire::LogDraft;
use serde::Deserialize;

use super::document::Document;
use super::fields;
use crate::envelope::Envelope;
use crate::{DoorError, Limits, Reason, Translation, TurnedAway};

/// What an item asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Stores a document that must be new.
    Create,
    /// Stores a document.
    Index,
    /// Changes one, which is refused.
    Update,
    /// Removes one, which is refused.
    Delete,
}

impl Action {
    /// The name in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Index => "index",
            Action::Update => "update",
            Action::Delete => "delete",
        }
    }
}

/// Why an item is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemError {
    /// As Elasticsearch names kinds of errors.
    pub kind: &'static str,
    /// In words.
    pub reason: String,
}

/// An item, to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it asked for.
    pub action: Action,
    /// Name of its index, shared by the items of one.
    pub index: Arc<str>,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Why it is not stored, if so.
    pub error: Option<ItemError>,
}

/// A bulk request as a translation and its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bulk {
    /// What is to be stored.
    pub translation: Translation,
    /// All items in order.
    pub items: Vec<Item>,
}

#[derive(Debug, Default, Deserialize)]
struct Meta<'a> {
    #[serde(borrow, rename = "_index")]
    index: Option<std::borrow::Cow<'a, str>>,
    #[serde(rename = "_id")]
    id: Option<crate::any_value::Leaf>,
}

#[derive(Debug, Deserialize)]
struct ActionLine<'a> {
    #[serde(borrow)]
    create: Option<Meta<'a>>,
    #[serde(borrow)]
    index: Option<Meta<'a>>,
    #[serde(borrow)]
    update: Option<Meta<'a>>,
    #[serde(borrow)]
    delete: Option<Meta<'a>>,
}

/// Bytes of an index's name and of an id that are kept.
const NAME_BYTES_MAX: usize = 255;

/// Translates a bulk request; `index` is the one that the path names.
///
/// # Errors
/// See [`DoorError`]: a line that is no action makes all that follows unreadable, and nothing is stored then.
pub fn translate(index: Option<&str>, body: &[u8], limits: &Limits) -> Result<Bulk, DoorError> {
    let mut reader = Reader {
        limits,
        envelope: Envelope::new(limits.request_bytes_max),
        turned_away: TurnedAway::default(),
        items: Vec::new(),
        default_index: index.unwrap_or_default().into(),
        document: Document::default(),
        draft: LogDraft::default(),
    };
    let mut lines = body.split(|byte| *byte == b'\n').enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let (action, meta) = action(line).ok_or_else(|| {
            DoorError::Malformed(format!("malformed action/metadata line [{}], expected create or index", number + 1))
        })?;
        if reader.items.len() == limits.items_max {
            return Err(DoorError::TooLarge(format!("a bulk request may have {} items", limits.items_max)));
        }
        let document =
            match action {
                Action::Delete => None,
                _ => {
                    Some(lines.next().map(|(_, line)| line.trim_ascii()).filter(|line| !line.is_empty()).ok_or_else(
                        || DoorError::Malformed(format!("line [{}] has no document after it", number + 1)),
                    )?)
                }
            };
        reader.item(action, meta, document)?;
    }
    if reader.items.is_empty() {
        return Err(DoorError::malformed("request body is required"));
    }
    let Reader { envelope, turned_away, items, .. } = reader;
    let records = envelope.records();
    let request = envelope.finish();
    Ok(Bulk { translation: Translation { signal: Signal::Logs, request, records, turned_away }, items })
}

fn action(line: &[u8]) -> Option<(Action, Meta<'_>)> {
    let ActionLine { create, index, update, delete } = serde_json::from_slice(line).ok()?;
    let found = [(Action::Create, create), (Action::Index, index), (Action::Update, update), (Action::Delete, delete)];
    found.into_iter().find_map(|(action, meta)| meta.map(|meta| (action, meta)))
}

struct Reader<'a> {
    limits: &'a Limits,
    envelope: Envelope,
    turned_away: TurnedAway,
    items: Vec<Item>,
    default_index: Arc<str>,
    document: Document,
    draft: LogDraft,
}

impl Reader<'_> {
    fn item(&mut self, action: Action, meta: Meta<'_>, document: Option<&[u8]>) -> Result<(), DoorError> {
        let index = self.index(meta.index.as_deref());
        let id = meta.id.and_then(crate::any_value::Leaf::into_text).map(|mut id| {
            id.truncate(id.floor_char_boundary(NAME_BYTES_MAX));
            id
        });
        let error = match (action, document) {
            (Action::Create | Action::Index, Some(document)) => self.store(&index, document)?,
            _ => Some((
                Reason::Unsupported,
                ItemError {
                    kind: "illegal_argument_exception",
                    reason: format!("{} is not supported: records are appended, never changed", action.name()),
                },
            )),
        };
        if let Some((reason, error)) = &error {
            self.turned_away.add(*reason, &error.reason);
        }
        self.items.push(Item { action, index, id, error: error.map(|(_, error)| error) });
        Ok(())
    }

    /// The index's name, shared with the item before where that has the same.
    fn index(&mut self, name: Option<&str>) -> Arc<str> {
        let name = name.unwrap_or(&self.default_index);
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        match self.items.last() {
            Some(last) if *last.index == *name => Arc::clone(&last.index),
            _ if *self.default_index == *name => Arc::clone(&self.default_index),
            _ => name.into(),
        }
    }

    /// Adds a document's record, or says why not.
    fn store(&mut self, index: &str, document: &[u8]) -> Result<Option<(Reason, ItemError)>, DoorError> {
        if document.len() > self.limits.document_bytes_max {
            let reason = format!("the document is longer than {} bytes", self.limits.document_bytes_max);
            return Ok(Some((Reason::TooLarge, ItemError { kind: "illegal_argument_exception", reason })));
        }
        if let Err(error) = self.document.read(document, self.limits.document_fields_max) {
            return Ok(Some(error));
        }
        self.draft.clear();
        let origin = fields::fill(&self.document, index, &mut self.draft);
        let draft = &self.draft;
        self.envelope.add(&origin.resource, &origin.scope, |out| draft.write(out))?;
        Ok(None)
    }
}
