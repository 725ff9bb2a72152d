//! What a question sees while files are renamed and removed, and while the journal is cut.

use catalog::SegmentState;
use journal::{End, SegmentReader, segment_path};
use model::{Table, TenantId};
use store::Name;

use super::fixture::{Folder, NOW, log_batch, logs};
use crate::{LogSearch, QueryError, QueryService, QuerySettings};

async fn count(service: &QueryService) -> Result<(usize, bool), QueryError> {
    let search = LogSearch { limit: 5_000, ..LogSearch::default() };
    let answer = service.search_logs(&TenantId::default(), search).await?;
    let request = api::SqlRequest { query: "select count(body) from logs".into(), limit: None };
    let by_sql = service.sql(&TenantId::default(), request).await?;
    assert_eq!(by_sql.rows[0][0], answer.logs.len());
    Ok((answer.logs.len(), answer.completeness.complete))
}

#[tokio::test]
async fn files_are_read_under_any_name_and_never_skipped() {
    let folder = Folder::new().await;
    folder.add_file(Table::Logs, &log_batch(&logs(800, 6))).await;
    folder.append(Table::Logs, &log_batch(&logs(100, 7)), 10).await;
    let service = folder.service();
    assert_eq!(count(&service).await, Ok((900, true)));
    let snapshot = folder.catalog.snapshot(&TenantId::default()).await.expect("read");
    let file = &snapshot.files[0];
    let path = |name: Name| folder.layout.files_path(&file.partition, file.id, name);
    for (from, to) in [(Name::Live, Name::Dead), (Name::Dead, Name::New), (Name::New, Name::Live)] {
        std::fs::rename(path(from), path(to)).expect("renamed");
        assert_eq!(count(&service).await, Ok((900, true)), "as {to:?}");
    }
    std::fs::write(path(Name::New), b"not parquet").expect("written");
    assert_eq!(count(&service).await, Ok((900, true)), "the live name comes first");
    std::fs::remove_file(path(Name::New)).expect("removed");
    std::fs::remove_file(path(Name::Live)).expect("removed");
    assert!(matches!(count(&service).await, Err(QueryError::Internal(_))));
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let folder = Folder::new().await;
    folder.add_file(Table::Logs, &log_batch(&logs(800, 6))).await;
    folder.append(Table::Logs, &log_batch(&logs(100, 7)), 10).await;
    let snapshot = folder.catalog.snapshot(&TenantId::default()).await.expect("read");
    let path = folder.layout.files_path(&snapshot.files[0].partition, snapshot.files[0].id, Name::Live);
    std::fs::write(path, b"not parquet").expect("written");
    let search = LogSearch { limit: 5_000, ..LogSearch::default() };
    let answer = folder.service().search_logs(&TenantId::default(), search).await.expect("an answer");
    assert_eq!((answer.logs.len(), answer.completeness.complete), (100, false));
    assert!(answer.completeness.incomplete_because[0].contains("damaged"), "{:?}", answer.completeness);
}

#[tokio::test]
async fn rows_beyond_a_sealed_length_are_dropped() {
    let folder = Folder::new().await;
    folder.append(Table::Logs, &log_batch(&logs(300, 7)), 10).await;
    let service = folder.service();
    assert_eq!(count(&service).await, Ok((300, true)));
    let segments = folder.catalog.segments().await.expect("read");
    let listed = segments.iter().filter(|segment| segment.state == SegmentState::Listed);
    let readers = listed.map(|segment| {
        let path = segment_path(&folder.layout.journal_folder(), segment.id);
        (segment.id, SegmentReader::open(&path).expect("opens"))
    });
    for (id, reader) in readers {
        let ends: Vec<u64> = reader
            .read_from(reader.start(), End::Live)
            .expect("read")
            .map(|commit| commit.expect("a commit").end())
            .collect();
        if let Some(end) = ends.get(19) {
            folder.catalog.seal_segment(id, *end, 200, NOW).await.expect("sealed");
        }
    }
    assert_eq!(count(&service).await, Ok((200, true)));
    assert_eq!(count(&folder.service()).await, Ok((200, true)));
}

#[tokio::test]
async fn a_tail_beyond_the_budget_is_said_to_be_incomplete() {
    let folder = Folder::new().await;
    folder.append(Table::Logs, &log_batch(&logs(3_000, 7)), 500).await;
    let mut settings = QuerySettings::default();
    settings.engine.tail_bytes_max = 64 << 10;
    let service = QueryService::open(settings, folder.layout.clone(), folder.catalog.clone()).expect("opens");
    for _ in 0..2 {
        let (found, is_complete) = count(&service).await.expect("an answer");
        assert!(found < 3_000 && !is_complete);
    }
}
