//! The committed corpus through the fuzz bodies, on stable.
//!
//! `GINNEL_WRITE_CORPUS=1` writes the seeds below as files; what fuzzing finds is added beside them.
#![allow(clippy::disallowed_methods, reason = "a test may ask its environment whether to write files")]

use std::{fs, path::PathBuf};

use ginnel_core::Packet;
use ginnel_rtp::{
    RtpHeader, fuzz,
    rtcp::{ReportBlock, RtcpWriter, SenderInfo},
};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn replay(target: &str, seeds: &[(&str, Vec<u8>)], run: fn(&[u8])) {
    let folder = folder(target);
    if std::env::var_os("GINNEL_WRITE_CORPUS").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for (name, octets) in seeds {
            fs::write(folder.join(name), octets).unwrap();
        }
    }
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        run(&fs::read(entry.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= seeds.len(), "the seeds are all there: {replayed} of {}", seeds.len());
}

fn rtp(first: u8, payload_type: u8, behind: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    packet.append(behind).unwrap();
    let header = RtpHeader { payload_type, sequence_number: 1, timestamp: 2, ssrc: 5, marker: true };
    header.prepend(&mut packet).unwrap();
    packet.bytes_mut()[0] = first;
    packet.bytes().to_vec()
}

fn rtcp(write: impl FnOnce(&mut RtcpWriter<'_, '_>)) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut packet = Packet::empty(&mut buffer);
    write(&mut RtcpWriter::new(&mut packet));
    packet.bytes().to_vec()
}

#[test]
fn rtp_corpus() {
    let seeds = [
        ("plain", rtp(0x80, 96, b"payload")),
        ("empty", rtp(0x80, 96, b"")),
        ("retransmission", rtp(0x80, 97, &[0, 1, b'x'])),
        ("retransmission-probe", rtp(0xa0, 97, &[0, 0, 0, 4])),
        ("csrcs", rtp(0x82, 96, &[0, 0, 0, 1, 0, 0, 0, 2, 9])),
        ("csrcs-past-end", rtp(0x8f, 96, &[0, 0, 0, 1])),
        ("one-byte", rtp(0x90, 96, &[0xbe, 0xde, 0, 2, 0x10, 1, 0x21, 2, 3, 0, 0x30, 4, 9])),
        ("one-byte-id-15", rtp(0x90, 96, &[0xbe, 0xde, 0, 1, 0xf0, 1, 0x20, 2])),
        ("one-byte-past-end", rtp(0x90, 96, &[0xbe, 0xde, 0, 1, 0x1f, 1, 2, 3])),
        ("one-byte-padding-with-length", rtp(0x90, 96, &[0xbe, 0xde, 0, 1, 0x03, 1, 2, 3])),
        ("two-byte", rtp(0x90, 96, &[0x10, 0x05, 0, 2, 16, 0, 255, 2, 7, 8, 0, 0, 9])),
        ("two-byte-past-end", rtp(0x90, 96, &[0x10, 0, 0, 1, 1, 200, 7, 9])),
        ("other-profile", rtp(0x90, 96, &[0xab, 0xac, 0, 1, 1, 2, 3, 4])),
        ("extension-past-end", rtp(0x90, 96, &[0xbe, 0xde, 0xff, 0xff, 1])),
        ("padded", rtp(0xa0, 96, &[1, 2, 3, 0, 0, 3])),
        ("padding-past-payload", rtp(0xa0, 96, &[1, 2, 3, 200])),
        ("padding-zero", rtp(0xa0, 96, &[1, 2, 3, 0])),
        ("version-1", rtp(0x40, 96, b"payload")),
        ("short", vec![0x80, 96, 0]),
        ("all-parts", rtp(0xb1, 96, &[0, 0, 0, 1, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 7, 8, 2, 2])),
    ];
    replay("rtp", &seeds, fuzz::rtp::run);
}

#[test]
fn rtcp_corpus() {
    let block = |ssrc| ReportBlock { ssrc, cumulative_lost: -1, ..ReportBlock::default() };
    let info = SenderInfo { ntp_timestamp: 1 << 40, rtp_timestamp: 3, packet_count: 4, octet_count: 5 };
    let seeds = [
        ("sender-report", rtcp(|writer| writer.sender_report(1, info, [block(2)]).unwrap())),
        ("receiver-report-full", rtcp(|writer| writer.receiver_report(9, (0..31).map(block)).unwrap())),
        (
            "compound",
            rtcp(|writer| {
                writer.receiver_report(9, [block(2)]).unwrap();
                writer.cname(9, "name").unwrap();
                writer.nack(9, 2, [3, 4, 20, 21]).unwrap();
                writer.picture_loss(9, 2).unwrap();
                writer.full_intra_request(9, 2, 1).unwrap();
                writer.remb(9, 500_000, [2, 3]).unwrap();
                writer.goodbye([9], "done").unwrap();
            }),
        ),
        ("nack", rtcp(|writer| writer.nack(9, 2, [1, 2, 3, 4, 5]).unwrap())),
        ("nack-everything", rtcp(|writer| writer.nack(9, 2, 0..2000).unwrap())),
        ("nack-empty", vec![0x81, 205, 0, 2, 0, 0, 0, 9, 0, 0, 0, 2]),
        ("pli", rtcp(|writer| writer.picture_loss(9, 2).unwrap())),
        ("fir", rtcp(|writer| writer.full_intra_request(9, 2, 7).unwrap())),
        ("fir-half", vec![0x84, 206, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 2]),
        ("remb-255", rtcp(|writer| writer.remb(9, u64::MAX, 0..255).unwrap())),
        (
            "remb-past-end",
            vec![0x8f, 206, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 255, 0, 1, 1],
        ),
        (
            "remb-exponent-63",
            vec![0x8f, 206, 0, 4, 0, 0, 0, 9, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 255, 255, 255],
        ),
        (
            "transport-cc-run",
            vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 255, 255, 0, 0, 0, 0, 0x3f, 255, 0, 0],
        ),
        ("bye-of-the-sender", rtcp(|writer| writer.goodbye([1], "").unwrap())),
        ("bye-reason-past-end", vec![0x81, 203, 0, 2, 0, 0, 0, 1, 200, b'a', b'b', b'c']),
        ("sdes-past-end", vec![0x81, 202, 0, 2, 0, 0, 0, 1, 1, 200, b'a', 0]),
        ("sdes-without-end", vec![0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']),
        ("sdes-31-chunks-missing", vec![0x9f, 202, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0]),
        ("length-past-end", vec![0x80, 201, 255, 255, 0, 0, 0, 1]),
        ("padded", vec![0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4]),
        (
            "padding-first",
            vec![0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 1],
        ),
        ("app", vec![0x81, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e']),
        ("extended-report", vec![0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]),
        ("empty-packets", [[0x80, 210, 0, 0]; 30].concat()),
        ("empty", vec![]),
    ];
    replay("rtcp", &seeds, fuzz::rtcp::run);
}
