//! The one place for what only some operating systems have. Segmentation offload, batched system calls and congestion marks
//! come from `quinn-udp`, which has its plain fallbacks inside.

use std::{io, net::IpAddr, net::SocketAddr};

use ginnel_core::IcmpError;
use socket2::Socket;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{ErrorQueue, HAS_ERROR_QUEUE, NO_SIGNAL};
#[cfg(target_os = "linux")]
pub(crate) use many::{Address, MANY, send_many, set_fragmentation, set_traffic_class, spare_metadata};

/// What the system says of a datagram that was sent.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, reason = "it says nothing there")
)]
pub(crate) enum Report {
    /// ICMP, from the way to `remote`; it came to the address `to`, where the system tells.
    Icmp { remote: SocketAddr, to: Option<IpAddr>, error: IcmpError },
    /// Something else: of its own, such as that the datagram was larger than the interface takes.
    Other,
}

/// Allows this process as many open files as it may allow itself (`RLIMIT_NOFILE`: the soft limit becomes the hard one), and
/// returns how many that are. A relay needs one for each relayed address and each stream, and a few more: 100,000 allocations
/// take a hard limit of 100,100, which is `LimitNOFILE=` of a systemd unit, `ulimits` of a container, or `ulimit -Hn`.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub fn raise_file_limit() -> io::Result<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// There is no such limit here.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn raise_file_limit() -> io::Result<u64> {
    Ok(u64::MAX)
}

/// Whether a failed call to connect says only that it goes on.
#[cfg(unix)]
pub(crate) fn in_progress(error: &io::Error) -> bool {
    error.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32)
}

/// Whether a failed call to connect says only that it goes on.
#[cfg(not(unix))]
pub(crate) fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Lets several sockets share a port, as each listener of a multicast group must, and as streams from a listening address do.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)
}

/// Lets a datagram socket share its unicast address with others of this user that do so too, and with nobody else. Not
/// `SO_REUSEADDR` besides: with that, Linux lets any user's program have the same address, and take what comes.
#[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
pub(crate) fn share_datagrams(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

/// Elsewhere there is no way to share that keeps others out: who has the address has it alone.
#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
pub(crate) fn share_datagrams(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Whether a call that brings fewer datagrams than were asked for has brought all that there were. Where each call brings one,
/// it says nothing.
pub(crate) const FEWER_ARE_ALL: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Keeps a socket on every address from hearing groups that other sockets of this host have joined (ip(7),
/// `IP_MULTICAST_ALL`). Where the system does not know the option, the machine sees more than it wants, and copes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn only_joined(socket: &Socket, group: IpAddr) {
    let _ = match group {
        IpAddr::V4(_) => socket.set_multicast_all_v4(false),
        IpAddr::V6(_) => socket.set_multicast_all_v6(false),
    };
}

/// Elsewhere a socket hears what it has joined.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn only_joined(_: &Socket, _: IpAddr) {}

/// Elsewhere the one option is enough.
#[cfg(not(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))))]
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Elsewhere there is no queue of errors.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const HAS_ERROR_QUEUE: bool = false;

/// Elsewhere there is no such flag, and no such signal or another way to be spared it.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const NO_SIGNAL: i32 = 0;

/// Elsewhere there is no queue of errors.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[derive(Debug)]
pub(crate) struct ErrorQueue;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl ErrorQueue {
    pub(crate) fn new() -> Self {
        Self
    }
    pub(crate) fn read(&mut self, _: &Socket) -> Option<Report> {
        None
    }
}

/// So many datagrams one call may take: here there is no such call.
#[cfg(not(target_os = "linux"))]
pub(crate) const MANY: usize = 1;

/// A destination, as the system wants it.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Debug)]
pub(crate) struct Address(socket2::SockAddr);

#[cfg(not(target_os = "linux"))]
impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address.into())
    }
}

/// Sends the first of these datagrams; returns how many that were.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send_many(socket: &Socket, datagrams: &[(&Address, &[u8])]) -> io::Result<usize> {
    let Some((to, octets)) = datagrams.first() else { return Ok(0) };
    socket.send_to(octets, &to.0).map(|_| 1)
}

/// Elsewhere datagrams are as `quinn-udp` has set it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_fragmentation(_: &Socket, _: bool, _: bool) -> io::Result<()> {
    Ok(())
}

/// The traffic class of what is sent from now on: code point and congestion mark.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_traffic_class(socket: &Socket, v4: bool, class: u8) -> io::Result<()> {
    if v4 { socket.set_tos_v4(class.into()) } else { Ok(()) }
}

/// Elsewhere it costs nothing worth a call.
#[cfg(not(target_os = "linux"))]
pub(crate) fn spare_metadata(_: &std::net::UdpSocket, _: SocketAddr) {}

/// Several datagrams to several destinations with one call (sendmmsg(2)), and what is set for them at the socket.
#[cfg(target_os = "linux")]
mod many {
    use std::{
        io::{self, IoSlice},
        net::{SocketAddr, UdpSocket},
    };

    use nix::sys::socket::{setsockopt, sockopt};
    use rustix::net::{
        MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg, sendto,
        sockopt::{
            Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ip_tos,
            set_ipv6_mtu_discover, set_ipv6_tclass,
        },
    };
    use socket2::Socket;

    /// So many datagrams one call may take.
    pub(crate) const MANY: usize = 32;
    /// What is prepared for a call that takes few.
    const FEW: usize = 4;

    /// A destination, as the system wants it.
    pub(crate) type Address = SocketAddrAny;

    /// Sends some of these datagrams, the first of them at least; returns how many. An error is of the first.
    pub(crate) fn send_many(socket: &Socket, datagrams: &[(&Address, &[u8])]) -> io::Result<usize> {
        match *datagrams {
            [] => Ok(0),
            [(to, octets)] => {
                sendto(socket, octets, SendFlags::empty(), to)?;
                Ok(1)
            }
            _ if datagrams.len() <= FEW => send_up_to::<FEW>(socket, datagrams),
            _ => send_up_to::<MANY>(socket, datagrams),
        }
    }

    fn send_up_to<const N: usize>(socket: &Socket, datagrams: &[(&Address, &[u8])]) -> io::Result<usize> {
        let Some(spare) = datagrams.first() else { return Ok(0) };
        let count = datagrams.len().min(N);
        let at = |index: usize| datagrams.get(index).unwrap_or(spare);
        let slices: [_; N] = std::array::from_fn(|index| [IoSlice::new(at(index).1)]);
        let mut controls: [SendAncillaryBuffer<'_, '_, '_>; N] = std::array::from_fn(|_| Default::default());
        let mut index = 0;
        let mut messages = controls.each_mut().map(|control| {
            let message = MMsgHdr::new_with_addr(at(index).0, &slices[index], control);
            index += 1;
            message
        });
        Ok(sendmmsg(socket, &mut messages[..count], SendFlags::empty())?)
    }

    /// Whether datagrams go whole or not at all, from now on (ip(7), `IP_MTU_DISCOVER`; RFC 8656 section 14 has DF = 0 for
    /// the other). Whole ones are probes: what the kernel believes of the path cuts and holds back none of them.
    pub(crate) fn set_fragmentation(socket: &Socket, v4: bool, whole: bool) -> io::Result<()> {
        if v4 {
            let mode = if whole { Ipv4PathMtuDiscovery::PROBE } else { Ipv4PathMtuDiscovery::DONT };
            return Ok(set_ip_mtu_discover(socket, mode)?);
        }
        let mode = if whole { Ipv6PathMtuDiscovery::PROBE } else { Ipv6PathMtuDiscovery::DONT };
        set_ipv6_mtu_discover(socket, mode)?;
        Ok(setsockopt(socket, sockopt::Ipv6DontFrag, &whole)?)
    }

    /// The traffic class of what is sent from now on: code point and congestion mark.
    pub(crate) fn set_traffic_class(socket: &Socket, v4: bool, class: u8) -> io::Result<()> {
        Ok(if v4 { set_ip_tos(socket, class) } else { set_ipv6_tclass(socket, class.into()) }?)
    }

    /// `quinn-udp` asks for the time of each datagram and the address that it was sent to. The first is never read here, and
    /// the second only at sockets for every address; each costs a little for each datagram.
    pub(crate) fn spare_metadata(socket: &UdpSocket, local: SocketAddr) {
        let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &false);
        if !local.ip().is_unspecified() {
            let _ = match local {
                SocketAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &false),
                SocketAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &false),
            };
        }
    }
}

/// The error queue of a socket (ip(7), `IP_RECVERR`): ICMP messages in full, with where the datagram was to go.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::{
        io::IoSliceMut,
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
        os::fd::AsRawFd as _,
    };

    use ginnel_core::IcmpError;
    use nix::{
        cmsg_space,
        libc::{
            SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6, in_pktinfo, in6_pktinfo, sock_extended_err, sockaddr_in6,
            timespec,
        },
        sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg},
    };
    use socket2::Socket;

    use super::Report;

    pub(crate) const HAS_ERROR_QUEUE: bool = true;

    /// A broken stream is an error of the call, and no signal.
    pub(crate) const NO_SIGNAL: i32 = MsgFlags::MSG_NOSIGNAL.bits();

    /// Where messages of the queue land.
    #[derive(Debug)]
    pub(crate) struct ErrorQueue {
        control: Vec<u8>,
    }

    impl ErrorQueue {
        pub(crate) fn new() -> Self {
            // The error with its sender, and what sockets here have asked for besides: where to, marks, time.
            type Marks = [i32; 4];
            Self {
                control: cmsg_space!(
                    sock_extended_err,
                    sockaddr_in6,
                    in_pktinfo,
                    in6_pktinfo,
                    Marks,
                    timespec
                ),
            }
        }

        /// The oldest message of a socket's queue.
        pub(crate) fn read(&mut self, socket: &Socket) -> Option<Report> {
            // What the message quotes of the datagram is of no use here.
            let mut quoted = [0; 1];
            let mut slices = [IoSliceMut::new(&mut quoted)];
            let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
            let message =
                recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut self.control), flags)
                    .ok()?;
            let remote = message.address.and_then(|address| {
                let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from((v4.ip(), v4.port())));
                v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from((v6.ip(), v6.port()))))
            });
            let (mut error, mut to) = (None, None);
            for control in message.cmsgs().ok()? {
                match control {
                    ControlMessageOwned::Ipv4RecvErr(e, _) | ControlMessageOwned::Ipv6RecvErr(e, _) => {
                        error = icmp(&e);
                    }
                    ControlMessageOwned::Ipv4PacketInfo(info) => {
                        to = Some(IpAddr::from(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
                    }
                    ControlMessageOwned::Ipv6PacketInfo(info) => {
                        to = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical());
                    }
                    _ => {}
                }
            }
            match (remote, error) {
                (Some(remote), Some(error)) => Some(Report::Icmp { remote, to, error }),
                _ => Some(Report::Other),
            }
        }
    }

    /// What the kernel has put into its own words; errors that did not come by ICMP are none of the network's.
    fn icmp(error: &sock_extended_err) -> Option<IcmpError> {
        let sock_extended_err { ee_origin, ee_type, ee_code, ee_info, .. } = *error;
        match ee_origin {
            SO_EE_ORIGIN_ICMP => Some(IcmpError::v4(ee_type, ee_code, ee_info)),
            SO_EE_ORIGIN_ICMP6 => Some(IcmpError::v6(ee_type, ee_code, ee_info)),
            _ => None,
        }
    }
    #[cfg(test)]
    mod tests {
        use ginnel_core::IcmpError;

        use super::*;

        #[test]
        fn type_code_and_mtu_are_those_of_icmp() {
            let error = |ee_origin, ee_type, ee_code, ee_info| sock_extended_err {
                ee_errno: 90, // EMSGSIZE
                ee_origin,
                ee_type,
                ee_code,
                ee_pad: 0,
                ee_info,
                ee_data: 0,
            };
            let too_big = icmp(&error(SO_EE_ORIGIN_ICMP, 3, 4, 1_400));
            assert_eq!(too_big, Some(IcmpError::v4(3, 4, 1_400)));
            assert_eq!(too_big.and_then(|error| error.mtu()), Some(1_400));
            assert_eq!(icmp(&error(SO_EE_ORIGIN_ICMP6, 2, 0, 1_280)), Some(IcmpError::v6(2, 0, 1_280)));
            assert_eq!(icmp(&error(1, 0, 0, 1_500)), None, "the interface's own limit (SO_EE_ORIGIN_LOCAL)");
        }
    }
}
