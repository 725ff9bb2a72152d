//! The ledger's history: what the receipts of consumed segments said, by tenant and hour of arrival.
//!
//! A swap that consumes segments writes the hours their receipts fall into in its own transaction. So at one sequence
//! number every receipt is counted in exactly one place, here or in a live segment, as its rows are (I2). The content
//! of an hour is a text that only `journal` reads; whoever holds the lease is its one writer.

use model::{Hour, SequenceNumber, TenantId};
use sqlx::{Row, Sqlite, Transaction};

use crate::segments::segment;
use crate::sqlite::Write;
use crate::{Catalog, CatalogError, LedgerHour, Segment, sql};

/// Hours that are read at once.
const PAGE_HOURS: i64 = 8;

/// Since when the ledger counts, among the settings.
const SINCE: &str = "ledger.since";

/// There and `true` where nothing can have arrived before that: the catalog began with the ledger, and nothing of it
/// has been forgotten.
const IS_WHOLE: &str = "ledger.is_whole";

/// The ledger's history of one tenant at one sequence number. It holds a read transaction open: read it and let it go.
pub struct LedgerHistory<'c> {
    catalog: &'c Catalog,
    read: Transaction<'static, Sqlite>,
    tenant: TenantId,
    /// The number it is pinned to.
    pub sequence: SequenceNumber,
    /// Since when it counts, Unix nanoseconds: what arrived before is not in it, or not all.
    pub since: i64,
    /// Whether nothing can have arrived before.
    pub is_whole: bool,
    /// Live segments at that number: what their receipts say comes on top.
    pub segments: Vec<Segment>,
    /// The next page begins behind this hour.
    behind: Hour,
    last: Hour,
}

impl LedgerHistory<'_> {
    /// The next hours with what is known of them, in order; none at the end.
    pub async fn next(&mut self) -> Result<Vec<(Hour, String)>, CatalogError> {
        let page = sqlx::query(sql::LEDGER_HOURS)
            .bind(self.tenant.as_str())
            .bind(self.behind.0)
            .bind(self.last.0)
            .bind(PAGE_HOURS)
            .fetch_all(&mut *self.read)
            .await
            .map_err(|e| self.catalog.error(e))?;
        let hours = page.iter().map(|row| Ok((Hour(row.try_get(0)?), row.try_get(1)?)));
        let hours: Vec<(Hour, String)> =
            hours.collect::<Result<_, sqlx::Error>>().map_err(|e| self.catalog.error(e))?;
        if let Some((hour, _)) = hours.last() {
            self.behind = *hour;
        }
        Ok(hours)
    }
}

impl Catalog {
    /// Begins to read the ledger's history of a tenant from one hour to another, both inside.
    pub async fn ledger(&self, tenant: &TenantId, first: Hour, last: Hour) -> Result<LedgerHistory<'_>, CatalogError> {
        let mut read = self.begin_read().await?;
        let sequence: i64 = sqlx::query_scalar(sql::SEQUENCE).fetch_one(&mut *read).await.map_err(|e| self.error(e))?;
        let mut settings = Vec::new();
        for name in [SINCE, IS_WHOLE] {
            let setting = sqlx::query_scalar(sql::SETTING).bind(name).fetch_optional(&mut *read).await;
            settings.push(setting.map_err(|e| self.error(e))?);
        }
        let [since, is_whole]: [Option<String>; 2] = settings.try_into().unwrap_or_default();
        let segments = sqlx::query(sql::LIVE_SEGMENTS).fetch_all(&mut *read).await.map_err(|e| self.error(e))?;
        Ok(LedgerHistory {
            catalog: self,
            read,
            tenant: tenant.clone(),
            sequence: SequenceNumber(sequence as u64),
            since: since.and_then(|text| text.parse().ok()).unwrap_or_default(),
            is_whole: is_whole.as_deref() == Some("true"),
            segments: segments.iter().map(segment).collect::<Result<_, _>>().map_err(|e| self.error(e))?,
            behind: Hour(first.0.saturating_sub(1)),
            last,
        })
    }

    /// What the ledger's history says of an hour.
    pub async fn ledger_hour(&self, tenant: &TenantId, hour: Hour) -> Result<Option<String>, CatalogError> {
        let query = sqlx::query_scalar(sql::LEDGER_HOUR).bind(tenant.as_str()).bind(hour.0);
        query.fetch_optional(self.readers()).await.map_err(|e| self.error(e))
    }

    /// Forgets the hours before this one, if there are any; the ledger counts since this hour then.
    pub async fn forget_ledger(&self, before: Hour) -> Result<(), CatalogError> {
        let oldest: Option<i64> =
            sqlx::query_scalar(sql::LEDGER_OLDEST).fetch_one(self.readers()).await.map_err(|e| self.error(e))?;
        if oldest.is_none_or(|oldest| oldest >= before.0) {
            return Ok(());
        }
        let mut write = self.begin_write().await?;
        write.run(sqlx::query(sql::FORGET_LEDGER).bind(before.0)).await?;
        let since = before.start_unix_nano().to_string();
        write.run(sqlx::query(sql::SET_SETTING).bind(SINCE).bind(since)).await?;
        write.run(sqlx::query(sql::SET_SETTING).bind(IS_WHOLE).bind("false")).await?;
        write.commit().await.map(drop)
    }

    /// Begins the ledger in a catalog that has none; `is_whole` where the catalog begins, too.
    pub(crate) async fn begin_ledger(
        &self,
        transaction: &mut Transaction<'static, Sqlite>,
        is_whole: bool,
    ) -> Result<(), CatalogError> {
        for (name, value) in [(SINCE, self.now().to_string()), (IS_WHOLE, is_whole.to_string())] {
            let set = sqlx::query(sql::SET_SETTING).bind(name).bind(value);
            set.execute(&mut **transaction).await.map_err(|e| self.error(e))?;
        }
        Ok(())
    }
}

/// Says that something may have arrived before the ledger began: the catalog is made anew over what there was.
pub(crate) async fn mark_partial(write: &mut Write<'_>) -> Result<(), CatalogError> {
    write.run(sqlx::query(sql::SET_SETTING).bind(IS_WHOLE).bind("false")).await.map(drop)
}

/// Sets what is known of an hour.
pub(crate) async fn set_hour(write: &mut Write<'_>, hour: &LedgerHour) -> Result<(), CatalogError> {
    let set = sqlx::query(sql::SET_LEDGER_HOUR).bind(hour.tenant.as_str()).bind(hour.hour.0).bind(&hour.content);
    write.run(set).await.map(drop)
}
