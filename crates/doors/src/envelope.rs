//! The envelope of a request: records gathered under their resource and scope.
//!
//! The three signals have the same envelope: a request of resources (field 1), each with the resource itself (1) and
//! scopes (2), each with the scope itself (1) and records (2). Records of one resource and scope lie together, in the
//! order they came.

use std::collections::HashMap;

use otlp_wire::{Fields, field_bytes, put_bytes, put_head};

use crate::DoorError;

/// Bytes that a group costs beside what it holds, so that many small ones are bounded too.
const GROUP_BYTES: usize = 64;

#[derive(Debug, Default)]
struct Group {
    resource: Vec<u8>,
    scope: Vec<u8>,
    /// Records with their tags.
    records: Vec<u8>,
}

/// A request while it grows.
#[derive(Debug)]
pub(crate) struct Envelope {
    groups: Vec<Group>,
    places: HashMap<(Vec<u8>, Vec<u8>), usize>,
    /// Place of the group that took the last record, and mostly takes the next.
    last: usize,
    records: u32,
    bytes: usize,
    bytes_max: usize,
}

impl Envelope {
    pub(crate) fn new(bytes_max: usize) -> Envelope {
        Envelope { groups: Vec::new(), places: HashMap::new(), last: 0, records: 0, bytes: 0, bytes_max }
    }

    /// Adds a record; `resource` and `scope` are the bytes of their messages, `write` appends the record with its tag.
    pub(crate) fn add(
        &mut self,
        resource: &[u8],
        scope: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), DoorError> {
        let place = self.place(resource, scope);
        let records = &mut self.groups[place].records;
        let before = records.len();
        write(records);
        self.bytes += records.len() - before;
        self.records += 1;
        if self.bytes > self.bytes_max { Err(DoorError::Full) } else { Ok(()) }
    }

    fn place(&mut self, resource: &[u8], scope: &[u8]) -> usize {
        if self.groups.get(self.last).is_some_and(|group| group.resource == resource && group.scope == scope) {
            return self.last;
        }
        let key = (resource.to_vec(), scope.to_vec());
        let place = *self.places.entry(key).or_insert_with(|| {
            // Twice: the key is kept as well.
            self.bytes += 2 * (resource.len() + scope.len()) + GROUP_BYTES;
            self.groups.push(Group { resource: resource.to_vec(), scope: scope.to_vec(), records: Vec::new() });
            self.groups.len() - 1
        });
        self.last = place;
        place
    }

    /// Adds records that are written already, with their tags; at least one.
    pub(crate) fn add_written(&mut self, resource: &[u8], scope: &[u8], records: &[u8]) -> Result<(), DoorError> {
        let mut fields = Fields(records);
        let mut count = 0;
        while let Ok(Some(_)) = fields.field() {
            count += 1;
        }
        self.add(resource, scope, |out| out.extend_from_slice(records))?;
        self.records += u32::saturating_sub(count, 1);
        Ok(())
    }

    /// Whether so many bytes more, which are gathered elsewhere, have room.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), DoorError> {
        if self.bytes + bytes > self.bytes_max { Err(DoorError::Full) } else { Ok(()) }
    }

    /// Records added.
    pub(crate) fn records(&self) -> u32 {
        self.records
    }

    /// The request.
    pub(crate) fn finish(self) -> Vec<u8> {
        drop(self.places);
        let scope_length = |group: &Group| optional(group.scope.len()) + group.records.len();
        let length = |group: &Group| optional(group.resource.len()) + field_bytes(scope_length(group));
        let total = self.groups.iter().map(|group| field_bytes(length(group))).sum();
        let mut out = Vec::with_capacity(total);
        // Each group is given back as soon as it is copied.
        for group in self.groups {
            put_head(&mut out, 1, length(&group));
            if !group.resource.is_empty() {
                put_bytes(&mut out, 1, &group.resource);
            }
            put_head(&mut out, 2, scope_length(&group));
            if !group.scope.is_empty() {
                put_bytes(&mut out, 1, &group.scope);
            }
            out.extend_from_slice(&group.records);
        }
        out
    }
}

/// Bytes of a field that is left out where it is empty.
fn optional(length: usize) -> usize {
    if length == 0 { 0 } else { field_bytes(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_origin_lie_together() {
        let mut envelope = Envelope::new(10_000);
        for (resource, scope, record) in [(&b"r"[..], &b""[..], 1), (b"", b"s", 2), (b"r", b"", 3)] {
            envelope.add(resource, scope, |out| out.extend_from_slice(&[0x12, 1, record])).expect("room");
        }
        assert_eq!(envelope.records(), 3);
        let expect: Vec<u8> = [
            &[0x0a, 11, 0x0a, 1, b'r', 0x12, 6, 0x12, 1, 1, 0x12, 1, 3][..],
            &[0x0a, 8, 0x12, 6, 0x0a, 1, b's', 0x12, 1, 2],
        ]
        .concat();
        assert_eq!(envelope.finish(), expect);
        assert_eq!(Envelope::new(0).finish(), b"");
    }

    #[test]
    fn beyond_the_bound_it_is_full() {
        let mut envelope = Envelope::new(100);
        assert_eq!(envelope.add(b"", b"", |out| out.resize(30, 0)), Ok(()));
        assert_eq!(envelope.add(b"", b"", |out| out.resize(100, 0)), Err(DoorError::Full));
        assert_eq!(Envelope::new(100).add(&[0; 40], b"", |_| {}), Err(DoorError::Full));
    }
}
