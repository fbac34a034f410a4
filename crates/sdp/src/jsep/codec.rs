//! When two formats are the same codec: RFC 3264 section 6.1, and for each payload format its own rules.
//!
//! Names are compared without case, clock rates and channels exactly. H.264 must agree in profile and packetization
//! mode (RFC 6184 section 8.2.2), VP9 in `profile-id`, AV1 in `profile` and `tier`. All other parameters are wishes of
//! the receiver and do not matter for being the same.

use super::capability::CodecCapability;
use crate::attribute::Parameters;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write as _;

/// A codec with its parameters, from a description or from a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codec<'a> {
    pub(super) name: &'a str,
    pub(super) clock_rate: u32,
    pub(super) channels: Option<u8>,
    pub(super) parameters: Parameters<'a>,
}

impl<'a> Codec<'a> {
    pub(super) fn of(capability: &'a CodecCapability) -> Self {
        Codec {
            name: &capability.name,
            clock_rate: capability.clock_rate,
            channels: capability.channels,
            parameters: Parameters(&capability.fmtp),
        }
    }

    /// RFC 3551 section 6: payload types that need no `rtpmap`.
    pub(super) fn of_static(payload_type: u8) -> Option<Codec<'static>> {
        let (name, clock_rate) = match payload_type {
            0 => ("PCMU", 8_000),
            8 => ("PCMA", 8_000),
            9 => ("G722", 8_000),
            13 => ("CN", 8_000),
            _ => return None,
        };
        Some(Codec { name, clock_rate, channels: None, parameters: Parameters("") })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Same encoding, whatever the profile.
    pub(super) fn same_encoding(&self, other: &Codec<'_>) -> bool {
        self.is(other.name)
            && self.clock_rate == other.clock_rate
            && self.channels.unwrap_or(1) == other.channels.unwrap_or(1)
    }

    /// Same encoding and same profile.
    pub(super) fn same(&self, other: &Codec<'_>) -> bool {
        self.same_encoding(other)
            && match () {
                () if self.is("H264") => H264::of(self.parameters).same(&H264::of(other.parameters)),
                () if self.is("VP9") => self.equal_number(other, "profile-id"),
                () if self.is("AV1") => {
                    self.equal_number(other, "profile") && self.equal_number(other, "tier")
                }
                () => true,
            }
    }

    /// Whether a capability covers this format of the peer. Any profile means any, but not any packetization mode.
    pub(super) fn matches(&self, capability: &CodecCapability) -> bool {
        let known = Codec::of(capability);
        if !capability.any_profile {
            return self.same(&known);
        }
        self.same_encoding(&known)
            && (!self.is("H264") || H264::of(self.parameters).mode == H264::of(known.parameters).mode)
    }

    fn equal_number(&self, other: &Codec<'_>, name: &str) -> bool {
        let number = |codec: &Codec<'_>| codec.parameters.get(name).unwrap_or("0").parse::<u8>().ok();
        number(self) == number(other)
    }

    /// What we answer to this format: our wishes where parameters are wishes, the agreed profile where they name one.
    pub(super) fn answer(&self, capability: &CodecCapability) -> String {
        let parameters = self.parameters;
        if self.is("H264") {
            return self.answer_h264(capability);
        }
        if self.is("VP9") {
            return parameters.get("profile-id").map_or_else(String::new, |id| format!("profile-id={id}"));
        }
        if self.is("AV1") {
            // The AV1 payload format, section 7.2.3: of level and tier, an answer may lower the level; ours is theirs.
            return parameters.0.to_string();
        }
        capability.fmtp.clone()
    }

    /// RFC 6184 section 8.2.2: the answer names the offered profile; with asymmetry allowed by both, each its own level,
    /// else the lower.
    fn answer_h264(&self, capability: &CodecCapability) -> String {
        let theirs = H264::of(self.parameters);
        let ours = H264::of(Parameters(&capability.fmtp));
        let asymmetric = theirs.asymmetry && ours.asymmetry;
        // What is forwarded unseen has the level of its sender.
        let level =
            if asymmetric || capability.any_profile { theirs.level } else { theirs.level.min(ours.level) };
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "level-asymmetry-allowed={};packetization-mode={};profile-level-id={:02x}{:02x}{level:02x}",
            u8::from(asymmetric),
            theirs.mode,
            theirs.idc,
            theirs.iop,
        );
        text
    }
}

/// The parameters of H.264 that tell formats apart (RFC 6184 section 8.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct H264 {
    idc: u8,
    iop: u8,
    level: u8,
    mode: u8,
    asymmetry: bool,
}

/// RFC 6184 section 8.1, table 5: which profile an idc with its constraint flags is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    Extended,
    High,
    ConstrainedHigh,
    /// Not in the table: equal only to itself.
    Other(u8, u8),
}

impl H264 {
    pub(super) fn of(parameters: Parameters<'_>) -> Self {
        // RFC 6184 section 8.1: without profile-level-id, Baseline at level 1; without a mode, 0.
        let id = parameters.get("profile-level-id").filter(|id| id.len() == 6);
        let id = id.and_then(|id| u32::from_str_radix(id, 16).ok()).unwrap_or(0x42_00_0A);
        H264 {
            idc: (id >> 16) as u8,
            iop: (id >> 8) as u8,
            level: id as u8,
            mode: parameters.get("packetization-mode").and_then(|mode| mode.parse().ok()).unwrap_or(0),
            asymmetry: parameters.get("level-asymmetry-allowed") == Some("1"),
        }
    }

    fn profile(&self) -> Profile {
        let H264 { idc, iop, .. } = *self;
        match idc {
            0x42 if iop & 0x4F == 0x40 => Profile::ConstrainedBaseline,
            0x4D if iop & 0x8F == 0x80 => Profile::ConstrainedBaseline,
            0x58 if iop & 0xCF == 0xC0 => Profile::ConstrainedBaseline,
            0x42 if iop & 0x4F == 0x00 => Profile::Baseline,
            0x58 if iop & 0xCF == 0x80 => Profile::Baseline,
            0x4D if iop & 0xAF == 0x00 => Profile::Main,
            0x58 if iop & 0xCF == 0x00 => Profile::Extended,
            0x64 if iop == 0x00 => Profile::High,
            0x64 if iop == 0x0C => Profile::ConstrainedHigh,
            _ => Profile::Other(idc, iop),
        }
    }

    fn same(&self, other: &H264) -> bool {
        self.profile() == other.profile() && self.mode == other.mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(fmtp: &str) -> Codec<'_> {
        Codec { name: "H264", clock_rate: 90_000, channels: None, parameters: Parameters(fmtp) }
    }

    #[test]
    fn profiles_are_compared_by_meaning() {
        let table = [
            ("42e01f", "42c01f", true),  // two spellings of Constrained Baseline
            ("42e01f", "4d801f", true),  // Main that is also Baseline
            ("42e01f", "58c01f", true),  // Extended that is also both
            ("42e01f", "42e034", true),  // another level
            ("42e01f", "42001f", false), // Baseline proper
            ("4d001f", "42001f", false),
            ("64001f", "640c1f", false), // High and Constrained High
            ("f4001f", "f4001f", true),
            ("f4001f", "64001f", false),
        ];
        for (left, right, same) in table {
            let fmtp = |id| format!("packetization-mode=1;profile-level-id={id}");
            assert_eq!(h264(&fmtp(left)).same(&h264(&fmtp(right))), same, "{left} and {right}");
        }
    }

    #[test]
    fn packetization_modes_must_agree_and_default_to_zero() {
        let zero = h264("profile-level-id=42e01f");
        assert!(zero.same(&h264("packetization-mode=0;profile-level-id=42e01f")));
        assert!(!zero.same(&h264("packetization-mode=1;profile-level-id=42e01f")));
    }

    #[test]
    fn without_asymmetry_the_lower_level_is_answered() {
        let ours = CodecCapability::new("H264", 90_000, None)
            .with_fmtp("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f");
        let answer = |fmtp| h264(fmtp).answer(&ours);
        assert_eq!(
            answer("packetization-mode=1;profile-level-id=42e034"),
            "level-asymmetry-allowed=0;packetization-mode=1;profile-level-id=42e01f"
        );
        assert_eq!(
            answer("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034"),
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034"
        );
    }

    #[test]
    fn profiles_of_vp9_and_av1_tell_formats_apart() {
        let codec =
            |name, fmtp| Codec { name, clock_rate: 90_000, channels: None, parameters: Parameters(fmtp) };
        assert!(codec("VP9", "").same(&codec("vp9", "profile-id=0")));
        assert!(!codec("VP9", "profile-id=2").same(&codec("VP9", "profile-id=0")));
        assert!(codec("AV1", "level-idx=5;profile=0;tier=0").same(&codec("AV1", "")));
        assert!(!codec("AV1", "profile=1").same(&codec("AV1", "")));
    }
}
