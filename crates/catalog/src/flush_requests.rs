//! Requests to flush, by which `spyhop compact --now` reaches ingest and compact.
//!
//! Life of a request: made ([`Catalog::request_flush`]) → ingest seals what it holds and says so
//! ([`Catalog::flush_to_seal`], [`Catalog::flush_sealed`]) → compact flushes the sealed segments and finishes it
//! ([`Catalog::pending_flush`], [`Catalog::finish_flush`]) → whoever asked sees [`Catalog::flush_done`].

use model::{SegmentId, SequenceNumber};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::{Catalog, CatalogError, FlushRequest, RequestId, sql};

impl Catalog {
    /// Asks that everything acknowledged so far be sealed and flushed.
    pub async fn request_flush(&self, now: i64) -> Result<RequestId, CatalogError> {
        let mut write = self.begin_write().await?;
        let id = write.one_integer(sqlx::query(sql::NEXT_FLUSH_REQUEST)).await?;
        let segment_end = write.one_integer(sqlx::query(sql::SEGMENT_NEXT)).await?;
        write.run(sqlx::query(sql::INSERT_FLUSH_REQUEST).bind(id).bind(now).bind(segment_end)).await?;
        write.commit().await?;
        Ok(RequestId(id as u64))
    }

    /// For ingest: the newest request it has not sealed for yet.
    pub async fn flush_to_seal(&self) -> Result<Option<RequestId>, CatalogError> {
        let query = sqlx::query_scalar(sql::FLUSH_TO_SEAL);
        let id: Option<i64> = query.fetch_one(self.readers()).await.map_err(|e| self.error(e))?;
        Ok(id.map(|id| RequestId(id as u64)))
    }

    /// For ingest: every segment that held a commit when it looked is sealed now, for this request and all before.
    pub async fn flush_sealed(&self, id: RequestId) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let sequence = write.sequence.0 as i64;
        write.run(sqlx::query(sql::FLUSH_SEALED).bind(id.0 as i64).bind(sequence)).await?;
        write.commit().await
    }

    /// The newest unfinished request.
    pub async fn pending_flush(&self) -> Result<Option<FlushRequest>, CatalogError> {
        let query = sqlx::query(sql::PENDING_FLUSH);
        let row = query.fetch_optional(self.readers()).await.map_err(|e| self.error(e))?;
        row.as_ref().map(|row| request(row).map_err(|e| self.error(e))).transpose()
    }

    /// For compact: this request and all before it are fulfilled.
    pub async fn finish_flush(&self, id: RequestId) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let sequence = write.sequence.0 as i64;
        write.run(sqlx::query(sql::FINISH_FLUSH).bind(id.0 as i64).bind(sequence)).await?;
        write.run(sqlx::query(sql::PRUNE_FLUSH_REQUESTS).bind(id.0 as i64)).await?;
        write.commit().await
    }

    /// Whether this request is fulfilled.
    pub async fn flush_done(&self, id: RequestId) -> Result<bool, CatalogError> {
        let query = sqlx::query_scalar(sql::FLUSH_REQUEST_UNFINISHED).bind(id.0 as i64);
        let unfinished: i64 = query.fetch_one(self.readers()).await.map_err(|e| self.error(e))?;
        Ok(unfinished == 0)
    }
}

fn request(row: &SqliteRow) -> Result<FlushRequest, sqlx::Error> {
    Ok(FlushRequest {
        id: RequestId(row.try_get::<i64, _>(0)? as u64),
        requested_at: row.try_get(1)?,
        segment_end: SegmentId(row.try_get::<i64, _>(2)? as u64),
        sealed_sequence: row.try_get::<Option<i64>, _>(3)?.map(|number| SequenceNumber(number as u64)),
    })
}
