//! The negotiator itself: checks first, then one arrow of the state diagram; after an error nothing has changed.

use super::agree::{Exchange, media_kind};
use super::answer::{AnswerInput, restarted};
use super::config::{LocalTransport, NegotiatorConfig, Sending};
use super::description::Description;
use super::error::{Misuse, NegotiationError, PeerFault, Rejection};
use super::negotiated::{Negotiated, NegotiatedTransport};
use super::offer::{OfferInput, mids_seen};
use super::plan::Plan;
use super::state::{Signaling, Stable, Undo};
use super::transceiver::{Transceiver, TransceiverId};
use super::write;
use super::{MediaKind, SdpType, SignalingState};
use crate::Session;
use crate::attribute::{Candidate, Direction, IceUfrag, Refusal};
use crate::limits::MAX_SECTIONS;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

/// What to do with a trickled candidate: see [`Negotiator::candidate_verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CandidateVerdict {
    /// Give it to the ICE agent.
    Use,
    /// No remote description has come yet: keep it until then.
    Early,
    /// It is for a section that has no transport of its own in this bundle.
    OtherSection,
    /// It belongs to credentials that are not, or no longer, in force.
    OtherGeneration,
    /// It is of no use to anyone.
    Refused(Refusal),
}

/// What `create_offer` or `create_answer` made last.
#[derive(Clone, Debug)]
struct Created {
    is_offer: bool,
    mids: Vec<Option<String>>,
    associations: Vec<(TransceiverId, usize, String)>,
}

/// One side's half of offer and answer. See the [module](super) for the verbs.
#[derive(Debug)]
pub struct Negotiator {
    config: NegotiatorConfig,
    signaling: Signaling,
    transceivers: Vec<Transceiver>,
    next_transceiver: u32,
    data_wanted: bool,
    /// RFC 8829 section 5.2.2: grows with every description made.
    version: u64,
    /// The first mid that no description has named yet.
    next_mid: u32,
    created: Option<Created>,
    /// What holds now, be it provisional.
    negotiated: Option<Negotiated>,
    /// The transport of the last final answer.
    settled: Option<NegotiatedTransport>,
}

impl Negotiator {
    /// A negotiator without transceivers, in `stable`.
    #[must_use]
    pub fn new(config: NegotiatorConfig) -> Self {
        Negotiator {
            config,
            signaling: Signaling::Stable(Stable::default()),
            transceivers: Vec::new(),
            next_transceiver: 0,
            data_wanted: false,
            version: 0,
            next_mid: 0,
            created: None,
            negotiated: None,
            settled: None,
        }
    }

    /// The configuration it was made with.
    #[must_use]
    pub fn config(&self) -> &NegotiatorConfig {
        &self.config
    }

    /// The signaling state.
    #[must_use]
    pub fn signaling_state(&self) -> SignalingState {
        self.signaling.name()
    }

    /// The transceivers, in the order in which they were made.
    pub fn transceivers(&self) -> impl Iterator<Item = &Transceiver> {
        self.transceivers.iter()
    }

    /// One transceiver.
    #[must_use]
    pub fn transceiver(&self, id: TransceiverId) -> Option<&Transceiver> {
        self.transceivers.iter().find(|transceiver| transceiver.id == id)
    }

    /// What holds now: the last answer, or the provisional one that is under way. `None` before the first.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// The peer's description: the pending one, or else the current one.
    #[must_use]
    pub fn remote_description(&self) -> Option<&Session> {
        self.signaling.remote()
    }

    /// Our description, the pending one or else the current one, with what ICE has gathered since. Where nothing is
    /// trickled, this is what goes to the peer once gathering is complete.
    #[must_use]
    pub fn local_description(&self, transport: &LocalTransport) -> Option<Session> {
        let mut session = self.signaling.local()?.clone();
        let ufrag = transport.ufrag.as_str();
        let is_ours = |session: &Session, index: usize| {
            session
                .media()
                .get(index)
                .and_then(|m| m.get::<IceUfrag<'_>>())
                .is_some_and(|found| found.0 == ufrag)
        };
        let mut port = None;
        for index in 0..session.media().len() {
            if is_ours(&session, index)
                && let Some(media) = session.media_mut().get_mut(index)
            {
                media.remove("candidate");
                media.remove("end-of-candidates");
                write::push_candidates(media, transport);
                port = Some(media.line().port);
            }
        }
        for media in session.media_mut() {
            if let Some(port) = port.filter(|_| media.line().port != 0) {
                media.set_port(port);
            }
        }
        Some(session)
    }

    /// An audio or video section to be offered. It is never matched with one that the peer offers (RFC 8829 section
    /// 4.1.5, `addTransceiver`); those make transceivers of their own.
    pub fn add_transceiver(
        &mut self,
        kind: MediaKind,
        direction: Direction,
    ) -> Result<TransceiverId, Misuse> {
        if kind == MediaKind::Application {
            return Err(Misuse::NotMedia);
        }
        self.new_transceiver(kind, direction, false)
    }

    fn new_transceiver(
        &mut self,
        kind: MediaKind,
        direction: Direction,
        remote_made: bool,
    ) -> Result<TransceiverId, Misuse> {
        if self.transceivers.len() >= MAX_TRANSCEIVERS {
            return Err(Misuse::TooManySections);
        }
        let id = TransceiverId(self.next_transceiver);
        self.next_transceiver = self.next_transceiver.wrapping_add(1);
        let association = None;
        let sending = None;
        self.transceivers.push(Transceiver {
            id,
            kind,
            direction,
            sending,
            stopped: false,
            remote_made,
            association,
        });
        Ok(id)
    }

    /// A section for data channels in the next offer, if there is none yet.
    pub fn add_data(&mut self) {
        self.data_wanted = true;
    }

    /// What we would like of a transceiver, from the next description on.
    pub fn set_direction(&mut self, id: TransceiverId, direction: Direction) -> Result<(), Misuse> {
        self.transceiver_mut(id)?.direction = direction;
        Ok(())
    }

    /// What a transceiver sends, from the next description on.
    pub fn set_sending(&mut self, id: TransceiverId, sending: Sending) -> Result<(), Misuse> {
        // What cannot be written is refused now, where the caller sees which value it was.
        let mut probe = crate::Media::new("audio", 9, "UDP/TLS/RTP/SAVPF", "0")?;
        write::push_sending(&mut probe, Some(&sending), true)?;
        self.transceiver_mut(id)?.sending = Some(sending);
        Ok(())
    }

    /// Ends a transceiver: its section is rejected in the next description and may then be used again.
    pub fn stop(&mut self, id: TransceiverId) -> Result<(), Misuse> {
        self.transceiver_mut(id)?.stopped = true;
        Ok(())
    }

    fn transceiver_mut(&mut self, id: TransceiverId) -> Result<&mut Transceiver, Misuse> {
        let found = self.transceivers.iter_mut().find(|transceiver| transceiver.id == id);
        found.ok_or(Misuse::UnknownTransceiver)
    }

    /// Makes an offer of everything wanted (RFC 8829 section 5.2). New credentials in `transport` restart ICE.
    pub fn create_offer(&mut self, transport: &LocalTransport) -> Result<Session, NegotiationError> {
        if !matches!(self.signaling, Signaling::Stable(_) | Signaling::LocalOffer(_)) {
            return Err(self.wrong_state("create_offer").into());
        }
        write::check_transport(transport)?;
        let local = self.signaling.local().map(Description::of).transpose()?;
        let agreed = self.signaling.agreed();
        let agreed_local = agreed.map(|agreed| Description::of(&agreed.local)).transpose()?;
        let agreed_remote = agreed.map(|agreed| Description::of(&agreed.remote)).transpose()?;
        let made = OfferInput {
            config: &self.config,
            transceivers: &self.transceivers,
            transport,
            data_wanted: self.data_wanted,
            version: self.version + 1,
            next_mid: self.next_mid,
            local: local.as_ref(),
            agreed: agreed_local.as_ref().zip(agreed_remote.as_ref()),
        }
        .offer()?;
        self.version += 1;
        self.created =
            Some(Created { is_offer: true, mids: mids(&made.session), associations: made.associations });
        Ok(made.session)
    }

    /// Makes an answer to the pending offer (RFC 8829 section 5.3).
    pub fn create_answer(&mut self, transport: &LocalTransport) -> Result<Session, NegotiationError> {
        let offer = self.signaling.remote_offer().ok_or_else(|| self.wrong_state("create_answer"))?;
        write::check_transport(transport)?;
        let offer = Description::of(offer)?;
        let plan = self.plan(&offer)?;
        if let (Some(tagged), Some(before)) = (plan.tagged, &self.settled) {
            match (restarted(&offer, tagged, before), transport.ufrag == before.local_ufrag) {
                (true, true) => return Err(Misuse::RestartNeedsNewCredentials.into()),
                (false, false) => return Err(Misuse::RestartNotOffered.into()),
                _ => {}
            }
        }
        let input = AnswerInput {
            config: &self.config,
            transceivers: &self.transceivers,
            transport,
            before: self.settled.as_ref(),
            version: self.version + 1,
        };
        let session = input.answer(&offer, &plan)?;
        self.version += 1;
        self.created = Some(Created { is_offer: false, mids: mids(&session), associations: Vec::new() });
        Ok(session)
    }

    fn plan(&self, offer: &Description<'_>) -> Result<Plan, PeerFault> {
        let stopped: Vec<usize> =
            self.transceivers.iter().filter(|t| t.stopped).filter_map(Transceiver::index).collect();
        let plan = Plan::of(offer, &self.config, |index| stopped.contains(&index))?;
        if let Some(index) = plan.tagged {
            if offer.password(index).is_none() {
                return Err(PeerFault::NoIceCredentials { index });
            }
            if offer.fingerprints(index).is_empty() {
                return Err(PeerFault::NoFingerprint { index });
            }
        }
        Ok(plan)
    }

    /// Whether the pending offer of the peer restarts ICE: then the agent is to be restarted before `create_answer`.
    #[must_use]
    pub fn remote_restarts_ice(&self) -> bool {
        let Some(before) = &self.settled else { return false };
        let offer = self.signaling.remote_offer().and_then(|offer| Description::of(offer).ok());
        let plan = offer.as_ref().and_then(|offer| self.plan(offer).ok());
        match (offer, plan.and_then(|plan| plan.tagged)) {
            (Some(offer), Some(tagged)) => restarted(&offer, tagged, before),
            _ => false,
        }
    }

    /// Applies a description of ours: the last one that `create_offer` or `create_answer` made.
    pub fn set_local(&mut self, kind: SdpType, description: Session) -> Result<(), NegotiationError> {
        let is_offer = kind == SdpType::Offer;
        let right_state = match self.signaling {
            Signaling::Stable(_) | Signaling::LocalOffer(_) => is_offer,
            Signaling::RemoteOffer(_) | Signaling::LocalPranswer(_) => !is_offer,
            _ => false,
        };
        if !right_state {
            return Err(self
                .wrong_state(if is_offer { "set_local(offer)" } else { "set_local(answer)" })
                .into());
        }
        let created = self.created.as_ref().filter(|created| created.is_offer == is_offer);
        let created = created.filter(|created| created.mids == mids(&description));
        let created = created.ok_or(Misuse::NotTheCreatedDescription)?;
        if !is_offer {
            return self.answer_locally(kind, description);
        }
        self.next_mid = mids_seen(self.next_mid, &Description::of(&description)?);
        let undo = self.undo();
        let associations = created.associations.clone();
        self.created = None;
        self.signaling = match mem::replace(&mut self.signaling, Signaling::Closed) {
            Signaling::Stable(stable) => Signaling::LocalOffer(stable.on_local_offer(description, undo)),
            Signaling::LocalOffer(state) => Signaling::LocalOffer(state.on_local_offer(description)),
            other => other,
        };
        for (id, index, mid) in associations {
            // A section used again loses the transceiver that it had.
            for old in self.transceivers.iter_mut().filter(|t| t.index() == Some(index) && t.id != id) {
                old.association = None;
            }
            if let Ok(transceiver) = self.transceiver_mut(id) {
                transceiver.association = Some((index, mid));
            }
        }
        Ok(())
    }

    fn answer_locally(&mut self, kind: SdpType, answer: Session) -> Result<(), NegotiationError> {
        let offer = self.signaling.remote_offer().ok_or_else(|| self.wrong_state("set_local(answer)"))?;
        let remote = Description::of(offer)?;
        let local = Description::of(&answer)?;
        let reasons = self.plan(&remote)?.rejections;
        let negotiated = Exchange {
            local: &local,
            remote: &remote,
            we_offered: false,
            provisional: kind == SdpType::Pranswer,
            transceivers: &self.transceivers,
            reasons: &reasons,
            before: self.settled.as_ref(),
        }
        .negotiate()?;
        let provisional = negotiated.provisional;
        self.signaling = match (mem::replace(&mut self.signaling, Signaling::Closed), provisional) {
            (Signaling::RemoteOffer(state), false) => Signaling::Stable(state.on_local_answer(answer)),
            (Signaling::RemoteOffer(state), true) => {
                Signaling::LocalPranswer(state.on_local_pranswer(answer))
            }
            (Signaling::LocalPranswer(state), false) => Signaling::Stable(state.on_local_answer(answer)),
            (Signaling::LocalPranswer(state), true) => {
                Signaling::LocalPranswer(state.on_local_pranswer(answer))
            }
            (other, _) => other,
        };
        self.created = None;
        self.conclude(negotiated);
        Ok(())
    }

    /// Applies a description of the peer.
    pub fn set_remote(&mut self, kind: SdpType, description: Session) -> Result<(), NegotiationError> {
        match (kind, &self.signaling) {
            (SdpType::Offer, Signaling::Stable(_) | Signaling::RemoteOffer(_)) => self.offered(description),
            (
                SdpType::Answer | SdpType::Pranswer,
                Signaling::LocalOffer(_) | Signaling::RemotePranswer(_),
            ) => self.answered(kind, description),
            (SdpType::Offer, _) => Err(self.wrong_state("set_remote(offer)").into()),
            _ => Err(self.wrong_state("set_remote(answer)").into()),
        }
    }

    fn offered(&mut self, offer: Session) -> Result<(), NegotiationError> {
        let description = Description::of(&offer)?;
        self.check_sections(&description)?;
        self.plan(&description)?;
        let kinds: Vec<_> = description
            .sections
            .iter()
            .map(|section| {
                (media_kind(section).filter(|_| !section.is_rejected()), section.mid.map(String::from))
            })
            .collect();
        if self.transceivers.len() + kinds.len() > MAX_TRANSCEIVERS {
            return Err(Misuse::TooManySections.into());
        }
        self.next_mid = mids_seen(self.next_mid, &description);
        let undo = self.undo();
        self.created = None;
        self.signaling = match mem::replace(&mut self.signaling, Signaling::Closed) {
            Signaling::Stable(stable) => Signaling::RemoteOffer(stable.on_remote_offer(offer, undo)),
            Signaling::RemoteOffer(state) => {
                // A new offer replaces the one that was not answered: begin from before that one.
                self.restore(&state.undo);
                Signaling::RemoteOffer(state.on_remote_offer(offer))
            }
            other => other,
        };
        for (index, (kind, mid)) in kinds.into_iter().enumerate() {
            if let Some(kind) = kind {
                self.associate(index, kind, mid.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// RFC 3264 section 8, RFC 8829 section 5.10: sections never go away, and keep their mid while in use.
    fn check_sections(&self, offer: &Description<'_>) -> Result<(), PeerFault> {
        let Some(agreed) = self.signaling.agreed() else { return Ok(()) };
        let (before, offered) = (agreed.local.media().len(), offer.sections.len());
        if offered < before {
            return Err(PeerFault::SectionsRemoved { offered, before });
        }
        let old = Description::of(&agreed.local)?;
        let old_remote = Description::of(&agreed.remote)?;
        for (index, (ours, theirs)) in old.sections.iter().zip(&old_remote.sections).enumerate() {
            let dead = ours.is_rejected() || theirs.is_rejected();
            let now = offer.sections.get(index);
            let same = now
                .is_some_and(|now| now.is_rejected() || (now.mid == theirs.mid && now.kind == theirs.kind));
            if !dead && !same {
                return Err(PeerFault::MidChanged { index });
            }
        }
        Ok(())
    }

    /// RFC 8829 section 5.10: each media section has a transceiver, found or made.
    fn associate(&mut self, index: usize, kind: MediaKind, mid: String) -> Result<(), Misuse> {
        for old in self.transceivers.iter_mut().filter(|transceiver| transceiver.index() == Some(index)) {
            if old.kind == kind && old.mid() == Some(mid.as_str()) {
                return Ok(());
            }
            old.association = None;
        }
        let id = self.new_transceiver(kind, self.config.answer_direction, true)?;
        self.transceiver_mut(id)?.association = Some((index, mid));
        Ok(())
    }

    fn answered(&mut self, kind: SdpType, answer: Session) -> Result<(), NegotiationError> {
        let offer = self.signaling.local_offer().ok_or_else(|| self.wrong_state("set_remote(answer)"))?;
        let local = Description::of(offer)?;
        let remote = Description::of(&answer)?;
        let negotiated = Exchange {
            local: &local,
            remote: &remote,
            we_offered: true,
            provisional: kind == SdpType::Pranswer,
            transceivers: &self.transceivers,
            reasons: &[],
            before: self.settled.as_ref(),
        }
        .negotiate()?;
        let provisional = negotiated.provisional;
        self.signaling = match (mem::replace(&mut self.signaling, Signaling::Closed), provisional) {
            (Signaling::LocalOffer(state), false) => Signaling::Stable(state.on_remote_answer(answer)),
            (Signaling::LocalOffer(state), true) => {
                Signaling::RemotePranswer(state.on_remote_pranswer(answer))
            }
            (Signaling::RemotePranswer(state), false) => Signaling::Stable(state.on_remote_answer(answer)),
            (Signaling::RemotePranswer(state), true) => {
                Signaling::RemotePranswer(state.on_remote_pranswer(answer))
            }
            (other, _) => other,
        };
        self.conclude(negotiated);
        Ok(())
    }

    /// RFC 8829 section 5.11: after a final answer, what was rejected is stopped.
    fn conclude(&mut self, negotiated: Negotiated) {
        if !negotiated.provisional {
            for section in negotiated.sections.iter().filter(|section| section.rejected.is_some()) {
                for owner in self.transceivers.iter_mut().filter(|t| t.index() == Some(section.index)) {
                    owner.stopped = true;
                }
            }
            // Stopped and without a section: nothing will ever name it again.
            self.transceivers.retain(|transceiver| !transceiver.stopped || transceiver.association.is_some());
            if negotiated.transport.is_some() {
                self.settled.clone_from(&negotiated.transport);
            }
        }
        self.negotiated = Some(negotiated);
    }

    /// Back to `stable`, as before the pending offer (RFC 8829 section 5.7).
    pub fn rollback(&mut self) -> Result<(), NegotiationError> {
        let (stable, undo) = match mem::replace(&mut self.signaling, Signaling::Closed) {
            Signaling::LocalOffer(state) => state.on_rollback(),
            Signaling::RemoteOffer(state) => state.on_rollback(),
            other => {
                self.signaling = other;
                return Err(self.wrong_state("rollback").into());
            }
        };
        self.signaling = Signaling::Stable(stable);
        self.created = None;
        self.restore(&undo);
        Ok(())
    }

    fn undo(&self) -> Undo {
        Undo { associations: self.transceivers.iter().map(|t| (t.id, t.association.clone())).collect() }
    }

    /// Gives the transceivers the sections they had; those that the undone offer made go with it.
    fn restore(&mut self, undo: &Undo) {
        let had = |id: TransceiverId| undo.associations.iter().find(|(known, _)| *known == id);
        self.transceivers.retain(|transceiver| had(transceiver.id).is_some() || !transceiver.remote_made);
        for transceiver in &mut self.transceivers {
            transceiver.association = had(transceiver.id).and_then(|(_, association)| association.clone());
        }
    }

    /// Ends the negotiation for good.
    pub fn close(&mut self) {
        self.signaling = Signaling::Closed;
        self.created = None;
    }

    /// What to do with a candidate that the peer trickled for the section `mid`, or the section of that index; where
    /// neither is said, its `ufrag` decides (RFC 8829 section 4.1.19).
    #[must_use]
    pub fn candidate_verdict(
        &self,
        mid: Option<&str>,
        index: Option<usize>,
        candidate: &Candidate<'_>,
    ) -> CandidateVerdict {
        if let Some(refusal) = candidate.refusal() {
            return CandidateVerdict::Refused(refusal);
        }
        let Some(description) = self.signaling.remote().and_then(|remote| Description::of(remote).ok())
        else {
            return CandidateVerdict::Early;
        };
        let tagged = match self.signaling {
            Signaling::RemoteOffer(_) => self.plan(&description).ok().and_then(|plan| plan.tagged),
            _ => self.negotiated.as_ref().and_then(|n| n.transport.as_ref()).map(|transport| transport.index),
        };
        let Some(tagged) = tagged else { return CandidateVerdict::OtherSection };
        let section = match (mid, index) {
            (Some(mid), _) => description.sections.iter().position(|section| section.mid == Some(mid)),
            (None, Some(index)) => Some(index),
            (None, None) => Some(tagged),
        };
        if section != Some(tagged) {
            return CandidateVerdict::OtherSection;
        }
        match candidate.ufrag() {
            Some(ufrag) if Some(ufrag) != description.ufrag(tagged) => CandidateVerdict::OtherGeneration,
            _ => CandidateVerdict::Use,
        }
    }

    /// Why each section of the pending offer would be rejected, in order; `None` for those that we accept.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Option<Rejection>> {
        let offer = self.signaling.remote_offer().and_then(|offer| Description::of(offer).ok());
        offer.and_then(|offer| self.plan(&offer).ok()).map(|plan| plan.rejections).unwrap_or_default()
    }

    fn wrong_state(&self, verb: &'static str) -> Misuse {
        Misuse::WrongState { verb, state: self.signaling.name() }
    }
}

/// Stopped ones whose sections wait to be used again count too.
const MAX_TRANSCEIVERS: usize = 2 * MAX_SECTIONS;

fn mids(session: &Session) -> Vec<Option<String>> {
    session
        .media()
        .iter()
        .map(|media| media.get::<crate::attribute::Mid<'_>>().map(|mid| mid.0.into()))
        .collect()
}
