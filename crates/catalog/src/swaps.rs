//! Leases and swaps: who may change the live set, and the change itself.

use std::collections::BTreeSet;

use model::{LeaseEpoch, SequenceNumber};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::sqlite::Write;
use crate::{Catalog, CatalogError, LiveFile, Swap, SwapId, ledger, sql};

impl Catalog {
    /// Takes a lease: raises its epoch, which fences every earlier owner at once.
    pub async fn acquire_lease(&self, name: &str, owner: &str) -> Result<LeaseEpoch, CatalogError> {
        let mut write = self.begin_write().await?;
        let raise = sqlx::query(sql::RAISE_LEASE).bind(name).bind(owner).bind(self.now());
        let epoch = write.one_integer(raise).await?;
        write.commit().await?;
        Ok(LeaseEpoch(epoch as u64))
    }

    /// Commits a swap: from the returned number on, what it adds is live and what it removes and consumes is not.
    ///
    /// # Errors
    /// [`CatalogError::Fenced`] where the lease has passed on, [`CatalogError::InputGone`] where an input is not
    /// live: then nothing happened. After any other error ask [`Catalog::is_swap_committed`].
    pub async fn swap(&self, swap: &Swap) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        let epoch = write.integer(sqlx::query(sql::LEASE_EPOCH).bind(&swap.lease_name)).await?;
        if epoch != Some(swap.epoch.0 as i64) {
            return Err(CatalogError::Fenced { lease: swap.lease_name.clone(), epoch: swap.epoch });
        }
        remove_inputs(&mut write, swap).await?;
        let sequence = write.sequence.0 as i64;
        for file in &swap.add {
            insert_file(&mut write, file).await?;
        }
        for hour in &swap.ledger {
            ledger::set_hour(&mut write, hour).await?;
        }
        let insert = sqlx::query(sql::INSERT_SWAP)
            .bind(swap.epoch.0 as i64)
            .bind(swap.counter as i64)
            .bind(sequence)
            .bind(swap.now);
        write.run(insert).await?;
        write.commit().await
    }

    /// Whether this swap has been committed.
    pub async fn is_swap_committed(&self, epoch: LeaseEpoch, counter: u64) -> Result<bool, CatalogError> {
        let query = sqlx::query(sql::SWAP_COMMITTED).bind(epoch.0 as i64).bind(counter as i64);
        Ok(query.fetch_optional(self.readers()).await.map_err(|e| self.error(e))?.is_some())
    }

    /// The numbers of every committed swap.
    pub async fn committed_swaps(&self) -> Result<BTreeSet<SwapId>, CatalogError> {
        let rows = sqlx::query(sql::SWAPS).fetch_all(self.readers()).await.map_err(|e| self.error(e))?;
        rows.iter().map(|row| swap_id(row).map_err(|e| self.error(e))).collect()
    }

    /// Forgets committed swaps whose manifests are gone. The last one stays, whatever is asked: a start finishes it.
    pub async fn forget_swaps(&self, ids: &[SwapId]) -> Result<SequenceNumber, CatalogError> {
        let mut write = self.begin_write().await?;
        for id in ids {
            write.run(sqlx::query(sql::FORGET_SWAP).bind(id.epoch.0 as i64).bind(id.counter as i64)).await?;
        }
        write.commit().await
    }

    /// The committed swap with the highest number, by epoch then counter.
    pub async fn last_swap(&self) -> Result<Option<SwapId>, CatalogError> {
        let query = sqlx::query(sql::LAST_SWAP);
        let row = query.fetch_optional(self.readers()).await.map_err(|e| self.error(e))?;
        row.map(|row| swap_id(&row).map_err(|e| self.error(e))).transpose()
    }
}

/// Adds a live file.
pub(crate) async fn insert_file(write: &mut Write<'_>, file: &LiveFile) -> Result<(), CatalogError> {
    let insert = sqlx::query(sql::INSERT_FILE)
        .bind(file.id.0 as i64)
        .bind(file.partition.tenant.as_str())
        .bind(i64::from(file.partition.table.number()))
        .bind(file.partition.hour.0)
        .bind(file.rows as i64)
        .bind(file.bytes as i64)
        .bind(file.min_time)
        .bind(file.max_time)
        .bind(i64::from(file.schema_version))
        .bind(write.sequence.0 as i64);
    write.run(insert).await.map(drop)
}

fn swap_id(row: &SqliteRow) -> Result<SwapId, sqlx::Error> {
    let epoch = LeaseEpoch(row.try_get::<i64, _>(0)? as u64);
    Ok(SwapId { epoch, counter: row.try_get::<i64, _>(1)? as u64 })
}

/// Takes the inputs out of the live set; each must be live.
async fn remove_inputs(write: &mut Write<'_>, swap: &Swap) -> Result<(), CatalogError> {
    let sequence = write.sequence.0 as i64;
    for id in &swap.remove {
        let remove = sqlx::query(sql::REMOVE_FILE).bind(id.0 as i64).bind(swap.now).bind(sequence);
        if write.run(remove).await? == 0 {
            return Err(CatalogError::InputGone(format!("file {id}")));
        }
    }
    for id in &swap.consume {
        let reason = swap.quarantine.iter().find(|(damaged, _)| damaged == id).map(|(_, reason)| reason.as_str());
        let consume = sqlx::query(sql::CONSUME_SEGMENT).bind(id.0 as i64).bind(swap.now).bind(sequence).bind(reason);
        if write.run(consume).await? == 0 {
            return Err(CatalogError::InputGone(format!("segment {id}")));
        }
    }
    Ok(())
}
