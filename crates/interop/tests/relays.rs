//! The real browsers through `ginnel serve`: everything takes a relay, over UDP, TCP and TLS to the server; `ginnel demo` is
//! the far end.

use std::net::{IpAddr, Ipv4Addr};

use ginnel_interop::{Browser, Demo, Identity, Namespace, Scenario, Scratch, Serve, say, skip};

/// The one address of the machine on which all is.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));

/// Where a browser finds the server, and what it then says it goes by. By its address, since Chromium would ask DNS for a
/// name that has no address of IPv6; but Firefox takes no `turns:` URI with an address in it.
fn uris(browser: Browser) -> [(String, &'static str); 3] {
    let name = match browser {
        Browser::Chromium => HOST.to_string(),
        Browser::Firefox => Identity::NAME.to_string(),
    };
    [
        (format!("turn:{HOST}:3478?transport=udp"), "udp"),
        (format!("turn:{HOST}:3478?transport=tcp"), "tcp"),
        (format!("turns:{name}:5349?transport=tcp"), "tls"),
    ]
}

fn stage(browser: Browser) -> Option<Namespace> {
    let namespace = match browser.missing_for_relays() {
        Some(why) => Err(why),
        None => Namespace::new().map_err(|why| format!("no network namespace can be made: {why}")),
    };
    let namespace = namespace.inspect_err(|why| skip(why)).ok()?;
    namespace.hosts(&[(Identity::NAME, HOST)]).expect("a table of names");
    Some(namespace)
}

/// Data of every kind, audio and video there and back, over each transport to the server.
fn relayed(browser: Browser) {
    let Some(namespace) = stage(browser) else { return };
    let identity = Identity::new(&[HOST]);
    // The far end is on the machine itself.
    let options = ["--user", "user:pass", "--allow-peer", &HOST.to_string()];
    let _server = Serve::start(&namespace, &[HOST], &identity, &options);
    let scratch = Scratch::new();
    let authority = scratch.write("authority.pem", &identity.authority);
    let demo = Demo::start(&namespace, &[]);
    for (uri, protocol) in uris(browser) {
        let scenario = Scenario::contract().with_media().through(&uri, "user", "pass", &authority);
        let seen = browser.run(&namespace, demo.url(), &scenario);
        for kind in ["text", "empty", "binary", "megabyte"] {
            assert_eq!(seen["echoes"][kind], true, "{uri}: {kind} did not come back: {seen:#}");
        }
        let local = serde_json::json!({ "type": "relay", "relay": protocol });
        assert_eq!(seen["local"], local, "{uri}: {seen:#}");
        let (frames, audio) = (&seen["first"]["frames"], &seen["first"]["audio"]);
        assert!(frames.as_u64() >= Some(60) && audio.as_u64() >= Some(50), "{uri}: {seen:#}");
        let ms = |what: &str| seen["timings"][what].as_u64().unwrap_or_default();
        say(&format!(
            "{protocol}: a relay after {} ms, open {} ms after the offer, {frames} frames and {audio} audio packets \
             came back",
            ms("gathering"),
            ms("open"),
        ));
    }
}

#[test]
fn chromium_through_a_relay() {
    relayed(Browser::Chromium);
}

#[test]
fn firefox_through_a_relay() {
    relayed(Browser::Firefox);
}
