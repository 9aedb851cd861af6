//! Where a server may send a user (MCP-S-04).

/// Whether `url` is plain `https` to one of `hosts`, or to any if there is no list.
///
/// Browsers and libraries read URLs in different ways, so what they could disagree about is refused: user names, back
/// slashes, blanks, anything outside ASCII. A name in Punycode looks like another one to people: it must be on the list.
pub(super) fn may_be_opened(url: &str, hosts: Option<&[String]>) -> bool {
    let plain = |c: u8| c.is_ascii_graphic() && !matches!(c, b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}');
    let https = url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let rest = url.get(8..).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let (host, port) = authority.rsplit_once(':').unwrap_or((&authority, "443"));
    let label = |label: &str| !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    if !https || !url.bytes().all(plain) || !host.split('.').all(label) || !port.bytes().all(|c| c.is_ascii_digit()) {
        return false;
    }
    match hosts {
        None => !host.split('.').any(|label| label.starts_with("xn--")),
        Some(hosts) => hosts.iter().any(|known| {
            let known = known.to_ascii_lowercase();
            known == authority || (port == "443" && known == host)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_to_a_host_on_the_list() {
        let hosts = ["login.example.com".to_owned(), "Pay.example:8443".to_owned(), "xn--bcher-kva.example".to_owned()];
        for (url, listed, any) in [
            ("https://login.example.com/x?y=1#z", true, true),
            ("HTTPS://LOGIN.example.com", true, true),
            ("https://login.example.com:443/", true, true),
            ("https://login.example.com:8443/", false, true),
            ("https://pay.example:8443/", true, true),
            ("https://pay.example/", false, true),
            ("https://xn--bcher-kva.example/", true, false),
            ("https://evil.example/?login.example.com", false, true),
            ("https://login.example.com.evil.example/", false, true),
            ("https://login.example.com./", false, false),
            ("https://login.example.com@evil.example/", false, false),
            ("https://login.example.com:x@evil.example/", false, false),
            ("https://login.example.com\\@evil.example/", false, false),
            ("https://login.example.com%2eevil.example/", false, false),
            ("https://lögin.example.com/", false, false),
            (" https://login.example.com/", false, false),
            ("https:/login.example.com/", false, false),
            ("https:login.example.com", false, false),
            ("http://login.example.com/", false, false),
            ("javascript:alert(1)", false, false),
            ("https://", false, false),
            ("https:///x", false, false),
            ("", false, false),
            ("httpsé://x", false, false),
        ] {
            assert_eq!((may_be_opened(url, Some(&hosts)), may_be_opened(url, None)), (listed, any), "{url}");
        }
    }
}
