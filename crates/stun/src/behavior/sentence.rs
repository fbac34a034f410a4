//! The verdict as a paragraph: what stands between this host and others, and what that means for connecting.

use core::{fmt, time::Duration};

use super::verdict::{
    Alg, Filtering, Finding, Fragments, Hairpinning, Lifetime, Mapping, RefreshDirection, Unknown, Verdict,
};

use Finding::{Known, Unknown as Not};

/// A paragraph for people. It holds addresses, which are personal data: not for logs that leave the host.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mapped, self.is_translated()) {
            (Known(mapped), Some(true)) => {
                write!(f, "You are behind a NAT: {} sees you as {mapped}.", self.server)?;
                self.mapping_of_nat(f)?;
            }
            (Known(mapped), _) => {
                write!(
                    f,
                    "No NAT stands between you and {}: it sees you as {mapped}, your own address.",
                    self.server
                )?;
            }
            (Not(why), _) => return self.not_reached(f, why),
        }
        self.filtering(f)?;
        self.connecting(f)?;
        self.hairpinning(f)?;
        self.lifetime(f)?;
        self.rest(f)
    }
}

impl Verdict {
    fn not_reached(&self, f: &mut fmt::Formatter<'_>, why: Unknown) -> fmt::Result {
        write!(f, "Nothing can be said of NATs between you and {}: {why}.", self.server)?;
        f.write_str(match why {
            Unknown::NoAnswer => {
                " Try another server; if none answers, UDP is blocked, and only TCP, or a relay over TCP or TLS, connects \
                 you."
            }
            Unknown::Unreachable => " Look whether its address and port are right, or try another server.",
            Unknown::Refused(401) => " It wants a user name and a password that it knows.",
            _ => "",
        })
    }
    fn mapping_of_nat(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mapping {
            Known(mapping) => {
                let meaning = match mapping {
                    Mapping::EndpointIndependent => "every peer sees you at that address",
                    Mapping::AddressDependent => "peers at different addresses see you at different ports",
                    Mapping::AddressAndPortDependent => {
                        "each peer, and each port of a peer, sees you at a port of its own"
                    }
                };
                write!(f, " Its mapping is {mapping}: {meaning}.")
            }
            Not(why) => write!(f, " How its mapping depends on the peer is not known: {why}."),
        }
    }
    fn filtering(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter =
            if self.is_translated() == Some(true) { "Its" } else { "A firewall stands there, and its" };
        match self.filtering {
            Known(Filtering::EndpointIndependent) if self.is_translated() == Some(false) => {
                f.write_str(" Nothing filters what peers send to you, once you have sent to anybody.")
            }
            Known(filtering) => {
                let who = match filtering {
                    Filtering::EndpointIndependent => "anybody, once you have sent to anybody",
                    Filtering::AddressDependent => "the addresses that you have sent to, from any port",
                    Filtering::AddressAndPortDependent => {
                        "only the addresses and ports that you have sent to"
                    }
                };
                write!(f, " {filter} filtering is {filtering}: it lets in {who}.")
            }
            Not(Unknown::NotAsked) => Ok(()),
            Not(why) => write!(f, " Who is let in is not known: {why}."),
        }
    }
    /// Two hosts connect directly when one learns from where the other's packets come before its filter must know:
    /// by what mapping and filtering of both sides are.
    fn connecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Filtering as F;
        use Mapping as M;
        f.write_str(match (self.mapping, self.filtering) {
            (Known(M::EndpointIndependent), Known(F::EndpointIndependent | F::AddressDependent)) => {
                " Direct connections work with peers behind any kind of NAT, as long as UDP passes on their side."
            }
            (Known(M::EndpointIndependent), Known(F::AddressAndPortDependent)) => {
                " Direct connections work with most peers; only a relay connects you to those behind a NAT whose mapping \
                 depends on the peer."
            }
            (Known(M::EndpointIndependent), Not(_)) => {
                " Direct connections work with most peers; those behind a NAT whose mapping depends on the peer may need a \
                 relay."
            }
            (Known(M::AddressDependent), Known(F::EndpointIndependent | F::AddressDependent)) => {
                " Only a relay connects you to peers behind a NAT or firewall that filters by address and port; direct \
                 connections work with all others."
            }
            (Known(M::AddressAndPortDependent), Known(F::EndpointIndependent | F::AddressDependent)) => {
                " Only a relay connects you to peers behind a NAT whose mapping is address-and-port-dependent as well, or \
                 behind a NAT or firewall that filters by address and port; direct connections work with all others."
            }
            (Known(M::AddressDependent | M::AddressAndPortDependent), Known(F::AddressAndPortDependent)) => {
                " Only a relay connects you to peers behind a NAT whose mapping depends on the peer as well, or behind a \
                 NAT or firewall that filters by address and port; direct connections work with all others."
            }
            (Known(M::AddressDependent | M::AddressAndPortDependent), Not(_)) => {
                " Only a relay connects you to peers behind a NAT or firewall that filters by address and port, and \
                 perhaps to those behind a NAT whose mapping depends on the peer as well; direct connections work with \
                 all others."
            }
            (Not(_), _) => " Have a relay at hand: which peers can be reached directly is not known.",
        })
    }
    fn hairpinning(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hairpinning {
            Known(Hairpinning::None) => f.write_str(
                " It does not hairpin: two hosts behind it reach each other by their local addresses or a relay only.",
            ),
            Known(Hairpinning::InternalSource) => f.write_str(
                " It hairpins, and shows local addresses in doing so: two hosts behind it reach each other, but not \
                 where the answer must come from the address that was asked.",
            ),
            Known(Hairpinning::ExternalSource) => {
                f.write_str(" It hairpins: two hosts behind it reach each other by their mapped addresses.")
            }
            Not(Unknown::NotAsked | Unknown::NotTranslated) => Ok(()),
            Not(why) => write!(f, " Whether it hairpins is not known: {why}."),
        }
    }
    fn lifetime(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lifetime { at_least, at_most, refresh } = match self.lifetime {
            Known(lifetime) => lifetime,
            Not(Unknown::NotAsked) => return Ok(()),
            Not(why) => return write!(f, " How long a path stays open without traffic is not known: {why}."),
        };
        let Some(at_most) = at_most else {
            return write!(f, " A path stays open without traffic for at least {}.", Seconds(at_least));
        };
        let (at_least, at_most) = (Seconds(at_least), Rounded(at_most));
        write!(f, " A path that nobody uses closes after {at_least} to {at_most}")?;
        f.write_str(match refresh {
            Known(RefreshDirection::Outbound) => "; only what you send keeps it open.",
            Known(RefreshDirection::OutboundAndInbound) => "; what you receive keeps it open as well.",
            Not(_) => ".",
        })
    }
    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.fragments == Known(Fragments::Lost) {
            f.write_str(" Datagrams that need fragments do not come through: keep them below the MTU.")?;
        }
        if self.alg == Known(Alg::Generic) {
            f.write_str(
                " Something rewrites addresses in what you send or receive (a generic ALG): encrypt messages that hold addresses.",
            )?;
        }
        Ok(())
    }
}

/// Whole seconds, not more than there are.
struct Seconds(Duration);
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs())
    }
}
/// Whole seconds, not fewer than there are.
struct Rounded(Duration);
impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = u64::from(self.0.subsec_nanos() > 0);
        write!(f, "{} s", self.0.as_secs().saturating_add(more))
    }
}
