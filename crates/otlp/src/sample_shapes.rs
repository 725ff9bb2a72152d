//! The shapes of OTLP's records: field numbers, what OTLP's JSON calls them, and how their values are written there.
//! For samples alone; the walkers know their fields themselves.

/// How a field's value is written.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// In quotes.
    Text,
    /// Ids and bytes.
    Hex,
    Bool,
    Double,
    /// Of 64 bits in quotes, of 32 bare.
    Fixed,
    SignedFixed,
    Int64,
    Int32,
    Zigzag,
    Message(&'static [Field]),
    /// Numbers, packed or not.
    FixedList,
    DoubleList,
    VarintList,
}

/// One field of a message.
pub(crate) struct Field {
    pub number: u32,
    pub name: &'static str,
    pub kind: Kind,
    pub is_list: bool,
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, is_list: false }
}

const fn list(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind, is_list: true }
}

static ANY_VALUE: [Field; 7] = [
    one(1, "stringValue", Kind::Text),
    one(2, "boolValue", Kind::Bool),
    one(3, "intValue", Kind::Int64),
    one(4, "doubleValue", Kind::Double),
    one(5, "arrayValue", Kind::Message(&ARRAY)),
    one(6, "kvlistValue", Kind::Message(&KEY_VALUES)),
    one(7, "bytesValue", Kind::Hex),
];

static ARRAY: [Field; 1] = [list(1, "values", Kind::Message(&ANY_VALUE))];
static KEY_VALUES: [Field; 1] = [list(1, "values", Kind::Message(&KEY_VALUE))];
static KEY_VALUE: [Field; 2] = [one(1, "key", Kind::Text), one(2, "value", Kind::Message(&ANY_VALUE))];

const ATTRIBUTES: Kind = Kind::Message(&KEY_VALUE);

pub(crate) const LOG_RECORD: &[Field] = &[
    one(1, "timeUnixNano", Kind::Fixed),
    one(11, "observedTimeUnixNano", Kind::Fixed),
    one(2, "severityNumber", Kind::Int32),
    one(3, "severityText", Kind::Text),
    one(5, "body", Kind::Message(&ANY_VALUE)),
    list(6, "attributes", ATTRIBUTES),
    one(7, "droppedAttributesCount", Kind::Int32),
    one(8, "flags", Kind::Fixed),
    one(9, "traceId", Kind::Hex),
    one(10, "spanId", Kind::Hex),
    one(12, "eventName", Kind::Text),
];

const EVENT: &[Field] = &[
    one(1, "timeUnixNano", Kind::Fixed),
    one(2, "name", Kind::Text),
    list(3, "attributes", ATTRIBUTES),
    one(4, "droppedAttributesCount", Kind::Int32),
];

const LINK: &[Field] = &[
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    list(4, "attributes", ATTRIBUTES),
    one(5, "droppedAttributesCount", Kind::Int32),
    one(6, "flags", Kind::Fixed),
];

const STATUS: &[Field] = &[one(2, "message", Kind::Text), one(3, "code", Kind::Int32)];

pub(crate) const SPAN: &[Field] = &[
    one(1, "traceId", Kind::Hex),
    one(2, "spanId", Kind::Hex),
    one(3, "traceState", Kind::Text),
    one(4, "parentSpanId", Kind::Hex),
    one(5, "name", Kind::Text),
    one(6, "kind", Kind::Int32),
    one(7, "startTimeUnixNano", Kind::Fixed),
    one(8, "endTimeUnixNano", Kind::Fixed),
    list(9, "attributes", ATTRIBUTES),
    one(10, "droppedAttributesCount", Kind::Int32),
    list(11, "events", Kind::Message(EVENT)),
    one(12, "droppedEventsCount", Kind::Int32),
    list(13, "links", Kind::Message(LINK)),
    one(14, "droppedLinksCount", Kind::Int32),
    one(15, "status", Kind::Message(STATUS)),
    one(16, "flags", Kind::Fixed),
];

const EXEMPLAR: &[Field] = &[
    list(7, "filteredAttributes", ATTRIBUTES),
    one(2, "timeUnixNano", Kind::Fixed),
    one(3, "asDouble", Kind::Double),
    one(6, "asInt", Kind::SignedFixed),
    one(4, "spanId", Kind::Hex),
    one(5, "traceId", Kind::Hex),
];

pub(crate) const NUMBER_POINT: &[Field] = &[
    list(7, "attributes", ATTRIBUTES),
    one(2, "startTimeUnixNano", Kind::Fixed),
    one(3, "timeUnixNano", Kind::Fixed),
    one(4, "asDouble", Kind::Double),
    one(6, "asInt", Kind::SignedFixed),
    list(5, "exemplars", Kind::Message(EXEMPLAR)),
    one(8, "flags", Kind::Int32),
];

pub(crate) const HISTOGRAM_POINT: &[Field] = &[
    list(9, "attributes", ATTRIBUTES),
    one(2, "startTimeUnixNano", Kind::Fixed),
    one(3, "timeUnixNano", Kind::Fixed),
    one(4, "count", Kind::Fixed),
    one(5, "sum", Kind::Double),
    list(6, "bucketCounts", Kind::FixedList),
    list(7, "explicitBounds", Kind::DoubleList),
    list(8, "exemplars", Kind::Message(EXEMPLAR)),
    one(10, "flags", Kind::Int32),
    one(11, "min", Kind::Double),
    one(12, "max", Kind::Double),
];

const BUCKETS: &[Field] = &[one(1, "offset", Kind::Zigzag), list(2, "bucketCounts", Kind::VarintList)];

pub(crate) const EXP_HISTOGRAM_POINT: &[Field] = &[
    list(1, "attributes", ATTRIBUTES),
    one(2, "startTimeUnixNano", Kind::Fixed),
    one(3, "timeUnixNano", Kind::Fixed),
    one(4, "count", Kind::Fixed),
    one(5, "sum", Kind::Double),
    one(6, "scale", Kind::Zigzag),
    one(7, "zeroCount", Kind::Fixed),
    one(8, "positive", Kind::Message(BUCKETS)),
    one(9, "negative", Kind::Message(BUCKETS)),
    one(10, "flags", Kind::Int32),
    list(11, "exemplars", Kind::Message(EXEMPLAR)),
    one(12, "min", Kind::Double),
    one(13, "max", Kind::Double),
    one(14, "zeroThreshold", Kind::Double),
];

const QUANTILE: &[Field] = &[one(1, "quantile", Kind::Double), one(2, "value", Kind::Double)];

pub(crate) const SUMMARY_POINT: &[Field] = &[
    list(7, "attributes", ATTRIBUTES),
    one(2, "startTimeUnixNano", Kind::Fixed),
    one(3, "timeUnixNano", Kind::Fixed),
    one(4, "count", Kind::Fixed),
    one(5, "sum", Kind::Double),
    list(6, "quantileValues", Kind::Message(QUANTILE)),
    one(8, "flags", Kind::Int32),
];
