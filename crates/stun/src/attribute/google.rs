//! What libwebrtc adds to ICE, and other stacks understand. Comprehension-optional, and in no RFC.
//!
//! ```text
//!  NOMINATION    0xC001   4 octets   the number of the nomination; the highest wins (draft-thatcher-ice-renomination)
//!  NETWORK-COST  0xC057   4 octets   network id (16 bits), network cost (16 bits, 0 is cheapest, 999 the most)
//! ```

use crate::{
    attribute::{Attribute, AttributeType, Malformed, number_attribute},
    message::TransactionId,
};

/// NOMINATION: nominates as USE-CANDIDATE does, and may be followed by another of a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nomination(pub u32);
number_attribute!(Nomination, u32, NOMINATION);

/// NETWORK-COST: how dear the network below the candidate is (Wi-Fi, cellular, VPN).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkCost {
    /// Which network of the sender's.
    pub network_id: u16,
    /// What it costs: 0 is wired or unknown-to-be-dear, larger is dearer.
    pub cost: u16,
}
impl Attribute<'_> for NetworkCost {
    const TYPE: AttributeType = AttributeType::NETWORK_COST;
    fn parse(value: &[u8], _: TransactionId) -> Result<Self, Malformed> {
        let &[n0, n1, c0, c1] = value else { return Err(Malformed::Length) };
        Ok(Self { network_id: u16::from_be_bytes([n0, n1]), cost: u16::from_be_bytes([c0, c1]) })
    }
    fn encoded_len(&self) -> usize {
        4
    }
    fn write(&self, out: &mut [u8], _: TransactionId) {
        out[..2].copy_from_slice(&self.network_id.to_be_bytes());
        out[2..].copy_from_slice(&self.cost.to_be_bytes());
    }
}
