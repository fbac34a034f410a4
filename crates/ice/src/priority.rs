//! Priorities of candidates and of pairs: RFC 8445 sections 5.1.2.1, 5.1.2.2 and 6.1.2.3, as pure functions.
//!
//! Left out: the interleaving of address families of RFC 8421; local preferences follow the order in which addresses
//! were added.

use crate::{CandidateKind, Role};

/// RFC 8445 section 5.1.2.1: `2^24 * type preference + 2^8 * local preference + (256 - component)`.
///
/// ```
/// use ginnel_ice::{CandidateKind, candidate_priority};
/// assert_eq!(candidate_priority(CandidateKind::Host, 65_535, 1), 2_130_706_431);
/// assert_eq!(candidate_priority(CandidateKind::ServerReflexive, 65_535, 1), 1_694_498_815);
/// ```
#[must_use]
pub const fn candidate(kind: CandidateKind, local_preference: u16, component: u16) -> u32 {
    let component = if component > 256 { 256 } else { component };
    type_preference(kind) << 24 | (local_preference as u32) << 8 | (256 - component as u32)
}

/// RFC 8445 section 5.1.2.2.
const fn type_preference(kind: CandidateKind) -> u32 {
    match kind {
        CandidateKind::Host => 126,
        CandidateKind::PeerReflexive => 110,
        CandidateKind::ServerReflexive => 100,
        CandidateKind::Relayed => 0,
    }
}

/// RFC 8445 section 6.1.2.3: `2^32 * MIN(G, D) + 2 * MAX(G, D) + (G > D ? 1 : 0)`, with `G` the controlling agent's
/// priority. `role` is ours, so that both sides come to one value.
///
/// ```
/// use ginnel_ice::{Role, pair_priority};
/// assert_eq!(pair_priority(Role::Controlling, 7, 3), (3 << 32) + 2 * 7 + 1);
/// assert_eq!(pair_priority(Role::Controlled, 3, 7), pair_priority(Role::Controlling, 7, 3));
/// ```
#[must_use]
pub const fn pair(role: Role, local: u32, remote: u32) -> u64 {
    let (g, d) = match role {
        Role::Controlling => (local as u64, remote as u64),
        Role::Controlled => (remote as u64, local as u64),
    };
    // Only priorities beyond 2^31 - 1, which no candidate may have, come near the end of the range.
    let (min, max, tie) = if g > d { (d, g, 1) } else { (g, d, 0) };
    (min << 32).saturating_add(2 * max + tie)
}
