//! Signalling: descriptions go to the negotiator, and what it has agreed on goes to ICE, DTLS and SCTP.
//!
//! No SDP logic is here: which sections, codecs and roles come of an offer and an answer is `ginnel_sdp::jsep`'s.

use ginnel_core::{Instant, Rng};
use ginnel_ice::{CandidateKind, Credentials, Role as IceRole, State as IceState};
use ginnel_sdp::{
    Media, Session as Description,
    attribute::{Candidate, Direction, Mid},
    jsep::{
        CandidateVerdict, LocalTransport, MediaKind, Misuse, NegotiationError, SdpType, Sending,
        TransceiverId,
    },
};

use super::{Life, Peer};
use crate::{CandidateError, DescriptionError, Event, candidate as convert};

/// How many candidates are kept that came before the answer to their offer. Browsers have a dozen.
pub(super) const MAX_EARLY_CANDIDATES: usize = 64;

/// What candidates of ours are named after: the transport of a description that we have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) ufrag: String,
    pub(super) mid: String,
    pub(super) line_index: usize,
}

impl Peer {
    /// Wants an audio or video section in the next offer. What it sends gets an SSRC, and a second one for retransmissions.
    ///
    /// # Errors
    /// When `kind` is not media, or there are too many sections.
    pub fn add_transceiver(
        &mut self,
        kind: MediaKind,
        direction: Direction,
    ) -> Result<TransceiverId, Misuse> {
        let id = self.negotiator.add_transceiver(kind, direction)?;
        self.name_streams();
        Ok(id)
    }

    /// Makes an offer of everything that is wanted, and applies it. Data is wanted once a channel was opened.
    ///
    /// Where candidates cannot follow a description ([`PeerConfig::trickle`](crate::PeerConfig::trickle) is off), call it
    /// after [`Event::GatheringComplete`].
    ///
    /// # Errors
    /// When an exchange is under way, or nothing was wanted.
    pub fn offer(&mut self, now: Instant) -> Result<String, DescriptionError> {
        self.check_open()?;
        if self.phases.started.is_none() {
            self.agent.set_role(IceRole::Controlling);
        }
        let transport = self.local_transport();
        let offer = self.negotiator.create_offer(&transport)?;
        let (text, tagged) = (offer.to_string(), tagged_section(&offer));
        self.negotiator.set_local(SdpType::Offer, offer)?;
        self.described =
            tagged.map(|(line_index, mid)| Described { ufrag: transport.ufrag, mid, line_index });
        self.look_at_agent(now);
        Ok(text)
    }

    /// Answers the peer's offer, and applies the answer: checks begin at once.
    ///
    /// Where candidates cannot follow a description, call it after [`Event::GatheringComplete`].
    ///
    /// # Errors
    /// When there is no offer, or it cannot be answered.
    pub fn answer(&mut self, now: Instant) -> Result<String, DescriptionError> {
        self.check_open()?;
        if self.negotiator.remote_restarts_ice() && !self.has_restarted() {
            self.agent.restart(now);
            self.look_at_agent(now);
        }
        let answer = self.negotiator.create_answer(&self.local_transport())?;
        let text = answer.to_string();
        self.negotiator.set_local(SdpType::Answer, answer)?;
        self.apply_agreement(now)?;
        Ok(text)
    }

    /// Takes the peer's offer and answers it: [`set_remote`](Self::set_remote) and [`answer`](Self::answer) in one.
    ///
    /// # Errors
    /// Those of either. If it is the answer that fails, the offer is pending: [`rollback`](Self::rollback) forgets it.
    pub fn accept_offer(&mut self, now: Instant, offer: &str) -> Result<String, DescriptionError> {
        self.set_remote(now, SdpType::Offer, offer)?;
        self.answer(now)
    }

    /// Takes the peer's answer to our offer: checks begin.
    ///
    /// # Errors
    /// As for [`set_remote`](Self::set_remote).
    pub fn accept_answer(&mut self, now: Instant, answer: &str) -> Result<(), DescriptionError> {
        self.set_remote(now, SdpType::Answer, answer)
    }

    /// Applies a description of the peer.
    ///
    /// # Errors
    /// When it is not SDP, does not fit the state of the exchange, or cannot be agreed on. Nothing has changed then.
    pub fn set_remote(&mut self, now: Instant, kind: SdpType, sdp: &str) -> Result<(), DescriptionError> {
        self.check_open()?;
        let description = Description::parse(sdp)?;
        self.negotiator.set_remote(kind, description)?;
        if kind == SdpType::Offer {
            if self.phases.started.is_none() {
                self.agent.set_role(IceRole::Controlled);
            }
            // Those of an offer that this one replaces are in this one.
            self.forget_early();
            self.name_streams();
            return Ok(());
        }
        self.apply_agreement(now)
    }

    /// Forgets the offer that is under way, ours or the peer's.
    ///
    /// # Errors
    /// When there is none.
    pub fn rollback(&mut self) -> Result<(), NegotiationError> {
        self.negotiator.rollback()?;
        self.forget_early();
        self.describe_agreed();
        Ok(())
    }

    fn forget_early(&mut self) {
        self.early_candidates.clear();
        self.early_end = false;
    }

    /// Our description with the candidates that have been gathered by now: what goes to the peer where candidates cannot
    /// follow. `None` before the first offer or answer.
    #[must_use]
    pub fn local_description(&self) -> Option<String> {
        self.negotiator.local_description(&self.local_transport()).map(|description| description.to_string())
    }

    /// New credentials and candidates for ICE, to be told by the next [`offer`](Peer::offer). What works goes on working
    /// until something new does. Addresses that were lost may be added again.
    ///
    /// There is no way back: until that offer is answered, an offer of the peer that does not restart ICE too cannot be.
    pub fn restart_ice(&mut self, now: Instant) {
        self.agent.restart(now);
        self.look_at_agent(now);
    }

    /// A candidate that the peer trickled: `candidate:...`, for the section `mid`.
    ///
    /// # Errors
    /// When it is of no use; the others are not affected.
    pub fn add_ice_candidate(
        &mut self,
        now: Instant,
        mid: Option<&str>,
        line: &str,
    ) -> Result<(), CandidateError> {
        if self.life != Life::Open {
            return Err(CandidateError::Closed);
        }
        let candidate = Candidate::from_line(line)?;
        match self.negotiator.candidate_verdict(mid, None, &candidate) {
            CandidateVerdict::Early => return Err(CandidateError::NoRemoteDescription),
            CandidateVerdict::Refused(why) => return Err(CandidateError::Refused(why)),
            CandidateVerdict::Use => {}
            // For a transport that the bundle does not have, or a generation that is over: not wrong, just of no use.
            _ => return Ok(()),
        }
        if self.negotiator.signaling_state() == ginnel_sdp::jsep::SignalingState::HaveRemoteOffer {
            // It belongs to credentials that are agreed on only by our answer.
            if self.early_candidates.len() >= MAX_EARLY_CANDIDATES {
                return Err(CandidateError::TooManyEarly { limit: MAX_EARLY_CANDIDATES });
            }
            self.early_candidates.push(candidate.into_owned());
            return Ok(());
        }
        self.add_candidate(now, &candidate)?;
        self.look_at_agent(now);
        Ok(())
    }

    /// The peer has said that no more candidates will come.
    pub fn end_of_remote_candidates(&mut self, now: Instant) {
        if self.life != Life::Open {
            return;
        }
        let is_pending =
            self.negotiator.signaling_state() == ginnel_sdp::jsep::SignalingState::HaveRemoteOffer;
        if is_pending || self.agent.remote_credentials().is_none() {
            // It is about candidates of a description that is not agreed on yet.
            self.early_end = true;
            return;
        }
        self.agent.end_of_remote_candidates(now);
        self.look_at_agent(now);
    }

    fn add_candidate(&mut self, now: Instant, candidate: &Candidate<'_>) -> Result<(), CandidateError> {
        let candidate = convert::from_sdp(candidate).ok_or(CandidateError::UnknownKind)?;
        Ok(self.agent.add_remote_candidate(now, candidate)?)
    }

    fn check_open(&self) -> Result<(), DescriptionError> {
        if self.life == Life::Open { Ok(()) } else { Err(DescriptionError::Closed) }
    }

    /// Our side of the transport as it is now.
    fn local_transport(&self) -> LocalTransport {
        let credentials = self.agent.local_credentials();
        let fingerprint = convert::fingerprint_to_sdp(&self.config.certificate);
        // Peer-reflexive ones are known to whoever showed them to us (RFC 8445 section 7.2.5.3.1).
        let told = self.agent.local_candidates().filter(|c| c.kind != CandidateKind::PeerReflexive);
        let candidates = told.map(|candidate| convert::to_sdp(candidate, &credentials.ufrag)).collect();
        LocalTransport::new(&*credentials.ufrag, &*credentials.password, fingerprint)
            .with_candidates(candidates, self.agent.is_gathering_complete())
            .with_trickle(self.config.trickle)
    }

    /// Whether our credentials are others already than those agreed on.
    fn has_restarted(&self) -> bool {
        let agreed = self.negotiator.negotiated().and_then(|agreed| agreed.transport.as_ref());
        agreed.is_some_and(|transport| transport.local_ufrag != self.agent.local_credentials().ufrag)
    }

    /// From now on candidates of ours are named after the section whose transport all share.
    fn describe_agreed(&mut self) {
        let agreed = self.negotiator.negotiated().and_then(|agreed| agreed.transport.as_ref());
        self.described = agreed.map(|transport| Described {
            ufrag: transport.local_ufrag.clone(),
            mid: transport.mid.clone(),
            line_index: transport.index,
        });
    }

    /// Gives ICE, DTLS and SCTP what was agreed on.
    fn apply_agreement(&mut self, now: Instant) -> Result<(), DescriptionError> {
        let Some(agreed) = self.negotiator.negotiated().cloned() else { return Ok(()) };
        self.stats.sources_forgotten += self.routes.update(&agreed);
        self.describe_agreed();
        if let Some(transport) = &agreed.transport {
            let credentials = Credentials::new(&*transport.remote_ufrag, &*transport.remote_password)?;
            if transport.remote_lite {
                // RFC 8445 section 6.1.1: a lite agent cannot nominate.
                self.agent.set_role(IceRole::Controlling);
            }
            if self.agent.state() != IceState::Closed {
                self.phases.started.get_or_insert(now);
                self.agent.set_remote_credentials(now, credentials)?;
            }
            let early = std::mem::take(&mut self.early_candidates);
            for candidate in transport.remote_candidates.iter().chain(&early) {
                // One that is of no use leaves the others.
                let _ = self.add_candidate(now, candidate);
            }
            if transport.end_of_candidates || std::mem::take(&mut self.early_end) {
                self.agent.end_of_remote_candidates(now);
            }
            if transport.dtls_restarted {
                self.drop_session(now);
            }
        }
        if let (Some(association), Some(sctp)) = (&mut self.association, &agreed.sctp) {
            let longest = usize::try_from(sctp.remote_max_message_size).unwrap_or(usize::MAX);
            association.set_remote_max_message_size(longest);
        }
        self.events.push(Event::Negotiated);
        self.look_at_agent(now);
        self.begin_association(now);
        Ok(())
    }

    /// Gives every transceiver that may send the SSRCs and names that it sends under.
    fn name_streams(&mut self) {
        let nameless: Vec<TransceiverId> =
            self.negotiator.transceivers().filter(|t| t.sending.is_none()).map(|t| t.id).collect();
        for id in nameless {
            let sending = Sending {
                ssrc: ssrc(&mut self.rng),
                rtx_ssrc: Some(ssrc(&mut self.rng)),
                cname: self.cname.clone(),
                stream: "ginnel".to_string(),
                track: word(&mut self.rng),
            };
            // They are words of letters and digits, so there is nothing to refuse.
            let _ = self.negotiator.set_sending(id, sending);
        }
    }
}

/// RFC 9143 section 7.2: the section of an offer whose transport the bundle is offered: the first that is in use.
fn tagged_section(offer: &Description) -> Option<(usize, String)> {
    let in_use = |media: &&Media| media.line().port != 0;
    let index = offer.media().iter().position(|media| in_use(&media))?;
    Some((index, offer.media().get(index)?.get::<Mid<'_>>()?.0.to_string()))
}

/// RFC 3550 section 8: random; zero looks like a mistake to some, so it is not drawn.
fn ssrc(rng: &mut Rng) -> u32 {
    u32::from_be_bytes(rng.octets()).max(1)
}

/// RFC 7022 section 4.2: a name of 96 random bits.
pub(super) fn word(rng: &mut Rng) -> String {
    let octets: [u8; 12] = rng.octets();
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
