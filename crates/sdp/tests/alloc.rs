//! Counts allocations: none for the view and for reading types, few for a session, none for writing into room.

mod common;

use common::fixture;
use ginnel_alloc_counter::{Counting, allocations, assert_installed};
use ginnel_sdp::attribute::{Candidate, Mid, RtpMap, Ssrc};
use ginnel_sdp::{Session, view};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_view_allocates_nothing() {
    assert_installed();
    let text = fixture("chromium-re-offer");
    let (count, names) = allocations(|| {
        view::lines(&text)
            .unwrap()
            .filter_map(|line| line.unwrap().attribute())
            .map(|(name, _)| name.len())
            .sum::<usize>()
    });
    assert!(names > 0);
    assert_eq!(count, 0);
}

#[test]
fn a_session_allocates_little_and_its_types_nothing() {
    let text = fixture("chromium-re-offer");
    let (count, session) = allocations(|| Session::parse(&text).unwrap());
    assert!(count <= 100, "{count} allocations for a session");
    let (count, seen) = allocations(|| {
        let sections = session.media().iter();
        sections
            .map(|media| {
                media.all::<RtpMap<'_>>().count()
                    + media.all::<Candidate<'_>>().count()
                    + media.all::<Ssrc<'_>>().count()
                    + media.all::<Mid<'_>>().count()
            })
            .sum::<usize>()
    });
    assert!(seen > 50, "{seen}");
    assert_eq!(count, 0);
    let mut out = String::with_capacity(text.len());
    let (count, ()) = allocations(|| session.write_to(&mut out));
    assert_eq!(count, 0);
    assert_eq!(out, text);
}

/// The work for a description of four times the size is four times the work, as far as allocations tell.
#[test]
fn allocations_grow_with_the_text_and_no_faster() {
    let section = |mid: usize| {
        format!("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:{mid}\r\n{}", "a=ssrc:1 cname:x\r\n".repeat(50))
    };
    let text = |sections: usize| {
        fixture("chromium-data-offer-trickle") + &(100..100 + sections).map(section).collect::<String>()
    };
    let count = |sections: usize| {
        let text = text(sections);
        allocations(|| Session::parse(&text).unwrap()).0
    };
    assert!(count(200) <= 4 * count(50) + 16);
}
