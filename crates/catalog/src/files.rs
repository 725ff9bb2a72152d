//! Files: numbers, live lists, snapshots, and what is left to reap.

use model::{FileId, Hour, Partition, SequenceNumber, Table, TenantId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::segments::segment;
use crate::{Catalog, CatalogError, LiveFile, Snapshot, sql};

impl Catalog {
    /// Draws `count` file numbers in a row and gives the first. Numbers are never used twice.
    pub async fn draw_file_ids(&self, count: u64) -> Result<FileId, CatalogError> {
        let mut write = self.begin_write().await?;
        let first = write.one_integer(sqlx::query(sql::DRAW_FILES).bind(count as i64)).await?;
        write.commit().await?;
        Ok(FileId(first as u64))
    }

    /// Copies what is live for a tenant, at one sequence number, in one short read transaction (I2, I5).
    pub async fn snapshot(&self, tenant: &TenantId) -> Result<Snapshot, CatalogError> {
        let mut read = self.begin_read().await?;
        let sequence: i64 = sqlx::query_scalar(sql::SEQUENCE).fetch_one(&mut *read).await.map_err(|e| self.error(e))?;
        let files = sqlx::query(sql::LIVE_FILES_OF_TENANT).bind(tenant.as_str());
        let files = files.fetch_all(&mut *read).await.map_err(|e| self.error(e))?;
        let segments = sqlx::query(sql::LIVE_SEGMENTS).fetch_all(&mut *read).await.map_err(|e| self.error(e))?;
        read.commit().await.map_err(|e| self.error(e))?;
        Ok(Snapshot {
            sequence: SequenceNumber(sequence as u64),
            files: files.iter().map(|row| self.live_file(row)).collect::<Result<_, _>>()?,
            segments: segments.iter().map(segment).collect::<Result<_, _>>().map_err(|e| self.error(e))?,
        })
    }

    /// Live files of every tenant, by number.
    pub async fn live_files(&self) -> Result<Vec<LiveFile>, CatalogError> {
        let rows = sqlx::query(sql::LIVE_FILES).fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| self.live_file(row)).collect()
    }

    /// Files that a swap removed before this time, by number: their objects may be deleted, then they are forgotten.
    pub async fn removed_files(&self, before: i64) -> Result<Vec<(FileId, Partition)>, CatalogError> {
        let query = sqlx::query(sql::REMOVED_FILES).bind(before);
        let rows = query.fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| Ok((file_id(row).map_err(|e| self.error(e))?, self.partition(row)?))).collect()
    }

    /// Every file the catalog has a row for, live or removed: a file outside is an orphan.
    pub async fn known_files(&self) -> Result<Vec<FileId>, CatalogError> {
        let query = sqlx::query_scalar(sql::KNOWN_FILES);
        let ids: Vec<i64> = query.fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        Ok(ids.into_iter().map(|id| FileId(id as u64)).collect())
    }

    /// Forgets removed files whose objects are gone. Live ones stay.
    pub async fn forget_files(&self, ids: &[FileId]) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        for id in ids {
            write.run(sqlx::query(sql::FORGET_FILE).bind(id.0 as i64)).await?;
        }
        write.commit().await
    }

    fn live_file(&self, row: &SqliteRow) -> Result<LiveFile, CatalogError> {
        let partition = self.partition(row)?;
        let read = || -> Result<LiveFile, sqlx::Error> {
            Ok(LiveFile {
                id: file_id(row)?,
                partition,
                rows: row.try_get::<i64, _>(4)? as u64,
                bytes: row.try_get::<i64, _>(5)? as u64,
                min_time: row.try_get(6)?,
                max_time: row.try_get(7)?,
                schema_version: row.try_get::<i64, _>(8)? as u16,
            })
        };
        read().map_err(|e| self.error(e))
    }

    fn partition(&self, row: &SqliteRow) -> Result<Partition, CatalogError> {
        let tenant: &str = row.try_get(1).map_err(|e| self.error(e))?;
        let tenant = TenantId::new(tenant).map_err(|_| self.corrupt(format!("tenant '{tenant}' of a file")))?;
        let number: i64 = row.try_get(2).map_err(|e| self.error(e))?;
        let table = u8::try_from(number).ok().and_then(Table::from_number);
        let table = table.ok_or_else(|| self.corrupt(format!("table number {number} of a file")))?;
        let hour = Hour(row.try_get(3).map_err(|e| self.error(e))?);
        Ok(Partition { tenant, table, hour })
    }
}

fn file_id(row: &SqliteRow) -> Result<FileId, sqlx::Error> {
    Ok(FileId(row.try_get::<i64, _>(0)? as u64))
}
