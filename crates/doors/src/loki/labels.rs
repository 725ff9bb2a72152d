//! Labels as a text: `{app="cart", level="info"}`, values quoted as Go quotes them.

/// Feeds the labels of a text in order; the error says what is wrong with it.
pub(super) fn read(text: &str, mut feed: impl FnMut(&str, &str)) -> Result<(), &'static str> {
    const FORM: &str = "labels must be a text such as {app=\"cart\"}";
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or(FORM)?;
    let mut rest = inner.trim_start();
    let mut value = String::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(FORM)?;
        let name = name.trim().trim_matches('"');
        if name.is_empty() || name.contains(['"', ',', '{', '}']) {
            return Err("a label has no name");
        }
        value.clear();
        let after =
            quoted(after.trim_start(), &mut value).ok_or("the value of a label is not quoted as it should be")?;
        feed(name, &value);
        rest = after.trim_start();
        if rest.is_empty() {
            break;
        }
        rest = rest.strip_prefix(',').ok_or(FORM)?.trim_start();
    }
    Ok(())
}

/// Reads a quoted text and returns what follows it.
fn quoted<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    if let Some(raw) = text.strip_prefix('`') {
        let (value, rest) = raw.split_once('`')?;
        out.push_str(value);
        return Some(rest);
    }
    let mut rest = text.strip_prefix('"')?;
    // Bytes of escapes in octal and hex, which are UTF-8 only together.
    let mut bytes = Vec::new();
    loop {
        let end = rest.find(['"', '\\'])?;
        bytes.extend_from_slice(&rest.as_bytes()[..end]);
        if rest.as_bytes()[end] == b'"' {
            out.push_str(&String::from_utf8_lossy(&bytes));
            return Some(&rest[end + 1..]);
        }
        rest = escape(&rest[end + 1..], &mut bytes)?;
    }
}

/// Reads what follows a backslash and returns the rest.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Option<&'a str> {
    let kind = *text.as_bytes().first()?;
    let number = |digits: usize, radix: u32, from: usize| {
        let text = text.get(from..from + digits)?;
        text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, radix).ok())?
    };
    let mut character = |digits: usize| {
        let character = char::from_u32(number(digits, 16, 1)?)?;
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        text.get(digits + 1..)
    };
    let plain = match kind {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'\\' | b'"' | b'\'' => kind,
        b'u' => return character(4),
        b'U' => return character(8),
        b'x' => {
            out.push(number(2, 16, 1)? as u8);
            return text.get(3..);
        }
        b'0'..=b'7' => {
            out.push(u8::try_from(number(3, 8, 0)?).ok()?);
            return text.get(3..);
        }
        _ => return None,
    };
    out.push(plain);
    text.get(1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        let check = |text: &str, expect: Option<&[(&str, &str)]>| {
            let mut found = Vec::new();
            let read = read(text, |name, value| found.push((name.to_owned(), value.to_owned())));
            let expect = expect.map(|labels| {
                labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(read.ok().map(|()| found), expect, "{text}");
        };
        check("{}", Some(&[]));
        check(" { } ", Some(&[]));
        check(r#"{app="cart"}"#, Some(&[("app", "cart")]));
        check(r#"{app = "cart" , b="",}"#, Some(&[("app", "cart"), ("b", "")]));
        check(r#"{a="x\"y\\,}=",b="é\t\u00e9\xc3\xa9\303\251"}"#, Some(&[("a", "x\"y\\,}="), ("b", "é\téé\u{e9}")]));
        check("{a=`x\"\\`}", Some(&[("a", "x\"\\")]));
        check(r#"{"a.b"="c"}"#, Some(&[("a.b", "c")]));
        for text in [
            "",
            "app=\"a\"",
            "{app}",
            "{app=a}",
            "{=\"a\"}",
            "{a=\"b\"",
            "{a=\"b}",
            "{a=\"b\" c=\"d\"}",
            r#"{a="\q"}"#,
            r#"{a="\x4"}"#,
            r#"{a="\u12"#,
        ] {
            check(text, None);
        }
    }
}
