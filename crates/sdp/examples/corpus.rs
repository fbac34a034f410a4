//! Writes the seed corpus of the fuzz target `sdp`: small fixtures, and the hostile shapes of the security cases.
//!
//! ```text
//! cargo run -p ginnel-sdp --example corpus -- fuzz/corpus/sdp
//! ```

use std::error::Error;
use std::path::Path;

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const KEYS: &str = "a=ice-ufrag:evtj\r\na=ice-pwd:VOkJxbRl1RmTxUk/WvJxBt\r\na=setup:actpass\r\n\
    a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n";

/// A seed may be at most this many octets.
const MAX_SEED: u64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("name the folder to write to")?;
    let out = Path::new(&out);
    std::fs::create_dir_all(out)?;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for entry in std::fs::read_dir(fixtures)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_text = Path::new(&name).extension().is_some_and(|extension| extension == "sdp");
        if is_text && entry.metadata()?.len() <= MAX_SEED {
            std::fs::copy(entry.path(), out.join(name))?;
        }
    }
    for (name, text) in hostile() {
        std::fs::write(out.join(name), text)?;
    }
    Ok(())
}

fn hostile() -> Vec<(&'static str, String)> {
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n";
    let candidate = "candidate:1 1 udp 1 x.local 0 typ host raddr :: rport 0 tcptype so ufrag a\r\n";
    vec![
        ("candidate", candidate.into()),
        ("no-endings", HEAD.replace("\r\n", "")),
        ("lf-only", format!("{HEAD}{audio}a=mid:0\r\n{KEYS}a=rtcp-mux\r\n").replace('\r', "")),
        ("no-bundle", format!("{HEAD}{KEYS}{audio}a=rtcp-mux\r\n{audio}a=rtcp-mux\r\n")),
        ("all-bundle-only", {
            let section = |mid| format!("m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\na=bundle-only\r\n");
            format!("{HEAD}a=group:BUNDLE 0 1\r\n{KEYS}{}{}", section(0), section(1))
        }),
        (
            "rtx-without-primary",
            format!("{HEAD}{KEYS}m=video 9 RTP/SAVPF 97\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"),
        ),
        (
            "rtx-of-rtx",
            format!(
                "{HEAD}{KEYS}m=video 9 RTP/SAVPF 97\r\na=rtcp-mux\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=97\r\n"
            ),
        ),
        ("two-data-sections", {
            let data = "m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 1024\r\n";
            format!("{HEAD}{KEYS}{data}{data}")
        }),
        ("unknown-mid", format!("{HEAD}a=group:BUNDLE 0 0 9\r\n{KEYS}{audio}a=mid:0\r\n")),
        ("simulcast-without-rid", format!("{HEAD}{KEYS}{audio}a=simulcast:send a;~b,c recv d\r\n")),
        (
            "sctp-init",
            format!(
                "{HEAD}{KEYS}m=application 9 UDP/DTLS/SCTP x\r\na=sctp-port:1\r\na=sctp-init:AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA\r\n"
            ),
        ),
    ]
}
