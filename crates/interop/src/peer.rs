//! A peer of a test's own: sends back what comes by UDP and by TCP.

use std::{
    net::{IpAddr, SocketAddr, TcpListener as StdListener, UdpSocket as StdSocket},
    thread::JoinHandle,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::oneshot,
};

use crate::Namespace;

/// An echo on one address; ended when dropped.
#[derive(Debug)]
pub struct Peer {
    at: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts one at a free port of this address, which is the same for UDP and for TCP.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn start(namespace: &Namespace, ip: IpAddr) -> Self {
        let (socket, listener) = namespace.enter(|| free(ip));
        let at = socket.local_addr().expect("an address");
        let (end, ended) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // With the runtime all that it runs is dropped.
            runtime.expect("a tokio runtime").block_on(async {
                tokio::spawn(echo_datagrams(UdpSocket::from_std(socket).expect("a socket")));
                tokio::spawn(echo_streams(TcpListener::from_std(listener).expect("a socket")));
                let _ = ended.await;
            });
        });
        Self { at, end: Some(end), thread: Some(thread) }
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.at
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end.take();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A port that is free in both.
fn free(ip: IpAddr) -> (StdSocket, StdListener) {
    for _ in 0..100 {
        let socket = StdSocket::bind((ip, 0)).expect("a socket");
        if let Ok(listener) = StdListener::bind(socket.local_addr().expect("an address")) {
            socket.set_nonblocking(true).expect("a socket that does not block");
            listener.set_nonblocking(true).expect("a socket that does not block");
            return (socket, listener);
        }
    }
    panic!("no port of {ip} is free both in UDP and in TCP");
}

async fn echo_datagrams(socket: UdpSocket) {
    let mut buffer = [0; 2048];
    loop {
        // An error is what ICMP said of an earlier datagram.
        if let Ok((n, from)) = socket.recv_from(&mut buffer).await {
            let _ = socket.send_to(&buffer[..n], from).await;
        }
    }
}

async fn echo_streams(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(echo_stream(stream));
    }
}

async fn echo_stream(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
