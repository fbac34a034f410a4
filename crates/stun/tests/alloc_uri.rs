//! Reading a URI, asking it, printing it, and reading messages out of a stream allocate nothing.

use std::{fmt::Write, hint::black_box};

use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_core::{FrameReader, Framing};
use ginnel_stun::uri::{Host, Uri};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Text in room that is there already.
struct Fixed {
    octets: [u8; 256],
    len: usize,
}

impl Write for Fixed {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let room = self.octets.get_mut(self.len..self.len + text.len()).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[test]
fn reading_and_printing_uris_allocate_nothing() {
    assert_installed();
    let mut out = Fixed { octets: [0; 256], len: 0 };
    for text in [
        "stun:example.org",
        "turns:[2001:db8::1]:443?transport=tcp",
        "turn:ex%61mple.org?transport=sctp",
        "stun:192.0.2.1:3478",
    ] {
        out.len = 0;
        let (count, ()) = allocations(|| {
            let uri = Uri::parse(black_box(text)).expect("a URI");
            if let Host::Name(name) = uri.host() {
                black_box(name.octets().count());
            }
            let again = Uri::parse(black_box(text)).expect("a URI");
            black_box((
                uri.port_or_default(),
                uri.transport_to_use(),
                uri.alpn(),
                uri.host().name().map(|name| name.host_name()),
                uri == again,
            ));
            write!(out, "{uri}").expect("room");
        });
        assert_eq!((count, &out.octets[..out.len]), (0, text.as_bytes()));
    }
    let (count, error) = allocations(|| Uri::parse(black_box("stun://example.org")).unwrap_err());
    assert_eq!((count, error.offset()), (0, 5));
}

#[test]
fn reading_messages_out_of_a_stream_allocates_nothing() {
    let mut buffer = [0; 256];
    let (count, messages) = allocations(|| {
        let mut reader = FrameReader::new(Framing::Stun, &mut buffer);
        let mut messages = 0;
        for octet in [0x40, 0x01, 0, 1, 7, 0, 0, 0].into_iter().cycle().take(800) {
            reader.space()[0] = octet;
            reader.filled(1);
            if reader.has_message().expect("framed") {
                messages += usize::from(!black_box(reader.take()).is_empty());
            }
        }
        messages
    });
    assert_eq!((count, messages), (0, 100));
}
