//! Requests as clients of all kinds would send them, honest or not: for tests and for the fuzz target of the server.

use ginnel_core::{NoRoom, Packet};

use crate::{
    attribute::{
        ChangeRequest, Nonce, Padding, PasswordAlgorithm, PasswordAlgorithms, Realm, ResponsePort, UserHash,
        Username,
    },
    integrity::{IntegrityAlgorithm, IntegrityKey},
    message::{Class, Method, TransactionId},
    writer::MessageWriter,
};

/// What a request has; what is `None` is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) class: Class,
    pub(crate) method: Method,
    pub(crate) id: TransactionId,
    pub(crate) username: Option<&'a str>,
    pub(crate) userhash: Option<UserHash>,
    pub(crate) realm: Option<&'a str>,
    pub(crate) nonce: Option<&'a [u8]>,
    pub(crate) list: Option<&'a [PasswordAlgorithm<'a>]>,
    pub(crate) chosen: Option<PasswordAlgorithm<'a>>,
    pub(crate) change: Option<ChangeRequest>,
    pub(crate) port: Option<ResponsePort>,
    pub(crate) padding: Option<Padding>,
    pub(crate) key: Option<(&'a IntegrityKey, IntegrityAlgorithm)>,
    pub(crate) fingerprint: bool,
}
impl Default for Ask<'_> {
    /// A plain Binding request.
    fn default() -> Self {
        Self {
            class: Class::Request,
            method: Method::BINDING,
            id: TransactionId::new(*b"transactions"),
            username: None,
            userhash: None,
            realm: None,
            nonce: None,
            list: None,
            chosen: None,
            change: None,
            port: None,
            padding: None,
            key: None,
            fingerprint: false,
        }
    }
}
impl Ask<'_> {
    /// Writes it; a text that no client may send is left out.
    pub(crate) fn write(&self, packet: &mut Packet<'_>) -> Result<(), NoRoom> {
        let mut open = MessageWriter::new(packet, self.class, self.method, self.id)?;
        if let Some(Ok(username)) = self.username.map(Username::new) {
            open = open.attribute(&username)?;
        }
        if let Some(userhash) = self.userhash {
            open = open.attribute(&userhash)?;
        }
        if let Some(Ok(realm)) = self.realm.map(Realm::new) {
            open = open.attribute(&realm)?;
        }
        if let Some(Ok(nonce)) = self.nonce.map(Nonce::new) {
            open = open.attribute(&nonce)?;
        }
        if let Some(list) = self.list {
            open = open.attribute(&PasswordAlgorithms::new(list))?;
        }
        if let Some(chosen) = self.chosen {
            open = open.attribute(&chosen)?;
        }
        if let Some(change) = self.change {
            open = open.attribute(&change)?;
        }
        if let Some(port) = self.port {
            open = open.attribute(&port)?;
        }
        if let Some(padding) = self.padding {
            open = open.attribute(&padding)?;
        }
        match (self.key, self.fingerprint) {
            (None, false) => open.finish(),
            (None, true) => open.fingerprint()?,
            (Some((key, algorithm)), false) => open.integrity_as(algorithm, key)?.finish(),
            (Some((key, algorithm)), true) => open.integrity_as(algorithm, key)?.fingerprint()?,
        }
        Ok(())
    }
}

/// What it is on the wire.
#[cfg(test)]
pub(crate) fn octets(ask: Ask<'_>) -> alloc::vec::Vec<u8> {
    let mut buffer: ginnel_core::Buffer = [0; _];
    let mut packet = Packet::empty(&mut buffer);
    ask.write(&mut packet).unwrap();
    packet.bytes().to_vec()
}

/// A request with everything that RFC 8489 wants of a client that knows SHA-256.
#[cfg(test)]
pub(crate) fn modern<'a>(nonce: &'a [u8], key: &'a IntegrityKey) -> Ask<'a> {
    Ask {
        username: Some("user"),
        realm: Some("example.org"),
        nonce: Some(nonce),
        list: Some(&[PasswordAlgorithm::SHA256]),
        chosen: Some(PasswordAlgorithm::SHA256),
        key: Some((key, IntegrityAlgorithm::Sha256)),
        ..Ask::default()
    }
}
