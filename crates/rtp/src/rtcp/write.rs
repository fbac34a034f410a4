//! Writing RTCP into a packet, one after another: a compound grows at its end.

use ginnel_core::{NoRoom, Packet};

use super::{ReportBlock, SenderInfo, format, packet_type, sdes::CNAME};

/// The most that the five-bit count can say.
pub(crate) const MAX_COUNT: usize = 31;
/// The most text that an SDES item or a reason for leaving holds.
const MAX_TEXT: usize = 255;

/// Appends RTCP packets to a [`Packet`]. After [`NoRoom`] the packet ends where it did before.
///
/// ```
/// use ginnel_core::Packet;
/// use ginnel_rtp::rtcp::{Compound, Rtcp, RtcpWriter};
///
/// let mut buffer = [0; 2048];
/// let mut packet = Packet::empty(&mut buffer);
/// let mut writer = RtcpWriter::new(&mut packet);
/// writer.receiver_report(1, []).unwrap();
/// writer.cname(1, "a@b").unwrap();
/// writer.nack(1, 2, [100, 101, 117, 118]).unwrap();
/// let compound = Compound::parse(packet.bytes())?;
/// let Some(Ok(Rtcp::Nack(nack))) = compound.packets().nth(2) else { panic!() };
/// assert!(nack.missing().eq([100, 101, 117, 118]));
/// # Ok::<(), ginnel_rtp::ParseError>(())
/// ```
#[derive(Debug)]
pub struct RtcpWriter<'p, 'a> {
    packet: &'p mut Packet<'a>,
}

impl<'p, 'a> RtcpWriter<'p, 'a> {
    /// Writes behind what the packet holds.
    #[must_use]
    pub const fn new(packet: &'p mut Packet<'a>) -> Self {
        Self { packet }
    }

    /// Octets written so far, with what was there before.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.packet.len()
    }

    /// Whether nothing is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.packet.is_empty()
    }

    /// RFC 3550 section 6.4.1. Of the blocks the first 31 are written.
    ///
    /// # Errors
    /// [`NoRoom`], as for all that follow.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: SenderInfo,
        blocks: impl IntoIterator<Item = ReportBlock>,
    ) -> Result<(), NoRoom> {
        self.write(packet_type::SENDER_REPORT, |packet| {
            packet.append(&ssrc.to_be_bytes())?;
            packet.append(&info.ntp_timestamp.to_be_bytes())?;
            packet.append(&info.rtp_timestamp.to_be_bytes())?;
            packet.append(&info.packet_count.to_be_bytes())?;
            packet.append(&info.octet_count.to_be_bytes())?;
            append_counted(packet, blocks.into_iter().map(ReportBlock::to_octets))
        })
    }

    /// RFC 3550 section 6.4.2. Of the blocks the first 31 are written.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn receiver_report(
        &mut self,
        ssrc: u32,
        blocks: impl IntoIterator<Item = ReportBlock>,
    ) -> Result<(), NoRoom> {
        self.write(packet_type::RECEIVER_REPORT, |packet| {
            packet.append(&ssrc.to_be_bytes())?;
            append_counted(packet, blocks.into_iter().map(ReportBlock::to_octets))
        })
    }

    /// RFC 3550 section 6.5.1: one chunk with the canonical name, of which the first 255 octets are written.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> Result<(), NoRoom> {
        self.write(packet_type::SOURCE_DESCRIPTION, |packet| {
            packet.append(&ssrc.to_be_bytes())?;
            packet.append(&[CNAME])?;
            append_text(packet, cname)?;
            // RFC 3550 section 6.5: one null octet ends the items, more fill the word.
            let nulls = 4 - (2 + cname.len().min(MAX_TEXT)) % 4;
            packet.append([0; 4].get(..nulls).unwrap_or_default())?;
            Ok(1)
        })
    }

    /// RFC 3550 section 6.6. Of the sources the first 31 are written, and no reason if it is empty.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn goodbye(&mut self, sources: impl IntoIterator<Item = u32>, reason: &str) -> Result<(), NoRoom> {
        self.write(packet_type::GOODBYE, |packet| {
            let count = append_counted(packet, sources.into_iter().map(u32::to_be_bytes))?;
            if !reason.is_empty() {
                append_text(packet, reason)?;
                let fill = packet.len().next_multiple_of(4) - packet.len();
                packet.append([0; 4].get(..fill).unwrap_or_default())?;
            }
            Ok(count)
        })
    }

    /// RFC 4585 section 6.2.1: the missing sequence numbers, ascending, packed into identifiers and bit masks.
    ///
    /// # Errors
    /// [`NoRoom`], also if nothing is missing: a NACK has at least one entry.
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        missing: impl IntoIterator<Item = u16>,
    ) -> Result<(), NoRoom> {
        self.feedback(packet_type::TRANSPORT_FEEDBACK, format::NACK, sender_ssrc, media_ssrc, |packet| {
            let mut missing = missing.into_iter();
            let mut first = missing.next().ok_or(NoRoom)?;
            let mut mask = 0_u16;
            for next in missing {
                match next.wrapping_sub(first) {
                    distance @ 1..=16 => mask |= 1 << (distance - 1),
                    _ => {
                        packet.append(&pair(first, mask))?;
                        (first, mask) = (next, 0);
                    }
                }
            }
            packet.append(&pair(first, mask))
        })
    }

    /// RFC 4585 section 6.3.1.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn picture_loss(&mut self, sender_ssrc: u32, media_ssrc: u32) -> Result<(), NoRoom> {
        let (kind, format) = (packet_type::PAYLOAD_FEEDBACK, format::PICTURE_LOSS);
        self.feedback(kind, format, sender_ssrc, media_ssrc, |_| Ok(()))
    }

    /// RFC 5104 section 4.3.1, for one stream.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn full_intra_request(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        sequence_number: u8,
    ) -> Result<(), NoRoom> {
        let (kind, format) = (packet_type::PAYLOAD_FEEDBACK, format::FULL_INTRA_REQUEST);
        // RFC 5104 section 4.3.1.2: the media source is not used, and 0.
        self.feedback(kind, format, sender_ssrc, 0, |packet| {
            packet.append(&media_ssrc.to_be_bytes())?;
            packet.append(&[sequence_number, 0, 0, 0])
        })
    }

    /// draft-alvestrand-rmcat-remb-03 section 2.2: the bit rate is rounded down to 18 significant bits; of the streams the first
    /// 255 are written.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn remb(
        &mut self,
        sender_ssrc: u32,
        bitrate: u64,
        ssrcs: impl IntoIterator<Item = u32>,
    ) -> Result<(), NoRoom> {
        let (kind, format) = (packet_type::PAYLOAD_FEEDBACK, format::APPLICATION_LAYER);
        let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(18);
        let mantissa = (bitrate >> exponent) as u32;
        self.feedback(kind, format, sender_ssrc, 0, |packet| {
            let [_, a, b, c] = mantissa.to_be_bytes();
            let at = packet.len() + 4;
            packet.append(&[b'R', b'E', b'M', b'B', 0, (exponent as u8) << 2 | a, b, c])?;
            let mut count = 0;
            for ssrc in ssrcs.into_iter().take(usize::from(u8::MAX)) {
                packet.append(&ssrc.to_be_bytes())?;
                count += 1;
            }
            if let Some(place) = packet.bytes_mut().get_mut(at) {
                *place = count;
            }
            Ok(())
        })
    }

    fn feedback(
        &mut self,
        kind: u8,
        format: u8,
        sender_ssrc: u32,
        media_ssrc: u32,
        control: impl FnOnce(&mut Packet<'a>) -> Result<(), NoRoom>,
    ) -> Result<(), NoRoom> {
        self.write(kind, |packet| {
            packet.append(&sender_ssrc.to_be_bytes())?;
            packet.append(&media_ssrc.to_be_bytes())?;
            control(packet)?;
            Ok(format)
        })
    }

    /// Header, body, and then what the header must say of the body: its count and its length.
    fn write(
        &mut self,
        packet_type: u8,
        body: impl FnOnce(&mut Packet<'a>) -> Result<u8, NoRoom>,
    ) -> Result<(), NoRoom> {
        let start = self.packet.len();
        let written = self.packet.append(&[0x80, packet_type, 0, 0]).and_then(|()| body(self.packet));
        let words = (self.packet.len() - start) / 4;
        match (written, self.packet.bytes_mut().get_mut(start..start + 4)) {
            (Ok(count), Some([head, _, high, low])) => {
                *head |= count;
                [*high, *low] = (words.saturating_sub(1) as u16).to_be_bytes();
                Ok(())
            }
            _ => {
                self.packet.truncate(start);
                Err(NoRoom)
            }
        }
    }
}

/// Appends at most [`MAX_COUNT`] parts, and says how many.
fn append_counted<const N: usize>(
    packet: &mut Packet<'_>,
    parts: impl Iterator<Item = [u8; N]>,
) -> Result<u8, NoRoom> {
    let mut count = 0;
    for part in parts.take(MAX_COUNT) {
        packet.append(&part)?;
        count += 1;
    }
    Ok(count)
}

/// A length and as many octets.
fn append_text(packet: &mut Packet<'_>, text: &str) -> Result<(), NoRoom> {
    let text = text.as_bytes();
    let text = text.get(..text.len().min(MAX_TEXT)).unwrap_or_default();
    packet.append(&[text.len() as u8])?;
    packet.append(text)
}

fn pair(first: u16, mask: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_be_bytes(), mask.to_be_bytes());
    [a, b, c, d]
}
