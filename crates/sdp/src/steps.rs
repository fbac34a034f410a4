//! Counts, in tests only, the octets and lines that are looked at: how the work grows is asserted without a clock.

#[cfg(test)]
std::thread_local!(static STEPS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) });

/// Notes that `count` octets or lines were looked at.
#[inline(always)]
pub(crate) fn note(count: usize) {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + count));
    let _ = count;
}

#[cfg(test)]
mod tests {
    use super::STEPS;
    use crate::Session;
    use crate::jsep::{Negotiator, NegotiatorConfig, SdpType};
    use std::string::String;

    /// An offer of `sections` full sections.
    fn offer(sections: usize) -> String {
        let mut text = String::from("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n");
        text += "a=ice-ufrag:evtj\r\na=ice-pwd:VOkJxbRl1RmTxUk/WvJxBt\r\na=fingerprint:sha-1 \
            4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n";
        for mid in 0..sections {
            text += &std::format!("m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:{mid}\r\na=rtcp-mux\r\n");
            text += "a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n";
            for n in 0..100 {
                text += &std::format!("a=ssrc:{n} cname:x\r\na=extmap:{} urn:x:{n}\r\n", n % 14 + 1);
                text += "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n";
            }
        }
        text
    }

    fn steps(work: impl FnOnce()) -> usize {
        STEPS.with(|steps| steps.set(0));
        work();
        STEPS.with(core::cell::Cell::get)
    }

    #[test]
    fn sec_66_the_work_grows_as_the_text_does() {
        let work = |sections| {
            let text = offer(sections);
            steps(|| {
                let session = Session::parse(&text).unwrap();
                let mut negotiator = Negotiator::new(NegotiatorConfig::new(1));
                negotiator.set_remote(SdpType::Offer, session).unwrap();
            })
        };
        let (small, large) = (work(8), work(64));
        assert!(small > offer(8).len(), "every octet is looked at");
        assert!(large < 9 * small, "{small} steps for 8 sections, {large} for 64");
    }

    #[test]
    fn sec_66_an_error_at_the_end_costs_no_more_than_the_text() {
        let work = |sections| {
            let text = offer(sections) + "a=fingerprint:x\r\n";
            steps(|| assert!(Session::parse(&text).is_err()))
        };
        assert!(work(64) < 9 * work(8));
    }
}
