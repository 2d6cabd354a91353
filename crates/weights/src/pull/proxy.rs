//! Which proxy a request goes through: the usual variables of the environment, read as curl reads them.
//!
//! `https_proxy` for https, `http_proxy` for http, else `all_proxy`, each also in capitals; `http://`, `https://`,
//! `socks4://` and `socks5://` (and `socks4a://`, `socks5h://`, which look up names at the proxy). `no_proxy` lists
//! what is reached directly: `example.com` is that host and all below it, `*` is everything.

use ureq::Proxy;

/// The proxy for an address, if there is one; `variable` looks into the environment. The error says what to change,
/// without the value, which may hold a password.
pub(super) fn of(
    url: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, String> {
    let either = |name: &str| {
        let value = variable(name).or_else(|| variable(&name.to_uppercase()))?;
        (!value.trim().is_empty()).then(|| value.trim().to_string())
    };
    let own = match url.starts_with("https:") {
        true => "https_proxy",
        false => "http_proxy",
    };
    let named = [own, "all_proxy"]
        .into_iter()
        .find_map(|name| Some((name, either(name)?)));
    let Some((name, value)) = named else {
        return Ok(None);
    };
    let proxy = Proxy::new(&value)
        .and_then(|proxy| with_exceptions(&proxy, either("no_proxy").as_deref()))
        .map_err(|_| {
            format!("the proxy in {name} is not an address such as http://host:port; correct it")
        })?;
    let direct = url.parse().is_ok_and(|uri| proxy.is_no_proxy(&uri));
    Ok((!direct).then_some(proxy))
}

/// A proxy that is not used for some hosts.
fn with_exceptions(named: &Proxy, exceptions: Option<&str>) -> Result<Proxy, ureq::Error> {
    let mut builder = Proxy::builder(named.protocol())
        .host(named.host())
        .port(named.port());
    if let Some(username) = named.username() {
        builder = builder.username(username);
    }
    if let Some(password) = named.password() {
        builder = builder.password(password);
    }
    builder = builder.resolve_target(named.resolve_target());
    let hosts = exceptions.unwrap_or_default().split([',', ' ']);
    for host in hosts.filter(|host| !host.is_empty()) {
        builder = builder.no_proxy(host);
        if !host.starts_with(['.', '*']) {
            builder = builder.no_proxy(&format!(".{host}"));
        }
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(url: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_string())
        };
        Ok(of(url, find)?.map(|proxy| format!("{}:{}", proxy.host(), proxy.port())))
    }

    #[test]
    fn the_proxy_of_the_scheme_goes_before_that_of_all() {
        let variables = [
            ("https_proxy", "http://a:1"),
            ("HTTP_PROXY", "b:2"),
            ("ALL_PROXY", "http://c:3"),
        ];
        for (url, variables, expected) in [
            ("https://x/", &variables[..], Some("a:1")),
            ("http://x/", &variables, Some("b:2")),
            ("https://x/", &variables[1..], Some("c:3")),
            ("http://x/", &variables[2..], Some("c:3")),
            ("https://x/", &variables[1..2], None),
            ("https://x/", &[("https_proxy", "")], None),
        ] {
            assert_eq!(
                host(url, variables).unwrap().as_deref(),
                expected,
                "{url} {variables:?}"
            );
        }
    }

    #[test]
    fn hosts_can_be_excepted_with_all_below_them() {
        for (exceptions, direct) in [
            ("hub.example", true),
            ("example", true),
            ("a.b, .example", true),
            ("*", true),
            ("xample", false),
            ("hub.example.org", false),
        ] {
            let variables = [("https_proxy", "http://a:1"), ("NO_PROXY", exceptions)];
            let proxy = host("https://hub.example/file", &variables).unwrap();
            assert_eq!(proxy.is_none(), direct, "{exceptions}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_named_without_its_password() {
        let socks = [("all_proxy", "socks5://s:1080")];
        assert_eq!(
            host("https://x/", &socks).unwrap().as_deref(),
            Some("s:1080")
        );
        let message = host("https://x/", &[("https_proxy", "gopher://u:secret@p")]).unwrap_err();
        assert!(
            message.contains("https_proxy") && !message.contains("secret"),
            "{message}"
        );
    }
}
