//! What a message is written into: a packet of the contract, or any octets of the caller's.

use core::fmt;

use ginnel_core::{NoRoom, Packet};

/// What a message can be written into: a [`Packet`] or a [`MessageBuffer`].
pub trait Room: private::Room {}
impl Room for Packet<'_> {}
impl Room for MessageBuffer<'_> {}

/// A message in octets of the caller's, where there is no [`Packet`].
///
/// ```
/// use ginnel_stun::{Class, Message, MessageBuffer, MessageWriter, Method, TransactionId, attribute::Software};
///
/// let mut octets = [0; 64];
/// let mut message = MessageBuffer::new(&mut octets);
/// MessageWriter::new(&mut message, Class::Request, Method::BINDING, TransactionId::new(*b"transactions"))?
///     .attribute(&Software::new("example")?)?
///     .fingerprint()?;
/// assert_eq!(message.octets().len(), 20 + 12 + 8);
/// assert!(Message::parse(message.octets()).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MessageBuffer<'a> {
    all: &'a mut [u8],
    len: usize,
}
impl<'a> MessageBuffer<'a> {
    /// Nothing yet, in `octets`: no longer message than these can be written.
    #[must_use]
    pub const fn new(octets: &'a mut [u8]) -> Self {
        Self { all: octets, len: 0 }
    }
    /// What was written: a whole message, or nothing.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.all.get(..self.len).unwrap_or_default()
    }
    /// The same, for as long as the caller's octets live.
    #[must_use]
    pub fn into_octets(self) -> &'a [u8] {
        let Self { all, len } = self;
        all.get(..len).unwrap_or_default()
    }
}
impl fmt::Debug for MessageBuffer<'_> {
    /// Its length: a message may hold secrets and addresses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBuffer").field("len", &self.len).finish_non_exhaustive()
    }
}

pub(super) mod private {
    use ginnel_core::NoRoom;

    /// What the writer needs: octets that are written, and octets behind them.
    pub trait Room {
        fn clear(&mut self);
        fn written(&self) -> &[u8];
        fn written_mut(&mut self) -> &mut [u8];
        fn spare(&mut self) -> &mut [u8];
        fn commit(&mut self, octets: usize) -> Result<(), NoRoom>;
    }
}
impl private::Room for Packet<'_> {
    #[inline]
    fn clear(&mut self) {
        Packet::clear(self);
    }
    #[inline]
    fn written(&self) -> &[u8] {
        self.bytes()
    }
    #[inline]
    fn written_mut(&mut self) -> &mut [u8] {
        self.bytes_mut()
    }
    #[inline]
    fn spare(&mut self) -> &mut [u8] {
        self.spare_mut()
    }
    #[inline]
    fn commit(&mut self, octets: usize) -> Result<(), NoRoom> {
        Packet::commit(self, octets)
    }
}
impl private::Room for MessageBuffer<'_> {
    #[inline]
    fn clear(&mut self) {
        self.len = 0;
    }
    #[inline]
    fn written(&self) -> &[u8] {
        self.octets()
    }
    #[inline]
    fn written_mut(&mut self) -> &mut [u8] {
        self.all.get_mut(..self.len).unwrap_or_default()
    }
    #[inline]
    fn spare(&mut self) -> &mut [u8] {
        self.all.get_mut(self.len..).unwrap_or_default()
    }
    #[inline]
    fn commit(&mut self, octets: usize) -> Result<(), NoRoom> {
        self.len = self.len.checked_add(octets).filter(|len| *len <= self.all.len()).ok_or(NoRoom)?;
        Ok(())
    }
}
