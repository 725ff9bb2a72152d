//! The writer: it appends to bytes.
//!
//! A message is opened, its fields are appended, and it is closed: its length is put in afterwards. Most messages are
//! shorter than 128 bytes, for which the one byte that is kept free is enough.

/// Appends a number of variable length.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] appends.
pub fn varint_bytes(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_tag(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    put_varint(out, u64::from(field << 3 | wire_type));
}

/// Appends an integer, an enum or a boolean.
pub fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, 0);
    put_varint(out, value);
}

/// Appends a `sint32`.
pub fn put_zigzag(out: &mut Vec<u8>, field: u32, value: i32) {
    put_number(out, field, u64::from((value << 1 ^ value >> 31) as u32));
}

/// Appends eight bytes.
pub fn put_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    put_tag(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a double.
pub fn put_double(out: &mut Vec<u8>, field: u32, value: f64) {
    put_fixed64(out, field, value.to_bits());
}

/// Appends four bytes.
pub fn put_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    put_tag(out, field, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a text, bytes, or a message that is written already.
pub fn put_bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    put_tag(out, field, 2);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Bytes that [`put_bytes`] appends for a value of this length and a field below 16.
pub fn field_bytes(length: usize) -> usize {
    1 + varint_bytes(length as u64) + length
}

/// Appends the head of a message whose length is known.
pub fn put_head(out: &mut Vec<u8>, field: u32, length: usize) {
    put_tag(out, field, 2);
    put_varint(out, length as u64);
}

/// Opens a message; what is appended until [`close`] is in it.
pub fn open(out: &mut Vec<u8>, field: u32) -> usize {
    put_tag(out, field, 2);
    out.push(0);
    out.len()
}

/// Closes the message that [`open`] returned the start of.
pub fn close(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    let extra = varint_bytes(length as u64) - 1;
    if extra > 0 {
        out.resize(out.len() + extra, 0);
        out.copy_within(start..start + length, start + extra);
    }
    let mut rest = length;
    for byte in &mut out[start - 1..start + extra] {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[start + extra - 1] &= 0x7f;
}

/// Appends a message that `write` appends the fields of.
pub fn put_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let start = open(out, field);
    write(out);
    close(out, start);
}

/// Appends the fields of an `AnyValue` that is this text.
pub fn put_text_value(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, 1, text.as_bytes());
}

/// Appends the fields of an `AnyValue` that is this integer.
pub fn put_int_value(out: &mut Vec<u8>, value: i64) {
    put_number(out, 3, value as u64);
}

/// Appends a `KeyValue` as this field; `value` appends the fields of its `AnyValue`.
pub fn put_key_value(out: &mut Vec<u8>, field: u32, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_message(out, 2, value);
    });
}

/// Appends a `KeyValue` whose value is a text.
pub fn put_text(out: &mut Vec<u8>, field: u32, key: &str, text: &str) {
    put_key_value(out, field, key, |out| put_text_value(out, text));
}

/// Appends a `KeyValue` whose value is an integer.
pub fn put_int(out: &mut Vec<u8>, field: u32, key: &str, value: i64) {
    put_key_value(out, field, key, |out| put_int_value(out, value));
}

/// Appends a `KeyValue` whose value is a boolean.
pub fn put_bool(out: &mut Vec<u8>, field: u32, key: &str, value: bool) {
    put_key_value(out, field, key, |out| put_number(out, 2, u64::from(value)));
}
