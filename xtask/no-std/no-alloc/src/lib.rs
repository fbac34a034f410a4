//! A static library without an allocator over the codec of STUN, which works in octets of the caller's.
//!
//! That it compiles is the proof, and it is never run. Give `ginnel-stun` its feature `alloc` in the manifest, and the build
//! ends in "error: no global memory allocator found but one is required".
#![no_std]

use core::panic::PanicInfo;

use ginnel_stun::{
    Class, Fingerprint, Integrity, IntegrityKey, Message, MessageBuffer, MessageWriter, Method,
    attribute::XorMappedAddress,
};

/// Answers a Binding request in place: how many octets `buffer` then holds, or 0. Here so that the codec is compiled to code
/// that is linked, not only checked.
#[unsafe(no_mangle)]
pub fn answer(request: &[u8], buffer: &mut [u8], key: &IntegrityKey) -> usize {
    let Ok(message) = Message::parse(request) else { return 0 };
    if message.fingerprint() != Fingerprint::Ok || message.integrity(key) != Integrity::Ok {
        return 0;
    }
    let mut answer = MessageBuffer::new(buffer);
    let written = MessageWriter::new(&mut answer, Class::Success, Method::BINDING, message.transaction_id())
        .and_then(|open| open.attribute(&XorMappedAddress(([192, 0, 2, 1], 3478).into())))
        .and_then(|open| open.integrity(key))
        .and_then(MessageWriter::fingerprint);
    if written.is_ok() { answer.octets().len() } else { 0 }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
