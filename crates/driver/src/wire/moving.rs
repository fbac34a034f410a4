//! Streams that change the driver.

use std::net::TcpStream;

use ginnel_core::{Notice, Path, Refused};

use super::Wire;
use crate::{
    Runtime, Socket,
    stream::{Ejected, State},
};

impl<R: Runtime> Wire<R> {
    /// Takes an open stream out. Nobody is told.
    pub(crate) fn eject(&mut self, path: Path) -> Option<Ejected> {
        let number = *self.by_path.get(&path)?;
        self.flush_stream(number);
        let stream = self.stream(number).filter(|stream| stream.joint.is_none())?;
        // Another name of the same: the runtime forgets its own as it is dropped.
        let io = TcpStream::from(stream.io.sock_ref().try_clone().ok()?);
        let ejected = Ejected {
            io,
            path,
            framing: stream.framing,
            #[cfg(feature = "tls")]
            tls: stream.tls.take(),
            accepted: stream.accepted,
            unread: stream.intake.octets().to_vec(),
            unsent: std::mem::take(&mut stream.unsent),
        };
        self.drop_stream(number);
        Some(ejected)
    }

    /// Takes a stream in that another driver had. It is subject to the limits here, as if it had been accepted.
    pub(crate) fn adopt(&mut self, ejected: Ejected) -> Result<Path, Refused> {
        let limits = self.config.limits;
        let Ejected { io, path, framing, accepted, unread, unsent, .. } = ejected;
        let full = match accepted {
            Some(source) => self.is_full(source),
            None => self.counts.connected >= limits.connected,
        };
        if full {
            self.stats.accept_refused += 1;
            return Err(Refused::NotPermitted);
        }
        let io = self.runtime.stream(io).map_err(|_| Refused::NotPermitted)?;
        match accepted {
            Some(source) => {
                self.counts.accepted += 1;
                self.sources.entry(source).or_default().streams += 1;
            }
            None => self.counts.connected += 1,
        }
        self.stats.adopted += 1;
        let number = self.place(io, path, framing, State::Open, accepted);
        let mut alpn = None;
        if let Some(stream) = self.stream(number) {
            stream.unsent = unsent;
            stream.intake.fill(&unread);
            #[cfg(feature = "tls")]
            {
                stream.tls = ejected.tls;
                alpn = stream.tls.as_ref().and_then(|tls| tls.alpn());
            }
        }
        self.enlist(path, number);
        self.notices.push_back(Notice::Accepted { path, alpn: alpn.take() });
        Ok(path)
    }
}
