//! When a certificate ends: the second of the two times in its validity, found by walking DER as far as it.

use model::time;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Unix seconds of `notAfter`; `None` where this is no certificate.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (certificate, _) = take(certificate, SEQUENCE)?;
    let (mut signed, _) = take(certificate, SEQUENCE)?;
    if let Some((_, rest)) = take(signed, VERSION) {
        signed = rest;
    }
    // Serial number, algorithm, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, signed) = take(signed, tag)?;
    }
    let (validity, _) = take(signed, SEQUENCE)?;
    let (_, rest) = any_time(validity)?;
    any_time(rest)?.0
}

fn any_time(der: &[u8]) -> Option<(Option<i64>, &[u8])> {
    match take(der, UTC_TIME) {
        Some((text, rest)) => Some((utc_time(text), rest)),
        None => take(der, GENERALIZED_TIME).map(|(text, rest)| (generalized_time(text), rest)),
    }
}

/// The content of the element that comes first, which must have this tag, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// `YYMMDDHHMMSSZ`; two digits of the year reach from 1950 to 2049.
fn utc_time(text: &[u8]) -> Option<i64> {
    let century = if *text.first()? < b'5' { b"20" } else { b"19" };
    generalized_time(&[century, text].concat())
}

/// `YYYYMMDDHHMMSSZ`.
fn generalized_time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii() && text.len() == 15)?;
    let part = |from: usize, to: usize| &text[from..to];
    let rfc3339 =
        format!("{}-{}-{}T{}:{}:{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 15));
    // "No end", 9999-12-31, lies beyond what nanoseconds can say.
    let is_beyond = part(0, 4) > "2261";
    if is_beyond {
        Some(i64::MAX / 1_000_000_000)
    } else {
        time::parse_rfc3339(&rfc3339).map(|nanos| nanos / 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_certificates() {
        let check = |found: Option<i64>, expect: Option<i64>| assert_eq!(found, expect);
        check(utc_time(b"261121194229Z"), Some(1_795_290_149));
        check(utc_time(b"700101000000Z"), Some(0));
        check(generalized_time(b"20261121194229Z"), Some(1_795_290_149));
        check(generalized_time(b"99991231235959Z"), Some(i64::MAX / 1_000_000_000));
        check(generalized_time(b"2026112119422"), None);
        check(generalized_time(b"20269921194229Z"), None);
        check(utc_time(b""), None);
    }

    #[test]
    fn a_certificate_s_end_is_found_and_nonsense_has_none() {
        let key = rcgen::KeyPair::generate().expect("a key");
        for (year, expect) in [(2030, 1_893_456_000), (2060, 2_840_140_800)] {
            let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("parameters");
            parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
            let certificate = parameters.self_signed(&key).expect("a certificate");
            assert_eq!(not_after(certificate.der()), Some(expect));
            for length in 0..certificate.der().len().min(200) {
                let _ = not_after(&certificate.der()[..length]);
            }
        }
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(not_after(b""), None);
    }
}
