//! The little that is read of a DTLS record before the library sees it.

/// Content types (RFC 9147 section 4, RFC 5246 section 6.2.1).
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;

/// Whether a datagram begins with a record that the handshake does not carry: protected application data of DTLS 1.2, or
/// anything in epoch 3 of DTLS 1.3 (RFC 9147 sections 4.1 and 6.1), whose unified header shows the two low bits of the epoch.
/// Before the handshake is done, the library may drop it; the endpoint keeps it instead.
pub(super) fn overtook_handshake(datagram: &[u8]) -> bool {
    match datagram {
        [APPLICATION_DATA, _, _, epoch_hi, epoch_lo, ..] => (*epoch_hi, *epoch_lo) != (0, 0),
        [unified, ..] => unified & 0b1110_0011 == 0b0010_0011,
        [] => false,
    }
}

/// The description of a fatal alert in the clear, if a datagram is one. A client that offered both versions cannot give it to
/// the library, which waits for a ServerHello there.
pub(super) fn fatal_alert(datagram: &[u8]) -> Option<u8> {
    let &[kind, _, _, e0, e1, _, _, _, _, _, _, l0, l1, level, description] = datagram.first_chunk()?;
    (kind == ALERT && (e0, e1) == (0, 0) && (l0, l1) == (0, 2) && level == 2).then_some(description)
}
