//! The real browsers against `ginnel demo`.
//!
//! What is timed here is not asserted tightly: 2 s from the click is what the project promises on an idle machine, and
//! these tests run one at a time.

use ginnel_interop::{Browser, Demo, Namespace, Scenario, Screenshot, say, skip};
use serde_json::Value;

/// A namespace and a demo in it, unless this machine cannot have them.
fn stage(browser: Browser, demo: &[&str]) -> Option<(Namespace, Demo)> {
    if let Some(why) = browser.missing() {
        skip(&why);
        return None;
    }
    let namespace = match Namespace::new() {
        Ok(namespace) => namespace,
        Err(why) => {
            skip(&format!("no network namespace can be made: {why}"));
            return None;
        }
    };
    let demo = Demo::start(&namespace, demo);
    Some((namespace, demo))
}

/// Every kind of message came back as it was sent.
#[track_caller]
fn assert_echoed(seen: &Value) {
    for kind in ["text", "empty", "binary", "megabyte"] {
        assert_eq!(seen["echoes"][kind], true, "{kind} did not come back: {seen:#}");
    }
    assert_eq!(seen["state"], "connected", "{seen:#}");
}

/// From the offer to an open channel within the promise.
#[track_caller]
fn assert_prompt(seen: &Value) {
    let ms = seen["timings"]["open"].as_u64().expect("the channel opened");
    say(&format!("open after {ms} ms"));
    assert!(ms < 2_000, "{ms} ms from the offer to an open channel: {seen:#}");
}

/// The DTLS version that the Ginnel side agreed on.
#[track_caller]
fn assert_dtls(seen: &Value, version: &str) {
    let agreed = &seen["server"]["peers"][0]["dtls"];
    assert_eq!(agreed, version, "{seen:#}");
}

fn data(browser: Browser, demo: &[&str], scenario: &Scenario, dtls: &str) {
    let Some((namespace, demo)) = stage(browser, demo) else { return };
    let seen = browser.run(&namespace, demo.url(), scenario);
    assert_echoed(&seen);
    assert_prompt(&seen);
    assert_dtls(&seen, dtls);
    assert_goodbye_was_heard(&seen);
    let offer = seen["offer"].as_str().unwrap_or_default();
    assert_eq!(
        offer.contains(".local"),
        scenario.hides_addresses(),
        "the test is not about what it says: {offer}"
    );
}

#[test]
fn chromium_data_over_dtls_13() {
    data(Browser::Chromium, &[], &Scenario::contract(), "1.3");
}

#[test]
fn chromium_data_over_dtls_12() {
    data(Browser::Chromium, &["--dtls", "1.2"], &Scenario::contract(), "1.2");
}

#[test]
fn chromium_data_behind_mdns_names() {
    data(Browser::Chromium, &[], &Scenario::contract().with_mdns(), "1.3");
}

#[test]
fn firefox_data_over_dtls_13() {
    data(Browser::Firefox, &[], &Scenario::contract(), "1.3");
}

#[test]
fn firefox_data_over_dtls_12() {
    data(Browser::Firefox, &[], &Scenario::contract().with_dtls12(), "1.2");
}

#[test]
fn firefox_data_behind_mdns_names() {
    data(Browser::Firefox, &[], &Scenario::contract().with_mdns(), "1.3");
}

/// The connection was closed after all was done: the browser says goodbye, and it is heard at once.
#[track_caller]
fn assert_goodbye_was_heard(seen: &Value) {
    let (ms, state) = (&seen["noticed"]["ms"], &seen["noticed"]["peer"]["connection"]);
    say(&format!("the goodbye was heard after {ms} ms"));
    assert_eq!(state, "closed", "{seen:#}");
}

/// Audio, video and data at once, for a minute.
fn media(browser: Browser, demo: &[&str]) {
    let Some((namespace, demo)) = stage(browser, demo) else { return };
    let seen = browser.run(&namespace, demo.url(), &Scenario::contract().with_media().hold(60));
    assert_echoed(&seen);
    assert_prompt(&seen);
    let count = |when: &str, what: &str| seen[when][what].as_u64().unwrap_or_default();
    assert!(count("first", "frames") >= 60 && count("first", "audio") >= 50, "{seen:#}");
    // A minute later it still plays: at least ten frames and twenty audio packets a second, far below what is sent.
    let (frames, audio) = (
        count("held", "frames") - count("first", "frames"),
        count("held", "audio") - count("first", "audio"),
    );
    say(&format!("in one minute: {frames} frames decoded, {audio} audio packets"));
    assert!(
        frames >= 600 && audio >= 1_200,
        "{frames} frames and {audio} audio packets in a minute: {seen:#}"
    );
    assert_eq!(seen["echoes"]["held"], true, "data died while media ran: {seen:#}");
}

#[test]
fn chromium_media_for_a_minute() {
    media(Browser::Chromium, &[]);
}

#[test]
fn firefox_media_for_a_minute() {
    media(Browser::Firefox, &[]);
}

/// The page as a person uses it: click, see it connect, chat, watch, disconnect.
fn page(browser: Browser, with_pictures: bool) {
    let Some((namespace, demo)) = stage(browser, &[]) else { return };
    let mut scenario = Scenario::page().with_media();
    if with_pictures {
        let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        for (name, theme, size) in [
            ("desktop-light", "light", (1280, 900)),
            ("desktop-dark", "dark", (1280, 900)),
            ("phone-light", "light", (390, 844)),
            ("phone-dark", "dark", (390, 844)),
        ] {
            let path = dir.join(format!("{}-{name}.png", browser.name()));
            scenario = scenario.screenshot(Screenshot { path, theme, size });
        }
        say(&format!("pictures in {}", dir.display()));
    }
    let seen = browser.run(&namespace, demo.url(), &scenario);
    let ms = seen["timings"]["open_ms"].as_f64().expect("the page measured it");
    say(&format!("click to open channel: {ms} ms"));
    assert!(ms < 2_000.0, "{ms} ms from the click: {seen:#}");
    assert!(seen["chat"].as_str().unwrap_or_default().contains("hello from the page"), "{seen:#}");
    let pairs = seen["server"]["peers"][0]["pairs"].as_array().expect("a table of pairs");
    assert_eq!(pairs.iter().filter(|pair| pair["selected"] == true).count(), 1, "{seen:#}");
    // Closing says goodbye: the other side knows at once, not by consent running out half a minute later.
    let after = seen["after"]["peers"].as_array().expect("a list of peers");
    assert_eq!(after.len(), 1, "{seen:#}");
    assert_eq!(after[0]["connection"], "closed", "{seen:#}");
    // The microphone was offered too: its packets are counted with those of the camera.
    assert_eq!(seen["sections"], serde_json::json!(["audio", "video", "application"]), "{seen:#}");
}

#[test]
fn chromium_page() {
    page(Browser::Chromium, true);
}

#[test]
fn firefox_page() {
    page(Browser::Firefox, false);
}

/// Every twentieth datagram is lost, in both directions: the echoed video plays on.
#[test]
fn chromium_media_through_loss() {
    let Some((namespace, demo)) = stage(Browser::Chromium, &[]) else { return };
    if let Err(why) = namespace.lose(5) {
        skip(&format!("the kernel loses no packets here: {why}"));
        return;
    }
    let seen = Browser::Chromium.run(&namespace, demo.url(), &Scenario::contract().with_media().hold(15));
    assert_echoed(&seen);
    let frames = seen["held"]["frames"].as_u64().unwrap_or_default()
        - seen["first"]["frames"].as_u64().unwrap_or_default();
    let media = &seen["server"]["peers"][0]["media"];
    say(&format!("in 15 s at 5 % loss: {frames} frames decoded; {media}"));
    assert!(frames >= 150, "{frames} frames in 15 s: {seen:#}");
    assert!(media["retransmissions"].as_u64() > Some(0), "nothing was lost and asked for again: {seen:#}");
}

/// Without a camera the page says so, and connects with data alone.
#[test]
fn chromium_page_without_a_camera() {
    let Some((namespace, demo)) = stage(Browser::Chromium, &[]) else { return };
    let seen = Browser::Chromium.run(&namespace, demo.url(), &Scenario::page().with_camera_denied());
    let notice = seen["notice"].as_str().unwrap_or_default();
    assert!(notice.contains("only messages are echoed"), "the page does not say so: {seen:#}");
    assert!(seen["chat"].as_str().unwrap_or_default().contains("hello from the page"), "{seen:#}");
}

/// Closing the tab is noticed at once in both browsers: the page says that it goes.
#[test]
fn a_closed_tab_is_noticed() {
    for browser in [Browser::Chromium, Browser::Firefox] {
        let Some((namespace, demo)) = stage(browser, &[]) else { return };
        let seen = browser.run(&namespace, demo.url(), &Scenario::page().leave());
        assert_eq!(seen["after"]["peers"][0]["connection"], "closed", "{browser:?}: {seen:#}");
    }
}

/// No page error, no complaint on the console: people read it.
#[test]
fn the_page_is_quiet() {
    let Some((namespace, demo)) = stage(Browser::Chromium, &[]) else { return };
    let seen = Browser::Chromium.run(&namespace, demo.url(), &Scenario::page());
    let log = seen["log"].as_array().expect("a log");
    assert!(log.is_empty(), "the page said: {log:#?}");
}
