//! A static library without std over every no_std crate of Ginnel.
//!
//! It is never run. That it compiles is the proof: with std anywhere below, there would be two panic handlers. Give
//! `ginnel-ice` its feature `std` in the manifest, and the build ends in "error[E0152]: found duplicate lang item
//! `panic_impl` ... first defined in crate `std` (which `thiserror` depends on)".
#![no_std]

use core::{
    alloc::{GlobalAlloc, Layout},
    panic::PanicInfo,
};

use ginnel_core as _;
use ginnel_dtls_srtp as _;
use ginnel_ice as _;
use ginnel_netsim as _;
use ginnel_rtp as _;
use ginnel_sdp as _;
use ginnel_stun as _;
use ginnel_turn as _;

/// An allocator that has nothing to give: `alloc` needs one to link.
struct Nothing;

// SAFETY: it never returns memory, so there is no memory to misuse; null is the documented failure of `alloc`.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nothing = Nothing;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
