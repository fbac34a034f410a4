//! What can be negotiated for media: codecs, header extensions, simulcast.

use super::MediaKind;
use alloc::string::String;
use alloc::vec::Vec;

/// A codec that we can receive and send.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodecCapability {
    /// The encoding name of its RTP payload format.
    pub name: String,
    /// Hz.
    pub clock_rate: u32,
    /// Channels of audio; `None` is one.
    pub channels: Option<u8>,
    /// Its parameters as we would offer them; for H.264, VP9 and AV1 also which profile is meant.
    pub fmtp: String,
    /// Whether any profile of the codec is as good: true of what is forwarded unseen. Only answers use it.
    pub any_profile: bool,
    /// `nack`, `nack pli`, `ccm fir`, ...: the feedback that we can use.
    pub feedback: Vec<String>,
    /// Whether lost packets can be asked for and sent again (RFC 4588).
    pub rtx: bool,
    /// The payload type that an offer takes if it is free.
    pub payload_type: Option<u8>,
}

impl CodecCapability {
    /// A codec without parameters and feedback.
    #[must_use]
    pub fn new(name: &str, clock_rate: u32, channels: Option<u8>) -> Self {
        CodecCapability {
            name: name.into(),
            clock_rate,
            channels,
            fmtp: String::new(),
            any_profile: false,
            feedback: Vec::new(),
            rtx: false,
            payload_type: None,
        }
    }

    /// With parameters.
    #[must_use]
    pub fn with_fmtp(mut self, fmtp: &str) -> Self {
        self.fmtp = fmtp.into();
        self
    }

    /// With a preferred payload type.
    #[must_use]
    pub fn with_payload_type(mut self, payload_type: u8) -> Self {
        self.payload_type = Some(payload_type);
        self
    }

    /// With kinds of feedback.
    #[must_use]
    pub fn with_feedback(mut self, feedback: &[&str]) -> Self {
        self.feedback = feedback.iter().map(|&value| value.into()).collect();
        self
    }

    /// With retransmission.
    #[must_use]
    pub fn with_rtx(mut self) -> Self {
        self.rtx = true;
        self
    }

    /// Accepting any profile.
    #[must_use]
    pub fn with_any_profile(mut self) -> Self {
        self.any_profile = true;
        self
    }
}

/// A header extension that we understand or may pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderExtensionCapability {
    /// What it is.
    pub uri: String,
    /// In audio sections.
    pub audio: bool,
    /// In video sections.
    pub video: bool,
}

impl HeaderExtensionCapability {
    /// An extension for audio, video, or both.
    #[must_use]
    pub fn new(uri: &str, audio: bool, video: bool) -> Self {
        HeaderExtensionCapability { uri: uri.into(), audio, video }
    }
}

/// The URIs of header extensions that this crate names.
pub mod uri {
    /// RFC 9143 section 15.2.
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// RFC 8852 section 4.1.
    pub const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// RFC 8852 section 4.2.
    pub const REPAIRED_RID: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
    /// RFC 6464 section 5.
    pub const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    /// RFC 5450 section 4.
    pub const TOFFSET: &str = "urn:ietf:params:rtp-hdrext:toffset";
    /// 3GPP TS 26.114: rotation of video.
    pub const VIDEO_ORIENTATION: &str = "urn:3gpp:video-orientation";
    /// libwebrtc: bounds of the receiver's playout delay.
    pub const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
    /// libwebrtc: when the packet was sent, for the receiver's estimate of bandwidth.
    pub const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
    /// libwebrtc: when the picture was captured.
    pub const ABS_CAPTURE_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    pub const TRANSPORT_WIDE_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
    /// libwebrtc: screen or camera.
    pub const VIDEO_CONTENT_TYPE: &str = "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type";
}

/// What of media can be negotiated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Audio codecs, best first.
    pub audio: Vec<CodecCapability>,
    /// Video codecs, best first.
    pub video: Vec<CodecCapability>,
    /// Header extensions.
    pub header_extensions: Vec<HeaderExtensionCapability>,
    /// RFC 8285 section 6: one- and two-byte headers may alternate in what we receive.
    pub extmap_allow_mixed: bool,
    /// RFC 8853: we receive several encodings of one source if they are offered.
    pub receive_simulcast: bool,
}

impl Capabilities {
    /// No media at all: data channels only.
    #[must_use]
    pub fn none() -> Self {
        Capabilities::default()
    }

    /// What can be echoed or forwarded without looking inside: the codecs that browsers have, with retransmission and the
    /// feedback that asks for packets and pictures; no feedback for congestion control, since nothing here answers it.
    ///
    /// Header extensions, and why each is safe when a packet is passed on as it came:
    ///
    /// | extension | passed on unchanged |
    /// |---|---|
    /// | `mid` | must be rewritten where sections differ, is the same where a section is echoed |
    /// | `rtp-stream-id`, `repaired-rtp-stream-id` | mean what they meant; only accepted with simulcast |
    /// | `ssrc-audio-level` | describes the audio itself |
    /// | `video-orientation` | describes the picture itself |
    /// | `playout-delay` | a wish of the sender to whoever plays: the same player here |
    /// | `video-content-type` | describes the picture itself |
    ///
    /// Left out, because they speak of one hop and would lie on the next: `abs-send-time` and `toffset` (the time of
    /// sending: the second receiver would estimate the sum of both paths), `transport-wide-cc` (a sequence number of
    /// one transport), `abs-capture-time` (needs the clock of the sender, RFC 3550 reports of whom are not passed on).
    #[must_use]
    pub fn forwarding() -> Self {
        let extension = HeaderExtensionCapability::new;
        Capabilities {
            audio: audio(),
            video: video(),
            header_extensions: alloc::vec![
                extension(uri::MID, true, true),
                extension(uri::AUDIO_LEVEL, true, false),
                extension(uri::RID, false, true),
                extension(uri::REPAIRED_RID, false, true),
                extension(uri::VIDEO_ORIENTATION, false, true),
                extension(uri::PLAYOUT_DELAY, false, true),
                extension(uri::VIDEO_CONTENT_TYPE, false, true),
            ],
            extmap_allow_mixed: false,
            receive_simulcast: false,
        }
    }

    /// The codecs of a kind of media.
    #[must_use]
    pub fn codecs(&self, kind: MediaKind) -> &[CodecCapability] {
        match kind {
            MediaKind::Audio => &self.audio,
            MediaKind::Video => &self.video,
            MediaKind::Application => &[],
        }
    }

    /// Whether a header extension is known for a kind of media.
    #[must_use]
    pub fn has_extension(&self, kind: MediaKind, uri: &str) -> bool {
        self.extensions(kind).any(|known| known.uri == uri)
    }

    pub(super) fn extensions(&self, kind: MediaKind) -> impl Iterator<Item = &HeaderExtensionCapability> {
        self.header_extensions.iter().filter(move |known| match kind {
            MediaKind::Audio => known.audio,
            MediaKind::Video => known.video,
            MediaKind::Application => false,
        })
    }
}

/// RFC 7874 section 3: Opus, G.711 and telephone events; G.722 because browsers have it.
fn audio() -> Vec<CodecCapability> {
    let codec = |name: &str, clock, payload_type| {
        CodecCapability::new(name, clock, None).with_payload_type(payload_type)
    };
    alloc::vec![
        CodecCapability::new("opus", 48_000, Some(2))
            .with_fmtp("minptime=10;useinbandfec=1")
            .with_payload_type(111),
        codec("G722", 8_000, 9),
        codec("PCMU", 8_000, 0),
        codec("PCMA", 8_000, 8),
        codec("telephone-event", 48_000, 110).with_fmtp("0-16"),
        codec("telephone-event", 8_000, 126).with_fmtp("0-16"),
    ]
}

/// RFC 7742 section 5: VP8 and H.264; VP9 and AV1 because browsers have them.
fn video() -> Vec<CodecCapability> {
    let codec = |name: &str, fmtp: &str| {
        CodecCapability::new(name, 90_000, None)
            .with_fmtp(fmtp)
            .with_feedback(&["nack", "nack pli", "ccm fir"])
            .with_rtx()
            .with_any_profile()
    };
    let mut codecs = alloc::vec![codec("VP8", "").with_payload_type(96), codec("VP9", "profile-id=0")];
    for profile in ["42e01f", "42001f", "4d001f", "64001f"] {
        for mode in [1, 0] {
            let fmtp = alloc::format!(
                "level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={profile}"
            );
            codecs.push(codec("H264", &fmtp));
        }
    }
    codecs.push(codec("AV1", "level-idx=5;profile=0;tier=0"));
    codecs.push(codec("VP9", "profile-id=2"));
    codecs
}
