//! Base64: written in the standard alphabet with padding, read in either alphabet with or without.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the standard, padded form.
pub fn encode(out: &mut String, bytes: &[u8]) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    let digit = |value: u32, shift: u32| ALPHABET[(value >> shift & 63) as usize] as char;
    for chunk in bytes.chunks(3) {
        let value = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        out.push(digit(value, 18));
        out.push(digit(value, 12));
        out.push(if chunk.len() > 1 { digit(value, 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(value, 0) } else { '=' });
    }
}

/// Appends the bytes of `text`, standard or URL-safe, padded or not; false (and an unspecified tail in `out`)
/// where it is neither.
pub fn decode(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let unpadded = match text {
        [rest @ .., b'=', b'='] | [rest @ .., b'='] => rest,
        _ => text,
    };
    if unpadded.len() != text.len() && !text.len().is_multiple_of(4) || unpadded.len() % 4 == 1 {
        return false;
    }
    let (mut value, mut bits) = (0_u32, 0);
    for &digit in unpadded {
        let six = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return false,
        };
        value = value << 6 | u32::from(six);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((value >> bits) as u8);
        }
    }
    true
}
