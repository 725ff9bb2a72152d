//! Server-sent events as they come: their order, their pauses and their ends are what tests look at.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// One event, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerEvent {
    /// `event:`.
    pub name: String,
    /// `id:`.
    pub id: Option<String>,
    /// `data:`, lines joined.
    pub data: String,
    /// Comments.
    pub comment: String,
}

/// An answer that goes on.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: String,
    ready: VecDeque<ServerEvent>,
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Events {
        Events { body, text: String::new(), ready: VecDeque::new() }
    }

    /// The next event; none once the server has ended the answer.
    ///
    /// # Errors
    /// When nothing comes for `patience`, or the connection breaks.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<ServerEvent>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let frame = tokio::time::timeout(patience, self.body.frame()).await;
            let Some(frame) = frame.with_context(|| format!("no event within {patience:?}"))? else { return Ok(None) };
            let frame = frame.context("the connection broke")?;
            if let Some(bytes) = frame.data_ref() {
                self.text.push_str(std::str::from_utf8(bytes).context("a chunk cuts a character")?);
                self.take_whole()?;
            }
        }
    }

    fn take_whole(&mut self) -> Result<()> {
        while let Some((block, rest)) = self.text.split_once("\n\n") {
            let mut event = ServerEvent::default();
            for line in block.lines() {
                let Some((name, value)) = line.split_once(':') else { bail!("no field: {line}") };
                let value = value.strip_prefix(' ').unwrap_or(value);
                match name {
                    "event" => event.name = value.to_owned(),
                    "id" => event.id = Some(value.to_owned()),
                    "data" => event.data.push_str(value),
                    "" => event.comment.push_str(value),
                    "retry" => {}
                    _ => bail!("an unknown field: {line}"),
                }
            }
            self.ready.push_back(event);
            self.text = rest.to_owned();
        }
        Ok(())
    }
}
