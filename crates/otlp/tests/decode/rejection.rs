//! Data points that may not be stored, series, and rolled back requests.

use fastrand::Rng;
use model::{Signal, Table};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use otlp::{DecodeError, DecodeLimits, Encoding, RejectReason, TenantBuffer};
use prost::Message;

use super::rows::{int, text, unsigned};
use testkit::random_otlp as generate;

use super::{ARRIVAL, batch, decode, protobuf};

fn metrics(data: Vec<metric::Data>) -> Vec<u8> {
    let metrics =
        data.into_iter().map(|data| Metric { name: "m".into(), data: Some(data), ..Metric::default() }).collect();
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    MetricsData { resource_metrics }.encode_to_vec()
}

fn number(time: u64, value: Option<i64>) -> NumberDataPoint {
    NumberDataPoint {
        time_unix_nano: time,
        value: value.map(number_data_point::Value::AsInt),
        exemplars: vec![Exemplar { time_unix_nano: 5, ..Exemplar::default() }],
        ..NumberDataPoint::default()
    }
}

#[test]
fn points_are_rejected_one_by_one_with_their_exemplars() {
    let histogram = |counts: &[u64], bounds: &[f64]| {
        metric::Data::Histogram(Histogram {
            data_points: vec![HistogramDataPoint {
                time_unix_nano: 1,
                bucket_counts: counts.to_vec(),
                explicit_bounds: bounds.to_vec(),
                ..HistogramDataPoint::default()
            }],
            aggregation_temporality: 2,
        })
    };
    let check = |data: metric::Data, expect: &[(RejectReason, u32)]| {
        let (appended, _) = decode(Signal::Metrics, Encoding::Protobuf, &metrics(vec![data])).expect("valid");
        assert_eq!(appended.rejected, expect);
    };
    check(histogram(&[], &[]), &[]);
    check(histogram(&[1, 2], &[5.0]), &[]);
    check(histogram(&[1], &[]), &[]);
    check(histogram(&[1], &[5.0]), &[(RejectReason::BucketsMismatch, 1)]);
    check(histogram(&[], &[5.0]), &[(RejectReason::BucketsMismatch, 1)]);
    check(histogram(&[1, 2, 3], &[5.0, 5.0]), &[(RejectReason::BoundsNotIncreasing, 1)]);
    check(histogram(&[1, 2], &[f64::NAN]), &[(RejectReason::BoundsNotIncreasing, 1)]);
    check(histogram(&[1, 2], &[f64::INFINITY]), &[]);

    let points =
        vec![number(1, Some(1)), number(0, Some(2)), number(2, None), number(3, Some(3)), number(1 << 63, None)];
    let gauge = metric::Data::Gauge(Gauge { data_points: points.clone() });
    let (appended, batches) = decode(Signal::Metrics, Encoding::Protobuf, &metrics(vec![gauge])).expect("valid");
    assert_eq!((appended.received, appended.stored), (5, 2));
    assert_eq!(appended.rejected, [(RejectReason::TimeMissing, 1), (RejectReason::ValueMissing, 2)]);
    let points_batch = batch(&batches, Table::Points);
    assert_eq!((0..2).map(|row| int(points_batch, "value_int", row)).collect::<Vec<_>>(), [Some(1), Some(3)]);
    let exemplars = batch(&batches, Table::Exemplars);
    assert_eq!((0..2).map(|row| int(exemplars, "point_time", row)).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert_eq!((exemplars.num_rows(), batch(&batches, Table::Series).num_rows()), (2, 1));

    let sum = metric::Data::Sum(Sum { data_points: points, aggregation_temporality: 0, is_monotonic: true });
    check(sum, &[(RejectReason::TemporalityUnspecified, 5)]);
}

#[test]
fn series_are_described_once_a_segment_and_hour() {
    let hour = 3_600_000_000_000_u64;
    let gauge = |times: &[u64]| {
        let data_points = times.iter().map(|time| number(*time, Some(1))).collect();
        metrics(vec![metric::Data::Gauge(Gauge { data_points })])
    };
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let mut series_rows = |body: &[u8], forget: bool| {
        if forget {
            buffer.forget_series();
        }
        buffer.append(Signal::Metrics, Encoding::Protobuf, body, ARRIVAL).expect("valid");
        let batches = buffer.freeze().expect("fits");
        batches.iter().find(|(table, _)| *table == Table::Series).map_or(0, |(_, batch)| batch.num_rows())
    };
    assert_eq!(series_rows(&gauge(&[1, 2, 3]), false), 1);
    assert_eq!(series_rows(&gauge(&[4]), false), 0);
    assert_eq!(series_rows(&gauge(&[hour, hour + 1, 5]), false), 1);
    assert_eq!(series_rows(&gauge(&[1, hour]), true), 2);

    // A failed request described nothing.
    let mut buffer = TenantBuffer::new(DecodeLimits::default());
    let broken = [gauge(&[1]), vec![0x0a]].concat();
    assert!(buffer.append(Signal::Metrics, Encoding::Protobuf, &broken, ARRIVAL).is_err());
    let appended = buffer.append(Signal::Metrics, Encoding::Protobuf, &gauge(&[1]), ARRIVAL).expect("valid");
    assert_eq!(appended.rows, [(Table::Series, 0..1), (Table::Points, 0..1), (Table::Exemplars, 0..1)]);
}

#[test]
fn series_ids_do_not_depend_on_the_order_of_attributes() {
    let point = |keys: &[&str]| {
        let attributes = keys.iter().flat_map(|key| protobuf::field(7, &protobuf::attribute(key, &[])));
        let point: Vec<u8> = attributes.chain(protobuf::fixed64(3, 1)).chain(protobuf::fixed64(6, 1)).collect();
        protobuf::field(1, &point)
    };
    let data = [point(&["a", "b"]), point(&["b", "a"]), point(&["a", "c"])].concat();
    let body = protobuf::request(&[protobuf::field(5, &data)]);
    let (_, batches) = decode(Signal::Metrics, Encoding::Protobuf, &body).expect("valid");
    let points = batch(&batches, Table::Points);
    let ids: Vec<_> = (0..3).map(|row| unsigned(points, "series_id", row)).collect();
    assert!(ids[0] == ids[1] && ids[0] != ids[2]);
    assert_eq!(text(batch(&batches, Table::Series), "attributes", 0).as_deref(), Some(r#"{"a":null,"b":null}"#));
    assert_eq!(text(points, "metric", 0).as_deref(), Some(""));
}

/// A request, cut anywhere: an error leaves no trace in what is frozen later.
#[test]
fn a_failed_request_leaves_nothing() {
    let mut rng = Rng::with_seed(11);
    for signal in Signal::ALL {
        let mut make = || match signal {
            Signal::Traces => generate::traces(&mut rng).encode_to_vec(),
            Signal::Logs => generate::logs(&mut rng).encode_to_vec(),
            Signal::Metrics => generate::metrics(&mut rng).encode_to_vec(),
        };
        for _ in 0..60 {
            let (first, cut, last) = (make(), make(), make());
            let append =
                |buffer: &mut TenantBuffer, body: &[u8]| buffer.append(signal, Encoding::Protobuf, body, ARRIVAL);
            let mut clean = TenantBuffer::new(DecodeLimits::default());
            let mut tried = TenantBuffer::new(DecodeLimits::default());
            let expect = (append(&mut clean, &first).expect("valid"), append(&mut clean, &last).expect("valid"));
            let first = append(&mut tried, &first).expect("valid");
            for end in (1..cut.len()).step_by(cut.len() / 7 + 1) {
                // Cut between two resources, what is left is a request too.
                if decode(signal, Encoding::Protobuf, &cut[..end]).is_err() {
                    let result = append(&mut tried, &cut[..end]);
                    assert!(matches!(result, Err(DecodeError::Malformed { .. })));
                }
            }
            let found = (first, append(&mut tried, &last).expect("valid"));
            assert_eq!(found, expect);
            assert_eq!(tried.bytes(), clean.bytes());
            let (tried, clean) = (tried.freeze().expect("fits"), clean.freeze().expect("fits"));
            assert!(tried == clean, "{signal}");
            // Dictionaries hold no text of what failed.
            let texts = |batches: &[(Table, arrow::array::RecordBatch)]| -> Vec<usize> {
                use arrow::array::AsArray;
                let columns = batches.iter().flat_map(|(_, batch)| batch.columns());
                columns.filter_map(|column| column.as_any_dictionary_opt()).map(|d| d.values().len()).collect()
            };
            assert_eq!(texts(&tried), texts(&clean));
        }
    }
}
