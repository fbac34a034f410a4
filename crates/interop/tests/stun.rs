//! STUN against coturn: our client and its server, our server and its clients.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use ginnel_core::{
    Epoch, Frame, Framing, HEADROOM, Handled, Packet, Path, Port, Receive, Request, Seed, Ticket, Transport,
};
use ginnel_interop::{Asker, Coturn, Heard, Internet, Namespace, Question, Said, drive, skip};
use ginnel_stun::{
    LongTermCredential, Message,
    attribute::{MappedAddress, XorMappedAddress},
    client::{Client, ClientConfig, Event, FailureReason},
};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(20);
const SERVER: IpAddr = IpAddr::V4(Internet::SERVERS[0]);

/// A machine of its own with two addresses and coturn on both, unless this one cannot have it.
fn stage(options: &[&str]) -> Option<(Internet, Coturn)> {
    if let Some(why) = Coturn::missing() {
        skip(&why);
        return None;
    }
    match Internet::new() {
        Ok(internet) => {
            let coturn = Coturn::start(internet.servers(), &Internet::SERVERS.map(IpAddr::V4), options);
            Some((internet, coturn))
        }
        Err(why) => {
            skip(&format!("no network namespace can be made: {why}"));
            None
        }
    }
}

/// Asks over UDP, from the server's own machine: what it says is then what we know.
fn ask(namespace: &Namespace, port: u16, config: ClientConfig, questions: Vec<Question>) -> Heard<Asker> {
    let bind = Request::Bind { ticket: Ticket(0), ip: SERVER, port: Port::Any };
    let asker = Asker::new(client(config), bind, SocketAddr::new(SERVER, port), questions);
    drive(namespace, LIMIT, asker, |_| ())
}

fn client(config: ClientConfig) -> Client {
    Client::new(config, Seed::new([1; 32]))
}

fn opened(heard: &Heard<Asker>) -> Path {
    let Some(Said::Opened(path)) = heard.events.first() else { panic!("nothing is open: {heard:?}") };
    *path
}

/// What `Binding` questions came to, in order.
fn mapped(heard: &Heard<Asker>) -> Vec<Result<SocketAddr, FailureReason>> {
    let outcome = |said: &Said| match said {
        Said::Client(Event::Mapped { mapped, .. }) => Some(Ok(*mapped)),
        Said::Client(Event::Failed { reason, .. }) => Some(Err(*reason)),
        _ => None,
    };
    heard.events.iter().filter_map(outcome).collect()
}

#[test]
fn coturn_tells_a_client_its_address_over_udp() {
    let Some((internet, _coturn)) = stage(&["--no-auth"]) else { return };
    for config in [ClientConfig::default(), ClientConfig::default().with_fingerprint(true)] {
        let heard = ask(internet.servers(), Coturn::PORT, config, vec![Question::Binding, Question::Binding]);
        assert_eq!(mapped(&heard), [Ok(opened(&heard).local); 2], "{config:?}");
        assert_eq!(heard.machine.client().stats().retransmitted, 0, "{config:?}");
    }
}

/// Without a runtime: a blocking stream, the framing of the contract, and the machine.
#[test]
fn coturn_tells_a_client_its_address_over_blocking_tcp() {
    let Some((internet, _coturn)) = stage(&["--no-auth"]) else { return };
    let (told, local) = internet.servers().enter(|| blocking_tcp(SocketAddr::new(SERVER, Coturn::PORT)));
    assert_eq!(told, local);
}

fn blocking_tcp(server: SocketAddr) -> (SocketAddr, SocketAddr) {
    let (clock, mut buffer) = (Epoch::start(), [0; 2048]);
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let path = Path::new(Transport::Tcp, stream.local_addr().unwrap(), server);
    let mut client = client(ClientConfig::default());
    client.binding(clock.now(), path).unwrap();
    let mut packet = Packet::empty(&mut buffer);
    while client.poll_transmit(clock.now(), &mut packet).is_some() {
        Framing::Stun.wrap(&mut packet).unwrap();
        stream.write_all(packet.bytes()).unwrap();
    }
    // One octet at a time: streams may come in such pieces.
    let mut collected = Vec::new();
    let (skip, len) = loop {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        collected.extend(octet);
        match Framing::Stun.next(&collected) {
            Frame::NeedMore => {}
            Frame::Whole { skip, len, .. } => break (skip, len),
            Frame::Bad => panic!("not STUN: {collected:x?}"),
        }
    };
    buffer[HEADROOM..HEADROOM + len].copy_from_slice(&collected[skip..skip + len]);
    let packet = Packet::received(&mut buffer, HEADROOM..HEADROOM + len).unwrap();
    let handled = client.handle_input(clock.now(), &mut Receive::new(path, packet));
    assert!(matches!(handled, Handled::Consumed), "{handled:?}");
    let Some(Event::Mapped { mapped, .. }) = client.poll_event() else { panic!("no address") };
    (mapped, path.local)
}

#[test]
fn coturn_authenticates_a_client_by_its_long_term_credential() {
    let options = ["--secure-stun", "--lt-cred-mech", "--user", "user:pass", "--realm", "ginnel.test"];
    let Some((internet, _coturn)) = stage(&options) else { return };
    let credential = |password| Question::with(LongTermCredential::new("user", password).unwrap());
    let ask = |questions| ask(internet.servers(), Coturn::PORT, ClientConfig::default(), questions);

    // The first request is challenged, the second knows how to authenticate at once.
    let heard = ask(vec![credential("pass"), credential("pass")]);
    assert_eq!(heard.data.len(), 2, "{heard:?}");
    for (response, octets) in &heard.data {
        assert_eq!((response.error, response.authenticated), (None, true), "{response:?}");
        let message = Message::parse(octets).unwrap();
        assert_eq!(message.get().unwrap(), Some(XorMappedAddress(opened(&heard).local)));
    }
    let stats = heard.machine.client().stats();
    assert_eq!((stats.challenged, stats.sent), (1, 3), "{stats:?}");

    let heard = ask(vec![credential("wrong")]);
    assert_eq!(mapped(&heard), [Err(FailureReason::Unauthenticated)], "{heard:?}");
    let heard = ask(vec![Question::Binding]);
    assert_eq!(mapped(&heard), [Err(FailureReason::Refused(401))], "{heard:?}");
}

/// A client of 2003 has no magic cookie: coturn answers it as it asks, and the answer can be read where that is wanted.
#[test]
fn coturn_answers_a_client_of_rfc_3489() {
    let Some((internet, _coturn)) = stage(&["--no-auth"]) else { return };
    let question = *b"\x00\x01\x00\x00sixteen octets!!";
    let (answer, local) = internet.servers().enter(|| {
        let socket = UdpSocket::bind((SERVER, 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.send_to(&question, (SERVER, Coturn::PORT)).unwrap();
        let mut buffer = [0; 2048];
        let n = socket.recv(&mut buffer).unwrap();
        (buffer[..n].to_vec(), socket.local_addr().unwrap())
    });
    assert!(Message::parse(&answer).is_err(), "there is no cookie in it");
    let message = Message::parse_or_rfc3489(&answer).unwrap();
    assert!(message.transaction_id().is_rfc3489());
    assert_eq!(answer[4..20], question[4..]);
    assert_eq!(message.get().unwrap(), Some(MappedAddress(local)));
}
