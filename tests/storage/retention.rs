//! Records go when they are older than their signal is kept, and not before.

use testkit::{Server, ServerSettings, now_unix_nano};

use super::sent::{HOUR, Sender};
use crate::TestResult;

#[tokio::test]
async fn each_signal_is_kept_as_long_as_its_retention_says() -> TestResult {
    let settings = ServerSettings::default()
        .with("SPYHOP_COMPACT_RETENTION", "2d")
        .with("SPYHOP_COMPACT_RETENTION_LOGS", "5h")
        .with("SPYHOP_COMPACT_RETENTION_METRICS", "20h");
    let mut server = Server::start(settings).await?;
    let client = server.client();
    let now = now_unix_nano();
    let mut sender = Sender::new(client.clone(), 330);
    for hours in [40, 30, 10, 3, 0] {
        sender.send(now - hours * HOUR, 50).await?;
    }
    server.compact_now().await?;
    // Retention is looked after at a start and every minute.
    server.stop().await?;
    server.launch()?;
    server.wait_until_ready().await?;
    let count = async |table: &str| client.sql_count(&format!("select count(*) from {table}")).await;
    let mut left = [0; 3];
    for _ in 0..100 {
        left = [count("logs").await?, count("points").await?, count("spans").await?];
        if left == [100, 150, 250] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(left, [100, 150, 250], "logs of 5 hours, points of 20, all spans");
    let metrics = client.get("/metrics").await?.text();
    assert!(metrics.contains("spyhop_retention_rows_total"), "{metrics}");
    assert!(!server.files(".dead").is_empty(), "objects stay for a grace");
    Ok(())
}
