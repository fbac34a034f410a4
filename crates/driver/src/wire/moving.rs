//! Streams and DTLS associations that change the driver.

use std::net::TcpStream;

use ginnel_core::{Notice, Path, Refused};

use super::Wire;
use crate::{
    Runtime, Socket,
    stream::{Ejected, Source, State, What},
};
#[cfg(feature = "dtls")]
use crate::{dtls, dtls::Association};

impl<R: Runtime> Wire<R> {
    /// Takes an open stream out. Nobody is told. One that cannot leave for want of a file is closed: the machine has forgotten
    /// it, and its peer shall not wait.
    pub(crate) fn eject(&mut self, path: Path) -> Option<Ejected> {
        #[cfg(feature = "dtls")]
        if path.transport == ginnel_core::Transport::Dtls {
            return self.eject_association(path);
        }
        let number = *self.by_path.get(&path)?;
        self.flush_stream(number);
        let stream = self.stream(number).filter(|stream| stream.joint.is_none())?;
        // Another name of the same: the runtime forgets its own as it is dropped.
        let Ok(io) = stream.io.sock_ref().try_clone() else {
            self.stats.eject_errors += 1;
            self.close_stream(path);
            return None;
        };
        let what = What::Stream {
            io: TcpStream::from(io),
            framing: stream.framing,
            #[cfg(feature = "tls")]
            tls: stream.tls.take(),
            unread: stream.intake.octets().to_vec(),
            unsent: std::mem::take(&mut stream.unsent),
        };
        let ejected = Ejected { path, accepted: stream.accepted, what };
        self.drop_stream(number);
        Some(ejected)
    }

    /// Takes a stream in that another driver had. It is subject to the limits here, as if it had been accepted.
    pub(crate) fn adopt(&mut self, ejected: Ejected) -> Result<Path, Refused> {
        let full = match ejected.accepted {
            Some(source) => self.is_full(source),
            None => self.counts.connected >= self.config.limits.connected,
        };
        if full {
            self.stats.accept_refused += 1;
            self.part_with(ejected);
            return Err(Refused::NotPermitted);
        }
        let Ejected { path, accepted, what } = ejected;
        #[allow(unused_mut, reason = "only TLS tells of a protocol")]
        let mut alpn = None;
        match what {
            What::Stream {
                io,
                framing,
                #[cfg(feature = "tls")]
                tls,
                unread,
                unsent,
            } => {
                let io = self.runtime.stream(io).map_err(|_| Refused::NotPermitted)?;
                self.enter(accepted);
                let number = self.place(io, path, framing, State::Open, accepted);
                if let Some(stream) = self.stream(number) {
                    stream.unsent = unsent;
                    stream.intake.fill(&unread);
                    #[cfg(feature = "tls")]
                    {
                        alpn = tls.as_ref().and_then(|tls| tls.alpn());
                        stream.tls = tls;
                    }
                }
                self.enlist(path, number);
            }
            #[cfg(feature = "dtls")]
            What::Association(association) => self.adopt_association(association)?,
        }
        self.stats.adopted += 1;
        self.notices.push_back(Notice::Accepted { path, alpn });
        #[cfg(feature = "dtls")]
        if path.transport == ginnel_core::Transport::Dtls
            && let Some(number) = self.by_path.get(&path).copied()
        {
            // When it wants to be called is asked of the library.
            self.go_on(number, None);
        }
        Ok(path)
    }

    /// What was ejected has no place anywhere: its peer is told, as far as that needs doing.
    pub(crate) fn part_with(&mut self, ejected: Ejected) {
        match ejected.what {
            // Closed as it is dropped.
            What::Stream { .. } => {}
            #[cfg(feature = "dtls")]
            What::Association(mut association) => {
                let (epoch, path) = (self.epoch, association.path);
                association.close(epoch, &mut |record| self.send_record(path, record));
            }
        }
    }

    /// One more stream that counts against the limits, from there or from here.
    pub(super) fn enter(&mut self, accepted: Option<Source>) {
        match accepted {
            Some(source) => {
                self.counts.accepted += 1;
                self.sources.entry(source).or_default().streams += 1;
            }
            None => self.counts.connected += 1,
        }
    }

    /// One less.
    pub(super) fn leave(&mut self, accepted: Option<Source>) {
        let Some(source) = accepted else {
            self.counts.connected -= 1;
            return;
        };
        self.counts.accepted -= 1;
        if let Some(from_one) = self.sources.get_mut(&source) {
            from_one.streams -= 1;
            if from_one.streams == 0 {
                self.sources.remove(&source);
            }
        }
    }
}

#[cfg(feature = "dtls")]
impl<R: Runtime> Wire<R> {
    /// Only what somebody else has begun can leave: its datagrams come to whoever listens at that address, here as there.
    fn eject_association(&mut self, path: Path) -> Option<Ejected> {
        let number = *self.by_path.get(&path)?;
        let open = |known: &&mut Association| known.state == dtls::State::Open && known.accepted.is_some();
        self.association(number).filter(open)?;
        self.end_successor(path);
        let association = self.drop_association(number)?;
        Some(Ejected { path, accepted: association.accepted, what: What::Association(association) })
    }

    fn adopt_association(&mut self, mut association: Box<Association>) -> Result<(), Refused> {
        let path = association.path;
        let Some(bound) = self.bound_for(path.local) else { return Err(Refused::Unreachable) };
        // What is here of that path is older.
        self.end_successor(path);
        if let Some(older) = self.by_path.get(&path).copied() {
            self.end_association(older, Refused::Handshake);
        }
        self.enter(association.accepted);
        association.arrived(self.now);
        self.place_association(association, bound);
        Ok(())
    }
}
