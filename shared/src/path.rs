//! The path of a request: one that every server reads in the same way, or none (BY-P-01, BY-P-06).

use crate::json::has_control;

/// Splits `:path` into path and query; `None` where servers disagree about what the path is.
///
/// Refused are: what does not begin with `/` (absolute form), empty segments (`//`), `.` and `..`, also encoded, `\`, `;`
/// (path parameters), a `%` that encodes nothing, and a segment that, decoded once, has `/`, `\`, `%`, a control
/// character or is no UTF-8. One `/` at the end is fine.
pub fn split(path: &[u8]) -> Option<(&str, Option<&str>)> {
    let text = core::str::from_utf8(path).ok()?;
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let inside = path.strip_prefix('/')?;
    let inside = inside.strip_suffix('/').filter(|inside| !inside.is_empty()).unwrap_or(inside);
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b';' | b'#');
    let fine = path.bytes().all(plain)
        && query.is_none_or(|query| query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'))
        && (inside.is_empty() || inside.split('/').all(is_plain));
    fine.then_some((path, query))
}

/// Undoes percent-encoding once; `None` for a `%` that encodes nothing and for what is no UTF-8.
pub fn decode(text: &str) -> Option<String> {
    // Nearly every path says what it is.
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Whether a segment is one name, however often it is decoded.
fn is_plain(segment: &str) -> bool {
    let named = |name: &str| !matches!(name, "" | "." | "..");
    if memchr::memchr(b'%', segment.as_bytes()).is_none() {
        return named(segment);
    }
    decode(segment).is_some_and(|name| {
        named(&name) && !name.bytes().any(|byte| matches!(byte, b'/' | b'\\' | b'%' | b';')) && !has_control(&name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_to_read_it_is_enough() {
        assert_eq!(split(b"/mcp"), Some(("/mcp", None)));
        assert_eq!(split(b"/"), Some(("/", None)));
        assert_eq!(split(b"/a/mcp/?x=1&y=%2e%2e;"), Some(("/a/mcp/", Some("x=1&y=%2e%2e;"))));
        assert_eq!(split(b"/a%20b/...?"), Some(("/a%20b/...", Some(""))));
    }

    #[test]
    fn two_ways_are_none() {
        for path in [
            "",
            "mcp",
            "*",
            "https://other.example/mcp",
            "//mcp",
            "//",
            "/mcp//",
            "/a//b",
            "/./mcp",
            "/x/../mcp",
            "/..",
            "/mcp/.",
            "/%2e%2e/mcp",
            "/%2E/mcp",
            "/.%2e",
            "/mcp%2f",
            "/mcp%2Fx",
            "/mcp%5cx",
            "/mcp\\x",
            "/mcp;x=1",
            "/mcp%3bx",
            "/mcp%00",
            "/mcp%0a",
            "/%252e%252e/mcp",
            "/mcp%",
            "/mcp%2",
            "/mcp%zz",
            "/mcp%ff",
            "/mcp#x",
            "/mcp?x#y",
            "/m cp",
            "/m\u{e9}",
        ] {
            assert_eq!(split(path.as_bytes()), None, "{path}");
        }
        assert_eq!(split(b"/\xff"), None);
    }
}
