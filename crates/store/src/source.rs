//! The bytes of one Parquet file by positioned reads, some of them fetched ahead.
//!
//! The reader of the `parquet` crate asks for one page at a time; neighbouring pages are fetched together
//! beforehand and handed out as slices, so a scan costs few system calls and no copies.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// A gap between two ranges below which both are read at once: a read of this size costs about a system call.
const GAP_BYTES_MAX: u64 = 16 << 10;

/// An open file that counts what is read from it.
#[derive(Debug)]
pub(crate) struct CountedFile {
    file: Arc<File>,
    length: u64,
    bytes_read: AtomicU64,
}

impl CountedFile {
    pub(crate) fn new(file: File) -> io::Result<CountedFile> {
        let length = file.metadata()?.len();
        Ok(CountedFile { file: Arc::new(file), length, bytes_read: AtomicU64::new(0) })
    }

    /// The same file with a count of its own.
    pub(crate) fn apart(&self) -> CountedFile {
        CountedFile { file: Arc::clone(&self.file), length: self.length, bytes_read: AtomicU64::new(0) }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        if range.start > range.end || range.end > self.length {
            // Also keeps a damaged length from asking for more memory than the file has bytes.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; (range.end - range.start) as usize];
        self.file.read_exact_at(&mut bytes, range.start)?;
        self.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.into())
    }
}

/// A file with parts of it in memory.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    file: Arc<CountedFile>,
    /// Start and bytes of each part, ascending, apart from each other.
    fetched: Arc<[(u64, Bytes)]>,
}

impl Source {
    pub(crate) fn new(file: Arc<CountedFile>) -> Source {
        Source { file, fetched: Arc::from([]) }
    }

    /// The same file with these ranges in memory.
    pub(crate) fn fetch(&self, ranges: Vec<Range<u64>>) -> io::Result<Source> {
        let parts = coalesce(ranges).into_iter().map(|range| Ok((range.start, self.file.read(range)?)));
        Ok(Source { file: self.file.clone(), fetched: parts.collect::<io::Result<_>>()? })
    }

    fn slice(&self, range: &Range<u64>) -> Option<Bytes> {
        let at = self.fetched.partition_point(|(start, _)| *start <= range.start).checked_sub(1)?;
        let (start, bytes) = &self.fetched[at];
        let (from, to) = ((range.start - start) as usize, (range.end - start) as usize);
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    }
}

/// Sorts ranges and joins those that touch or nearly do.
fn coalesce(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES_MAX) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.file.length
    }
}

impl ChunkReader for Source {
    type T = SourceRead;

    fn get_read(&self, start: u64) -> Result<SourceRead> {
        Ok(SourceRead { source: self.clone(), position: start, buffer: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let range = start..start.checked_add(length as u64).ok_or_else(|| ParquetError::EOF("a range".into()))?;
        match self.slice(&range) {
            Some(bytes) => Ok(bytes),
            None => self.file.read(range).map_err(|error| ParquetError::External(Box::new(error))),
        }
    }
}

/// Reads on from a position, for files without a page index.
pub(crate) struct SourceRead {
    source: Source,
    position: u64,
    buffer: Bytes,
}

impl Read for SourceRead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.buffer.is_empty() {
            let end = self.position.saturating_add(GAP_BYTES_MAX).min(self.source.len());
            if self.position >= end {
                return Ok(0);
            }
            self.buffer = match self.source.slice(&(self.position..end)) {
                Some(bytes) => bytes,
                None => self.source.file.read(self.position..end)?,
            };
            self.position = end;
        }
        let count = out.len().min(self.buffer.len());
        out[..count].copy_from_slice(&self.buffer.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn ranges_are_joined_when_near() {
        let check = |ranges: &[Range<u64>], expect: &[Range<u64>]| assert_eq!(coalesce(ranges.to_vec()), expect);
        let one = std::slice::from_ref::<Range<u64>>;
        check(&[], &[]);
        check(one(&(5..5)), &[]);
        check(&[10..20, 0..10], one(&(0..20)));
        check(&[0..10, 100..200], one(&(0..200)));
        check(&[0..10, 1_000_000..1_000_001], &[0..10, 1_000_000..1_000_001]);
        check(&[0..100, 20..30], one(&(0..100)));
    }

    #[test]
    fn fetched_and_unfetched_bytes_are_the_files() {
        let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&content).expect("write");
        let source = Source::new(Arc::new(CountedFile::new(file).expect("open")));
        let fetched = source.fetch(vec![10..20, 50_000..60_000]).expect("fetch");
        assert_eq!(fetched.file.bytes_read(), 10_010);
        for range in [10..20_usize, 12..13, 0..5, 15..25, 50_000..60_000, 59_999..60_001, 99_999..100_000] {
            let bytes = fetched.get_bytes(range.start as u64, range.len()).expect("bytes");
            assert_eq!(bytes, content[range]);
        }
        assert!(fetched.get_bytes(99_999, 2).is_err() && fetched.get_bytes(u64::MAX, 2).is_err());
        let mut rest = Vec::new();
        fetched.get_read(49_990).expect("read").read_to_end(&mut rest).expect("read");
        assert_eq!(rest, content[49_990..]);
    }
}
