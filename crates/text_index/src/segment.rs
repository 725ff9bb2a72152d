//! The tantivy segment of an index: written term by term, and opened from slices of the index bytes.
//!
//! Terms are sorted and stripped of repeats already ([`crate::term_table`]), so they go straight into
//! tantivy's serializer of inverted indexes; its document writer would hash each of them once more. Of the
//! segment's files only the term dictionary, the postings and the (empty) positions differ between indexes;
//! the rest comes from one [`Template`].

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, OwnedBytes, RamDirectory, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::index::SegmentComponent;
use tantivy::postings::InvertedIndexSerializer;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexSettings, InvertedIndexReader, SegmentReader, TantivyDocument};

use crate::error::TextIndexError;
use crate::format::SegmentFiles;
use crate::term_table::TermTable;

/// The only field: tokens, as document numbers and nothing else.
fn schema() -> (Schema, Field) {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let mut builder = Schema::builder();
    let field = builder.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    (builder.build(), field)
}

/// Writes the inverted index of these terms.
pub(crate) fn write_segment(terms: &TermTable) -> Result<SegmentFiles<Vec<u8>>, TextIndexError> {
    let (schema, field) = schema();
    let folder = RamDirectory::create();
    let index = Index::create(folder.clone(), schema, IndexSettings::default())?;
    let segment = index.new_segment();
    let mut serializer = InvertedIndexSerializer::open(&segment)?;
    let mut writer = serializer.new_field(field, terms.posting_count(), None)?;
    terms.for_each_sorted(|term, blocks| {
        writer.new_term(term, blocks.len() as u32, false)?;
        blocks.iter().for_each(|block| writer.write_doc(*block, 1, &[]));
        writer.close_term()
    })?;
    writer.close()?;
    serializer.close()?;
    let read = |component| read_file(&folder, &segment.relative_path(component));
    Ok(SegmentFiles {
        terms: read(SegmentComponent::Terms)?,
        postings: read(SegmentComponent::Postings)?,
        positions: read(SegmentComponent::Positions)?,
    })
}

fn read_file(folder: &RamDirectory, path: &Path) -> Result<Vec<u8>, TextIndexError> {
    let file = folder.open_read(path).map_err(tantivy::TantivyError::from)?;
    Ok(file.read_bytes()?.as_slice().to_vec())
}

/// Opens an inverted index from the files of [`write_segment`].
pub(crate) fn open_segment(files: SegmentFiles<OwnedBytes>) -> Result<Arc<InvertedIndexReader>, TextIndexError> {
    let template = TEMPLATE.as_ref().map_err(|reason| TextIndexError::Tantivy(reason.clone()))?;
    let index = Index::open(SliceDirectory { template, files: Arc::new(files) })?;
    let segments = index.searchable_segments()?;
    let segment = segments.first().ok_or(TextIndexError::Damaged("no segment"))?;
    Ok(SegmentReader::open(segment)?.inverted_index(template.field)?)
}

/// What every index has alike: the files of an index of one empty document.
#[derive(Debug)]
struct Template {
    field: Field,
    meta: Vec<u8>,
    /// By extension.
    files: HashMap<String, OwnedBytes>,
}

static TEMPLATE: LazyLock<Result<Template, String>> =
    LazyLock::new(|| Template::build().map_err(|error| error.to_string()));

/// Least memory tantivy's document writer takes.
const WRITER_BYTES: usize = 15_000_000;

impl Template {
    fn build() -> Result<Template, TextIndexError> {
        let (schema, field) = schema();
        let folder = RamDirectory::create();
        let mut writer = Index::builder()
            .schema(schema)
            .single_segment_index_writer::<TantivyDocument>(folder.clone(), WRITER_BYTES)?;
        writer.add_document(TantivyDocument::default())?;
        let index = writer.finalize()?;
        let meta = folder.atomic_read(Path::new("meta.json")).map_err(tantivy::TantivyError::from)?;
        let mut files = HashMap::new();
        for segment in index.searchable_segments()? {
            for component in [SegmentComponent::Store, SegmentComponent::FastFields, SegmentComponent::FieldNorms] {
                let path = segment.relative_path(component);
                files.insert(extension(&path).to_owned(), OwnedBytes::new(read_file(&folder, &path)?));
            }
        }
        Ok(Template { field, meta, files })
    }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// A read-only directory: three files of one index, the others of the template.
#[derive(Debug, Clone)]
struct SliceDirectory {
    template: &'static Template,
    files: Arc<SegmentFiles<OwnedBytes>>,
}

fn read_only() -> io::Error {
    io::Error::from(io::ErrorKind::ReadOnlyFilesystem)
}

impl Directory for SliceDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let found = match extension(path) {
            "term" => Some(&self.files.terms),
            "idx" => Some(&self.files.postings),
            "pos" => Some(&self.files.positions),
            other => self.template.files.get(other),
        };
        let bytes = found.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(Arc::new(bytes.clone()))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(path == Path::new("meta.json") || self.get_file_handle(path).is_ok())
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        match path == Path::new("meta.json") {
            true => Ok(self.template.meta.clone()),
            false => Err(OpenReadError::FileDoesNotExist(PathBuf::from(path))),
        }
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        // Nothing here can change, so there is nothing to lock.
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
