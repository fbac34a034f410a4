//! One endpoint over a UDP socket, to try against others by hand. It prints what happens and echoes application data.
//!
//! ```text
//! openssl ecparam -name prime256v1 -genkey -noout -out key.pem
//! openssl req -x509 -new -key key.pem -subj /CN=peer -out cert.pem
//! cargo run -p ginnel-dtls-srtp --example dtls_over_udp -- server 127.0.0.1:4433 "$(fingerprint cert.pem)"
//! openssl s_client -dtls1_2 -connect 127.0.0.1:4433 -cert cert.pem -key key.pem -use_srtp SRTP_AES128_CM_SHA1_80
//! ```
//! where the fingerprint is `sha-256 AB:CD:..` from `openssl x509 -fingerprint -sha256 -noout`.

use ginnel_core::{Buffer, Epoch, Handled, Packet, Seed};
use ginnel_dtls_srtp::dtls::{Certificate, HashFunction, Role};
use ginnel_dtls_srtp::{Kind, Session, SessionConfig};
use std::error::Error;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, address, fingerprint] = &arguments[..] else {
        return Err("usage: dtls_over_udp client|server ADDRESS FINGERPRINT".into());
    };
    let role = if role == "client" { Role::Client } else { Role::Server };
    let socket = UdpSocket::bind(if role == Role::Client { "127.0.0.1:0" } else { address })?;
    let certificate = Arc::new(Certificate::generate()?);
    println!("a=fingerprint:{}", certificate.fingerprint(HashFunction::Sha256));
    let epoch = Epoch::start();
    let config = SessionConfig::new(certificate, role, vec![fingerprint.parse()?], epoch);
    // An example may be predictable. A program takes 32 octets from the operating system.
    let mut session = Session::new(config, epoch.now(), &Seed::new([7; 32]))?;
    let mut peer = if role == Role::Client { Some(address.parse()?) } else { None };
    let mut buf: Buffer = [0; 2048];
    while !session.is_closed() {
        let now = epoch.now();
        while let Some(event) = session.poll_event() {
            println!("{event:?}");
        }
        let mut packet = Packet::empty(&mut buf);
        while session.poll_transmit(now, &mut packet) {
            if let Some(peer) = peer {
                socket.send_to(packet.bytes(), peer)?;
            }
        }
        let wait =
            session.poll_timeout().map_or(Duration::from_secs(1), |wake| wake.at.saturating_since(now));
        socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        packet.clear();
        let Ok((len, from)) = socket.recv_from(packet.spare_mut()) else {
            session.handle_timeout(epoch.now());
            continue;
        };
        let Ok(()) = packet.commit(len) else { continue };
        peer = Some(from);
        let mut handled = session.handle_input(epoch.now(), &mut packet);
        while handled == Handled::Data(Kind::ApplicationData) {
            println!("{:?}", String::from_utf8_lossy(packet.bytes()));
            session.send(epoch.now(), &mut packet)?;
            socket.send_to(packet.bytes(), from)?;
            handled = if session.poll_data(&mut packet) { handled } else { Handled::Consumed };
        }
    }
    while let Some(event) = session.poll_event() {
        println!("{event:?}");
    }
    println!("{:?}", session.stats());
    Ok(())
}
