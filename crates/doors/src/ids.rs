//! Trace and span ids in hex, as other protocols write them: either case, shorter ones padded on the left.

/// Reads an id of at most `N` bytes in hex; nothing where it is no hex, too long, or all zeros.
pub(crate) fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    if text.is_empty() || text.len() > 2 * N {
        return None;
    }
    for (place, byte) in text.bytes().rev().enumerate() {
        let digit = char::from(byte).to_digit(16)? as u8;
        id[N - 1 - place / 2] |= digit << (4 * (place % 2));
    }
    (id != [0; N]).then_some(id)
}

/// Reads a trace id as loggers write it: 32 digits, or 16 as Zipkin had them, with dashes or without.
pub(crate) fn trace_id(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|c| *c != '-').take(33).collect();
    matches!(digits.len(), 16 | 32).then(|| padded(&digits))?
}

/// Reads a span id of 16 digits.
pub(crate) fn span_id(text: &str) -> Option<[u8; 8]> {
    (text.len() == 16).then(|| padded(text))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(padded::<2>("abC1"), Some([0xab, 0xc1]));
        assert_eq!(padded::<2>("bc1"), Some([0x0b, 0xc1]));
        assert_eq!(padded::<2>("1"), Some([0, 1]));
        for text in ["", "0", "0000", "abc12", "xy", "é"] {
            assert_eq!(padded::<2>(text), None, "{text}");
        }
        assert_eq!(trace_id("4bf92f35-77b3-4da6-a3ce-929d0e0e4736").map(|id| id[0]), Some(0x4b));
        assert_eq!(trace_id("a3ce929d0e0e4736").map(|id| (id[0], id[15])), Some((0, 0x36)));
        assert_eq!((trace_id("abc"), span_id("abc"), trace_id(&"0".repeat(32))), (None, None, None));
        assert_eq!(span_id("00f067aa0ba902b7").map(|id| id[7]), Some(0xb7));
    }
}
