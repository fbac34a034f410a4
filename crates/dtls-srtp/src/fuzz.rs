//! Bodies of the fuzz targets: each takes any octets, and asserts what must always hold.

/// Target `demux`: total, and told by two octets.
pub mod demux {
    use crate::{Protocol, demux};

    /// Asserts that the answer depends on the first two octets alone, and that every range has its own.
    pub fn run(data: &[u8]) {
        let protocol = demux(data);
        assert_eq!(protocol, demux(&data[..data.len().min(2)]));
        let first = data.first().copied();
        match protocol {
            Protocol::Unknown => assert!(match first {
                None | Some(4..=15) => true,
                Some(128..=191) => data.len() == 1,
                _ => false,
            }),
            Protocol::Stun => assert!(first <= Some(3)),
            Protocol::Rtp | Protocol::Rtcp => assert!(first.is_some_and(|octet| octet >> 6 == 2)),
            _ => assert!(first > Some(3)),
        }
    }
}

/// Target `srtp_unprotect`: a receiver among packets that nobody sealed, and some that somebody did.
pub mod srtp_unprotect {
    use crate::srtp::{Config, MasterKey, Profile, Receiver, Sender};
    use ginnel_core::{Buffer, Packet};

    /// The first octet chooses the profile. Then chunks, each led by its length and a choice: forged RTP or RTCP, or the same
    /// octets sealed first by a sender.
    ///
    /// Asserts that a forgery changes no state and no octet, and that what was sealed comes back, once.
    pub fn run(data: &[u8]) {
        let Some((&choice, mut rest)) = data.split_first() else { return };
        let profile = Profile::ALL[usize::from(choice) % Profile::ALL.len()];
        let Ok(key) = MasterKey::new(profile, &[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()])
        else {
            return;
        };
        let config = Config::default().with_max_sources(4);
        let (mut sender, mut receiver) = (Sender::new(&key, config), Receiver::new(&key, config));
        let mut buf: Buffer = [0; 2048];
        while let [len, how, tail @ ..] = rest {
            let (chunk, after) = tail.split_at(usize::from(*len).min(tail.len()));
            rest = after;
            let mut packet = Packet::empty(&mut buf);
            if packet.append(chunk).is_err() {
                return;
            }
            match how % 4 {
                0 => forged(&mut receiver, &mut packet, chunk, Receiver::unprotect_rtp),
                1 => forged(&mut receiver, &mut packet, chunk, Receiver::unprotect_rtcp),
                2 if sender.protect_rtp(&mut packet).is_ok() => {
                    sealed(&mut receiver, &mut packet, chunk, Receiver::unprotect_rtp);
                }
                3 if sender.protect_rtcp(&mut packet).is_ok() => {
                    sealed(&mut receiver, &mut packet, chunk, Receiver::unprotect_rtcp);
                }
                _ => assert_eq!(packet.bytes(), chunk, "refused and untouched"),
            }
        }
    }
    type Unprotect = fn(&mut Receiver, &mut Packet<'_>) -> Result<(), crate::srtp::Rejected>;

    fn forged(receiver: &mut Receiver, packet: &mut Packet<'_>, chunk: &[u8], unprotect: Unprotect) {
        let before = receiver.stats();
        assert!(unprotect(receiver, packet).is_err(), "nobody sealed this");
        assert_eq!(packet.bytes(), chunk);
        let after = receiver.stats();
        assert_eq!((before.rtp_sources, before.rtcp_sources), (after.rtp_sources, after.rtcp_sources));
        assert_eq!((before.rtp, before.rtcp), (after.rtp, after.rtcp));
    }
    fn sealed(receiver: &mut Receiver, packet: &mut Packet<'_>, chunk: &[u8], unprotect: Unprotect) {
        let mut copy: Buffer = [0; 2048];
        let mut again = Packet::empty(&mut copy);
        if again.append(packet.bytes()).is_err() {
            return;
        }
        match unprotect(receiver, packet) {
            Ok(()) => assert_eq!(packet.bytes(), chunk),
            Err(crate::srtp::Rejected::Malformed) => {}
            // A sender numbers as it is told; a receiver that missed half the numbers cannot follow.
            Err(_) => return,
        }
        assert!(unprotect(receiver, &mut again).is_err(), "and only once");
    }
}
