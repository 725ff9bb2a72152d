//! Reading all that lies in a data folder and says what it is. Nothing is changed.

use std::collections::BTreeMap;
use std::path::Path;

use catalog::LiveFile;
use journal::SegmentSurvey;
use model::{FileId, Hour, Partition, SegmentId, Table, TenantId};
use store::{Layout, Name, ParquetReader, StoreError};

use crate::error::CompactError;
use crate::manifest::{MANIFEST_FORMAT, Manifest};
use crate::swap::{list_manifests, list_names, read_manifest};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Manifests, in order.
    pub manifests: Vec<Manifest>,
    /// Parquet files by number.
    pub files: BTreeMap<FileId, FoundFile>,
    /// Segments by number.
    pub segments: BTreeMap<SegmentId, SegmentSurvey>,
    /// Highest number of a file in any name, sidecars included.
    pub file_max: u64,
    /// Highest number of a segment in any name.
    pub segment_max: u64,
    /// What could not be read or is none of ours.
    pub warnings: Vec<String>,
}

/// A Parquet file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// Its name tells how far its swap came.
    pub name: Name,
    /// What its footer says, or why it does not.
    pub file: Result<LiveFile, String>,
}

/// Looks through a data folder.
///
/// # Errors
/// [`CompactError::Rebuild`] for a manifest or segment that must be understood and cannot be; [`CompactError::Store`],
/// [`CompactError::Journal`].
pub(crate) fn survey(layout: &Layout) -> Result<Survey, CompactError> {
    let mut survey = Survey::default();
    for id in list_manifests(layout)? {
        let manifest = match read_manifest(layout, id) {
            Ok(Some(manifest)) if manifest.format <= MANIFEST_FORMAT => manifest,
            Ok(Some(manifest)) => {
                let path = layout.manifest_path(id.epoch, id.counter);
                let (path, format) = (path.display(), manifest.format);
                return Err(CompactError::Rebuild(format!(
                    "{path} has format {format}, written by a newer Spyhop: use that one"
                )));
            }
            Ok(None) => continue,
            Err(error @ CompactError::Store(StoreError::Damaged { .. })) => {
                return Err(CompactError::Rebuild(format!(
                    "{error}; move it away to go on without it: records of a segment that it names may then be read \
                     twice, until that segment is deleted"
                )));
            }
            Err(error) => return Err(error),
        };
        survey.manifests.push(manifest);
    }
    survey_files(layout, &mut survey)?;
    survey_segments(layout, &mut survey)?;
    Ok(survey)
}

fn survey_segments(layout: &Layout, survey: &mut Survey) -> Result<(), CompactError> {
    for name in list_names(&layout.journal_folder())? {
        let path = layout.journal_folder().join(&name);
        let Some(id) = journal::segment_id(&path) else {
            survey.warnings.push(format!("{} is no segment and was left alone", path.display()));
            continue;
        };
        survey.segment_max = survey.segment_max.max(id.0);
        // A segment that cannot be read may hold acknowledged records: to leave it out would lose them silently.
        let found = journal::survey(&path).map_err(|error| {
            CompactError::Rebuild(format!("{error}; move {} away to go on without it", path.display()))
        })?;
        survey.segments.insert(id, found);
    }
    Ok(())
}

/// Folders between `files/` and a file: tenant, table, date, hour.
const PARTITION_DEPTH: usize = 4;

fn survey_files(layout: &Layout, survey: &mut Survey) -> Result<(), CompactError> {
    let mut folders = vec![(layout.files_folder(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let mut names = list_names(&folder)?;
        names.sort_unstable();
        if depth < PARTITION_DEPTH {
            folders.extend(names.iter().map(|name| (folder.join(name), depth + 1)).filter(|(path, _)| path.is_dir()));
            continue;
        }
        for name in names {
            survey_file(layout, &folder, &name, survey);
        }
    }
    Ok(())
}

fn survey_file(layout: &Layout, folder: &Path, name: &str, survey: &mut Survey) {
    let Some((id, extension)) =
        name.split_once('.').and_then(|(stem, kind)| Some((stem.parse::<FileId>().ok()?, kind)))
    else {
        let path = folder.join(name);
        let is_half = name.starts_with('.') && name.ends_with(".tmp");
        if !is_half {
            survey.warnings.push(format!("{} is none of Spyhop's files and was left alone", path.display()));
        }
        return;
    };
    survey.file_max = survey.file_max.max(id.0);
    let Some(kind) = [Name::Live, Name::Dead, Name::New].into_iter().find(|kind| kind.extension() == extension) else {
        return;
    };
    let found = FoundFile { name: kind, file: read_footer(layout, folder, name, id) };
    if let Some(other) = survey.files.insert(id, found) {
        survey.warnings.push(format!("file {id} is there more than once, once as .{}", other.name.extension()));
    }
}

/// What a file's footer says of it.
fn read_footer(layout: &Layout, folder: &Path, name: &str, id: FileId) -> Result<LiveFile, String> {
    let path = folder.join(name);
    // The table is in the footer; the reader needs one for look-ups that are not made here.
    let reader = ParquetReader::open_path(&path, Table::Logs).map_err(|error| error.to_string())?;
    let value = |key: &str| reader.footer_value(key).ok_or_else(|| format!("{} says no {key}", path.display()));
    let wrong = |key: &str| format!("{} says a {key} that is none", path.display());
    let table = value("spyhop.table")?.parse::<Table>().map_err(|()| wrong("spyhop.table"))?;
    let tenant = TenantId::new(value("spyhop.tenant")?).map_err(|_| wrong("spyhop.tenant"))?;
    let hour = value("spyhop.hour")?.parse().map_err(|_| wrong("spyhop.hour"))?;
    let schema_version = value("spyhop.schema_version")?.parse().map_err(|_| wrong("spyhop.schema_version"))?;
    let partition = Partition { tenant, table, hour: Hour(hour) };
    if layout.partition_folder(&partition) != folder {
        return Err(format!("{} belongs to {partition}", path.display()));
    }
    let bytes = path.metadata().map_err(|error| error.to_string())?.len();
    let rows = reader.rows() as u64;
    let reader = ParquetReader::open_path(&path, table).map_err(|error| error.to_string())?;
    let (min_time, max_time) = reader.time_bounds().unwrap_or_default();
    Ok(LiveFile { id, partition, rows, bytes, min_time, max_time, schema_version })
}
