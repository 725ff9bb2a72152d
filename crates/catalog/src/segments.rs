//! Segments: drawn, listed, sealed, retired, forgotten.

use model::{SegmentId, SequenceNumber};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row, Sqlite};

use crate::sql::{self, segment_state};
use crate::{Catalog, CatalogError, Quarantined, Segment, SegmentState};

/// A query for a column of integers.
type Integers<'q> = sqlx::query::QueryScalar<'q, Sqlite, i64, SqliteArguments>;

impl Catalog {
    /// Draws a number for a segment that is about to be created. Numbers only grow and are never used twice.
    pub async fn draw_segment(&self, _now: i64) -> Result<SegmentId, CatalogError> {
        let mut write = self.begin_write().await?;
        let id = write.one_integer(sqlx::query(sql::DRAW_SEGMENT)).await?;
        write.commit().await?;
        Ok(SegmentId(id as u64))
    }

    /// Lists a segment whose file is durable, so that readers look at it.
    pub async fn list_segment(&self, id: SegmentId, now: i64) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let sequence = write.sequence.0 as i64;
        let statement = sqlx::query(sql::INSERT_SEGMENT)
            .bind(id.0 as i64)
            .bind(segment_state::LISTED)
            .bind(0_i64)
            .bind(0_i64)
            .bind(now)
            .bind(None::<i64>)
            .bind(sequence)
            .bind(None::<i64>);
        write.run(statement).await?;
        write.commit().await
    }

    /// Seals a listed segment at `length` bytes holding `rows` rows. Sealing it again at the same length is fine.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSegment`] where it is not listed, or sealed at another length.
    pub async fn seal_segment(
        &self,
        id: SegmentId,
        length: u64,
        rows: u64,
        now: i64,
    ) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let statement = sqlx::query(sql::SEAL_SEGMENT)
            .bind(id.0 as i64)
            .bind(length as i64)
            .bind(rows as i64)
            .bind(now)
            .bind(write.sequence.0 as i64);
        if write.run(statement).await? == 0 {
            let sealed_at = write.integer(sqlx::query(sql::SEGMENT_SEALED_AS).bind(id.0 as i64)).await?;
            if sealed_at != Some(length as i64) {
                return Err(CatalogError::UnknownSegment(id));
            }
        }
        write.commit().await
    }

    /// Unlists a segment that holds no row: one kept ahead and never used. Its file may go afterwards.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSegment`] where it is not live or holds rows.
    pub async fn drop_segment(&self, id: SegmentId) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        if write.run(sqlx::query(sql::DROP_SEGMENT).bind(id.0 as i64)).await? == 0 {
            return Err(CatalogError::UnknownSegment(id));
        }
        write.commit().await
    }

    /// Puts the sealed copy `new` in the place of `old`, in one transaction (I12).
    ///
    /// `new` must be durable at `length` bytes, drawn and not listed. `old` is kept for its grace.
    ///
    /// # Errors
    /// [`CatalogError::UnknownSegment`] where `old` is not live.
    pub async fn replace_segment(
        &self,
        old: SegmentId,
        new: SegmentId,
        length: u64,
        rows: u64,
        now: i64,
    ) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let sequence = write.sequence.0 as i64;
        let retire =
            sqlx::query(sql::RETIRE_SEGMENT).bind(old.0 as i64).bind(segment_state::REPLACED).bind(now).bind(sequence);
        if write.run(retire).await? == 0 {
            return Err(CatalogError::UnknownSegment(old));
        }
        let insert = sqlx::query(sql::INSERT_SEGMENT)
            .bind(new.0 as i64)
            .bind(segment_state::SEALED)
            .bind(length as i64)
            .bind(rows as i64)
            .bind(now)
            .bind(Some(now))
            .bind(sequence)
            .bind(Some(sequence));
        write.run(insert).await?;
        write.commit().await
    }

    /// Live segments, by number.
    pub async fn segments(&self) -> Result<Vec<Segment>, CatalogError> {
        let rows = sqlx::query(sql::LIVE_SEGMENTS).fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        rows.iter().map(segment).collect::<Result<_, _>>().map_err(|e| self.error(e))
    }

    /// Segments consumed before this time that the catalog still knows, by number, quarantined ones among them: with
    /// the live ones they are the source of digests.
    pub async fn consumed_segments(&self, before: i64) -> Result<Vec<SegmentId>, CatalogError> {
        self.segment_ids(sqlx::query_scalar(sql::SEGMENTS_IN_STATE).bind(segment_state::CONSUMED).bind(before)).await
    }

    /// Segments replaced by a copy before this time, by number.
    ///
    /// Their commits are in the copy; what they hold beyond it was never acknowledged, so no digest of theirs counts.
    pub async fn replaced_segments(&self, before: i64) -> Result<Vec<SegmentId>, CatalogError> {
        self.segment_ids(sqlx::query_scalar(sql::SEGMENTS_IN_STATE).bind(segment_state::REPLACED).bind(before)).await
    }

    /// For the reaper: segments consumed or replaced before this time, by number. Their files may be deleted, then
    /// they are forgotten. Quarantined ones are not among them.
    pub async fn retired_segments(&self, before: i64) -> Result<Vec<SegmentId>, CatalogError> {
        self.segment_ids(sqlx::query_scalar(sql::RETIRED_SEGMENTS).bind(before)).await
    }

    async fn segment_ids(&self, query: Integers<'_>) -> Result<Vec<SegmentId>, CatalogError> {
        let ids: Vec<i64> = query.fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        Ok(ids.into_iter().map(|id| SegmentId(id as u64)).collect())
    }

    /// Segments taken out of the live set with damage in them, by number.
    pub async fn quarantined_segments(&self) -> Result<Vec<Quarantined>, CatalogError> {
        let rows = sqlx::query(sql::QUARANTINED_SEGMENTS).fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        let quarantined = |row: &SqliteRow| -> Result<Quarantined, sqlx::Error> {
            Ok(Quarantined {
                id: SegmentId(row.try_get::<i64, _>(0)? as u64),
                reason: row.try_get(1)?,
                since: row.try_get(2)?,
            })
        };
        rows.iter().map(quarantined).collect::<Result<_, _>>().map_err(|e| self.error(e))
    }

    /// Every segment the catalog has a row for, live or not: a segment file outside is an orphan.
    pub async fn known_segments(&self) -> Result<Vec<SegmentId>, CatalogError> {
        self.segment_ids(sqlx::query_scalar(sql::KNOWN_SEGMENTS)).await
    }

    /// Forgets retired segments whose files are gone. Live and quarantined ones stay.
    pub async fn forget_segments(&self, ids: &[SegmentId]) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        for id in ids {
            write.run(sqlx::query(sql::FORGET_SEGMENT).bind(id.0 as i64)).await?;
        }
        write.commit().await
    }
}

/// A row of [`sql::LIVE_SEGMENTS`].
pub(crate) fn segment(row: &SqliteRow) -> Result<Segment, sqlx::Error> {
    let state = match row.try_get::<i64, _>(1)? {
        segment_state::LISTED => SegmentState::Listed,
        _ => SegmentState::Sealed,
    };
    Ok(Segment {
        id: SegmentId(row.try_get::<i64, _>(0)? as u64),
        state,
        length: row.try_get::<i64, _>(2)? as u64,
        rows: row.try_get::<i64, _>(3)? as u64,
        created_at: row.try_get(4)?,
        sealed_at: row.try_get(5)?,
        sealed_sequence: row.try_get::<Option<i64>, _>(6)?.map(|number| SequenceNumber(number as u64)),
    })
}
