//! Reads one stream of an app, passes it on unchanged, and hands its lines over.
//!
//! The bytes go to the terminal before anything else happens to them, as they were read: lines, parts of lines, bytes
//! that are no text. A terminal that is gone does not end the sending.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::intake::Stream;
use crate::ship::{Intake, Shipper, now_unix_nano};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Silence after which a stream is over that others may still hold open, once its app has ended.
const LAST_WORDS_NANOS: i64 = 100_000_000;

/// Tells pumps that the app has ended: they read what is there and stop. Dropping it tells them.
#[derive(Debug)]
pub struct Ending(#[expect(dead_code, reason = "held until it is dropped")] OwnedFd);

/// The other end of an [`Ending`].
#[derive(Debug)]
pub struct EndingWatch(OwnedFd);

impl EndingWatch {
    /// Both ends.
    ///
    /// # Errors
    /// No pipe could be made.
    pub fn new() -> io::Result<(Ending, EndingWatch)> {
        let (watch, ending) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok((Ending(ending), EndingWatch(watch)))
    }

    /// A watch for another pump.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn try_clone(&self) -> io::Result<EndingWatch> {
        self.0.try_clone().map(EndingWatch)
    }
}

/// What woke a pump.
enum Wake {
    Readable,
    Ending,
    /// So much time has passed that something is due.
    Deadline,
    /// A signal, after which nothing is known.
    Nothing,
}

/// One stream on its way.
#[derive(Debug)]
pub struct Pump {
    /// What the app writes.
    pub input: File,
    /// Where it is passed on to, if anywhere.
    pub echo: Option<File>,
    /// What reads its lines.
    pub stream: Stream,
    /// Says when the app has ended.
    pub ending: EndingWatch,
}

impl Pump {
    /// Reads to the end. To be run on a thread of its own.
    pub fn run(mut self, shipper: &Shipper) {
        let mut buffer = vec![0; READ_BYTES];
        let mut ending = false;
        loop {
            let now = now_unix_nano();
            let deadline = self.stream.deadline().into_iter().chain(shipper.deadline()).min();
            let wait = deadline.map(|deadline| deadline.saturating_sub(now).max(0));
            match self.wait(wait, ending) {
                Wake::Nothing => {}
                Wake::Ending => ending = true,
                Wake::Deadline => {
                    let now = now_unix_nano();
                    self.stream.end_silent(now, &mut Intake { shipper, now });
                    shipper.send_if_due(now);
                    // What is due is done; silence of some length is what ends a stream that others hold open.
                    if ending && wait.is_none_or(|wait| wait >= LAST_WORDS_NANOS) {
                        break;
                    }
                }
                Wake::Readable => match self.input.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => self.take(&buffer[..count], shipper),
                    Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                    Err(_) => break,
                },
            }
        }
        let now = now_unix_nano();
        self.stream.end(now, &mut Intake { shipper, now });
        shipper.send_if_due(now);
    }

    fn take(&mut self, read: &[u8], shipper: &Shipper) {
        if let Some(echo) = &mut self.echo
            && pass_on(echo, read).is_err()
        {
            self.echo = None;
        }
        let now = now_unix_nano();
        self.stream.take(read, now, &mut Intake { shipper, now });
        self.stream.end_silent(now, &mut Intake { shipper, now });
        shipper.send_if_due(now);
    }

    /// Waits until there is something to read, the app has ended, or so many nanoseconds have passed.
    fn wait(&self, nanos: Option<i64>, ending: bool) -> Wake {
        let nanos =
            if ending { Some(nanos.map_or(LAST_WORDS_NANOS, |nanos| nanos.min(LAST_WORDS_NANOS))) } else { nanos };
        // poll counts in whole nanoseconds here; a millisecond more saves waking up twice.
        let timeout = nanos
            .map(|nanos| nanos.saturating_add(1_000_000))
            .map(|nanos| Timespec { tv_sec: nanos / 1_000_000_000, tv_nsec: nanos % 1_000_000_000 });
        let mut watched = [
            PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.ending.0.as_fd(), PollFlags::IN),
        ];
        let watched = if ending { &mut watched[..1] } else { &mut watched[..] };
        match poll(watched, timeout.as_ref()) {
            Ok(0) => Wake::Deadline,
            Ok(_) if !watched[0].revents().is_empty() => Wake::Readable,
            Ok(_) => Wake::Ending,
            Err(_) => Wake::Nothing,
        }
    }
}

/// Writes everything, also where somebody else has made the terminal non-blocking.
fn pass_on(echo: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match echo.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut watched = [PollFd::from_borrowed_fd(echo.as_fd(), PollFlags::OUT)];
                let _ = poll(&mut watched, None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
