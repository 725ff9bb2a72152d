//! Server-sent events, as far as the live tail uses them: lines in, events out.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ServerEvent {
    /// Place to go on from.
    pub(super) id: Option<String>,
    /// None where it only says that the stream lives.
    pub(super) data: Option<String>,
}

/// Takes bytes as they come and gives the events that are whole.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    /// Bytes of lines that are not whole yet.
    rest: Vec<u8>,
    /// Up to where `rest` has no end of a line.
    searched: usize,
    event: ServerEvent,
    /// Whether the event has a line.
    has_line: bool,
}

/// An event is longer than any of ours.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Longest line.
const LINE_BYTES_MAX: usize = 128 << 20;

impl EventReader {
    /// Adds bytes; gives the events that end with them.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, TooLong> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
            let end = self.searched + length;
            let line = self.rest[start..end].strip_suffix(b"\r").unwrap_or(&self.rest[start..end]);
            let line = String::from_utf8_lossy(line).into_owned();
            events.extend(self.line(&line));
            start = end + 1;
            self.searched = start;
        }
        self.rest.drain(..start);
        self.searched = self.rest.len();
        match self.rest.len() > LINE_BYTES_MAX {
            true => Err(TooLong),
            false => Ok(events),
        }
    }

    /// Takes one line; an empty one ends an event.
    fn line(&mut self, line: &str) -> Option<ServerEvent> {
        if line.is_empty() {
            let is_event = std::mem::take(&mut self.has_line);
            let event = std::mem::take(&mut self.event);
            return is_event.then_some(event);
        }
        self.has_line = true;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.event.id = Some(value.to_owned()),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            // A comment, and what the live tail does not use.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: Option<&str>, data: Option<&str>) -> ServerEvent {
        ServerEvent { id: id.map(str::to_owned), data: data.map(str::to_owned) }
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = "retry: 1000\nid: 1.0.0\n: listening\n\nevent: logs\r\nid: 1.2.0\r\ndata: {\"a\":\"é\"}\r\n\r\n\n: beat\n\n\
                    data:x\ndata: y\nnonsense\n\nid: unfinished\n";
        let expect = [
            event(Some("1.0.0"), None),
            event(Some("1.2.0"), Some("{\"a\":\"é\"}")),
            event(None, None),
            event(None, Some("x\ny")),
        ];
        for size in [1, 2, 3, 7, 1000] {
            let mut reader = EventReader::default();
            let read: Vec<ServerEvent> =
                text.as_bytes().chunks(size).flat_map(|bytes| reader.add(bytes).expect("short lines")).collect();
            assert_eq!(read, expect, "cut into {size}");
        }
    }

    #[test]
    fn endless_lines_are_refused() {
        let mut reader = EventReader::default();
        let megabyte = vec![b'x'; 1 << 20];
        assert!((0..200).any(|_| reader.add(&megabyte) == Err(TooLong)));
    }
}
