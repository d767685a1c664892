use http::Request;

use super::{LinkBase, TrustedProxy};

fn base(trusted: bool, uri: &str, headers: &[(&str, &str)]) -> Option<String> {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    if trusted {
        parts.extensions.insert(TrustedProxy);
    }
    LinkBase::of(&parts).ok().map(|base| base.as_str().to_owned())
}

fn of_proxy(headers: &[(&str, &str)]) -> String {
    let headers: Vec<_> = [("Host", "inner:8081")].iter().chain(headers).copied().collect();
    base(true, "/orders/1", &headers).unwrap()
}

#[test]
fn links_name_the_host_that_the_client_used() {
    assert_eq!(base(false, "/", &[("Host", "localhost:8081")]).unwrap(), "http://localhost:8081");
    assert_eq!(base(false, "/", &[("Host", "[::1]:8081")]).unwrap(), "http://[::1]:8081");
    assert_eq!(base(false, "http://absolute:1/x", &[("Host", "other")]).unwrap(), "http://absolute:1");
    assert_eq!(base(false, "/", &[]).unwrap(), "http://localhost");
}

#[test]
fn a_host_that_would_break_out_of_a_link_is_refused() {
    for host in ["a\"b", "a/b", "a b", "", "a<b>", "user@host", &"a".repeat(256)] {
        assert_eq!(base(false, "/", &[("Host", host)]), None, "{host}");
    }
}

#[test]
fn a_stranger_cannot_choose_what_links_say() {
    let claims = [("Host", "real:1"), ("X-Forwarded-Host", "evil"), ("Forwarded", "host=evil")];
    assert_eq!(base(false, "/", &claims).unwrap(), "http://real:1");
}

#[test]
fn a_trusted_proxy_names_itself() {
    assert_eq!(of_proxy(&[("X-Forwarded-Host", "books.test")]), "http://books.test");
    assert_eq!(
        of_proxy(&[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "books.test, inner")]),
        "https://books.test"
    );
    assert_eq!(
        of_proxy(&[("X-Forwarded-Host", "books.test:1"), ("X-Forwarded-Port", "8088")]),
        "http://books.test:8088"
    );
    assert_eq!(
        of_proxy(&[
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "[::1]:9"),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Prefix", "/library/"),
        ]),
        "https://[::1]/library"
    );
}

#[test]
fn the_standard_header_comes_before_the_others() {
    assert_eq!(
        of_proxy(&[
            ("Forwarded", "for=1.2.3.4;Proto=HTTPS;host=\"books.test:8443\", for=5.6.7.8;host=x"),
            ("X-Forwarded-Host", "other"),
        ]),
        "https://books.test:8443"
    );
}

#[test]
fn what_a_trusted_proxy_says_is_not_used_when_it_is_no_address() {
    assert_eq!(of_proxy(&[("X-Forwarded-Host", "a\"b")]), "http://inner:8081");
    assert_eq!(of_proxy(&[("X-Forwarded-Host", "a"), ("X-Forwarded-Prefix", "//b")]), "http://inner:8081");
    assert_eq!(of_proxy(&[("X-Forwarded-Host", "a"), ("X-Forwarded-Port", "x")]), "http://inner:8081");
    assert_eq!(of_proxy(&[("Forwarded", "for=1.2.3.4")]), "http://inner:8081");
    assert_eq!(of_proxy(&[]), "http://inner:8081");
}
