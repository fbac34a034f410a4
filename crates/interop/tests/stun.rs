//! STUN against coturn: our client and its server, our server and its clients.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use ginnel_core::{
    Alpn, Epoch, FrameReader, Framing, HEADROOM, Handled, Packet, Path, Port, Receive, Refused, Request,
    Seed, Ticket, Transport,
};
use ginnel_interop::{
    Asker, Coturn, Daemon, Heard, Internet, Namespace, Program, Question, Said, drive, skip,
};
use ginnel_stun::{
    LongTermCredential, Message, Method,
    attribute::{AttributeType, MappedAddress, RequestedTransport, XorMappedAddress, XorRelayedAddress},
    client::{self, AlternateRefusal, Client, ClientConfig, Event, FailureReason},
};
use ginnel_tokio::{ClientTls, Config};

/// Long enough for a busy machine, and no test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(20);
const COTURN: SocketAddr = SocketAddr::new(IpAddr::V4(Internet::SERVERS[0]), Coturn::PORT);

/// What `user` and `pass` are good for.
const CREDENTIALS: [&str; 5] = ["--lt-cred-mech", "--user", "user:pass", "--realm", "ginnel.test"];

/// An Internet for coturn, unless this machine cannot have them.
fn internet() -> Option<Internet> {
    let made = match Coturn::missing() {
        Some(why) => Err(why),
        None => Internet::new().map_err(|why| format!("no network namespace can be made: {why}")),
    };
    made.inspect_err(|why| skip(why)).ok()
}

/// The same with coturn on both addresses of the servers, and on one of IPv6.
fn stage(options: &[&str]) -> Option<(Internet, Coturn)> {
    let internet = internet()?;
    let [first, second] = Internet::SERVERS;
    let addresses = [first.into(), second.into(), Ipv6Addr::LOCALHOST.into()];
    let coturn = Coturn::start(internet.servers(), &addresses, options);
    Some((internet, coturn))
}

/// Asks over UDP, from the server's own machine: what it says is then what we know.
fn ask(
    namespace: &Namespace,
    server: SocketAddr,
    config: ClientConfig,
    questions: Vec<Question>,
) -> Heard<Asker> {
    let bind = Request::Bind { ticket: Ticket(0), ip: server.ip(), port: Port::Any };
    let asker = Asker::new(client(config), bind, server, questions);
    drive(namespace, LIMIT, Config::default(), asker)
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
    let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), Coturn::PORT);
    for server in [COTURN, v6] {
        for config in [ClientConfig::default(), ClientConfig::default().with_fingerprint(true)] {
            let heard = ask(internet.servers(), server, config, vec![Question::Binding, Question::Binding]);
            assert_eq!(mapped(&heard), [Ok(opened(&heard).local); 2], "{config:?}");
            assert_eq!(asked(&heard), 2, "{config:?}");
        }
    }
}

/// How many requests it took, not counting what a busy machine was too slow to answer in time.
fn asked(heard: &Heard<Asker>) -> u64 {
    let stats = heard.machine.client().stats();
    stats.sent - stats.retransmitted
}

/// Asks over a stream of the driver's. Who is asked must have coturn's certificate, and be called `name`.
fn ask_stream(
    (internet, coturn): &(Internet, Coturn),
    transport: Transport,
    name: &str,
    questions: Vec<Question>,
) -> Heard<Asker> {
    let port = if transport == Transport::Tls { Coturn::TLS_PORT } else { Coturn::PORT };
    let server = SocketAddr::new(COTURN.ip(), port);
    let connect = Request::Connect {
        ticket: Ticket(0),
        transport,
        local: None,
        remote: server,
        framing: Framing::Stun,
        host: Some(name.parse().unwrap()),
        alpn: Some(Alpn::NAT_DISCOVERY),
    };
    let trusted = ClientTls::from_pem(coturn.identity().authority.as_bytes()).unwrap();
    let asker = Asker::new(client(ClientConfig::default()), connect, server, questions);
    drive(internet.servers(), LIMIT, Config::default().with_client_tls(trusted), asker)
}

#[test]
fn coturn_tells_a_client_its_address_over_tcp_and_tls() {
    let Some(stage) = stage(&["--no-auth"]) else { return };
    for transport in [Transport::Tcp, Transport::Tls] {
        let heard = ask_stream(&stage, transport, Coturn::NAME, vec![Question::Binding, Question::Binding]);
        assert_eq!(mapped(&heard), [Ok(opened(&heard).local); 2], "{transport}");
        assert_eq!(heard.machine.client().stats().sent, 2, "{transport}");
    }
    // The same certificate is not another server's.
    let heard = ask_stream(&stage, Transport::Tls, "other.test", vec![Question::Binding]);
    assert_eq!(heard.events[0], Said::Refused(Refused::Untrusted), "{heard:?}");
}

/// Over TLS it is known who says so: the client opens a stream to the other server, and is answered there.
#[test]
fn coturn_redirects_over_tls_and_the_client_follows() {
    let other = SocketAddr::new(Internet::SERVERS[1].into(), Coturn::TLS_PORT);
    let Some(internet) = internet() else { return };
    let elsewhere = other.to_string();
    let options = [&CREDENTIALS[..], &["--tls-alternate-server", &elsewhere]].concat();
    let first = Coturn::start(internet.servers(), &[COTURN.ip()], &options);
    let _second = Coturn::start_as(first.identity(), internet.servers(), &[other.ip()], &CREDENTIALS);
    let heard = ask_stream(&(internet, first), Transport::Tls, Coturn::NAME, vec![allocate()]);
    let [(response, octets)] = &heard.data[..] else { panic!("no answer: {heard:?}") };
    assert_eq!((response.error, response.authenticated), (None, true), "{response:?}");
    let relayed = Message::parse(octets).unwrap().get().unwrap();
    assert!(matches!(relayed, Some(XorRelayedAddress(at)) if at.ip() == other.ip()), "{relayed:?}");
}

/// Where nobody listens the kernel says so, and the client does not wait for its last retransmission.
#[test]
fn a_closed_port_fails_at_once() {
    let Some(internet) = internet() else { return };
    let heard = ask(internet.servers(), COTURN, ClientConfig::default(), vec![Question::Binding]);
    let [Err(FailureReason::Unreachable(why))] = mapped(&heard)[..] else { panic!("{heard:?}") };
    assert!(why.is_hard(), "{why}");
    assert!(heard.machine.client().stats().sent < 7, "{heard:?}");
}

/// Without a runtime: a blocking stream, the framing of the contract, and the machine.
#[test]
fn coturn_tells_a_client_its_address_over_blocking_tcp() {
    let Some((internet, _coturn)) = stage(&["--no-auth"]) else { return };
    let (told, local) = internet.servers().enter(|| blocking_tcp(COTURN));
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
    // One octet at a time: a stream may come in such pieces.
    let mut collected = [0; 2048];
    let mut reader = FrameReader::new(Framing::Stun, &mut collected);
    while !reader.has_message().unwrap() {
        stream.read_exact(&mut reader.space()[..1]).unwrap();
        reader.filled(1);
    }
    let message = reader.take();
    let received = HEADROOM..HEADROOM + message.len();
    buffer[received.clone()].copy_from_slice(message);
    let packet = Packet::received(&mut buffer, received).unwrap();
    let handled = client.handle_input(clock.now(), &mut Receive::new(path, packet));
    assert!(matches!(handled, Handled::Consumed), "{handled:?}");
    let Some(Event::Mapped { mapped, .. }) = client.poll_event() else { panic!("no address") };
    (mapped, path.local)
}

#[test]
fn coturn_authenticates_a_client_by_its_long_term_credential() {
    let Some((internet, _coturn)) = stage(&[&CREDENTIALS[..], &["--secure-stun"]].concat()) else { return };
    let credential = |password| Question::with(LongTermCredential::new("user", password).unwrap());
    let ask = |questions| ask(internet.servers(), COTURN, ClientConfig::default(), questions);

    // The first request is challenged, the second knows how to authenticate at once.
    let heard = ask(vec![credential("pass"), credential("pass")]);
    assert_eq!(heard.data.len(), 2, "{heard:?}");
    for (response, octets) in &heard.data {
        assert_eq!((response.error, response.authenticated), (None, true), "{response:?}");
        let message = Message::parse(octets).unwrap();
        assert_eq!(message.get().unwrap(), Some(XorMappedAddress(opened(&heard).local)));
    }
    let challenged = heard.machine.client().stats().challenged;
    assert_eq!((challenged, asked(&heard)), (1, 3), "{heard:?}");

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
        let socket = UdpSocket::bind((COTURN.ip(), 0)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.send_to(&question, COTURN).unwrap();
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

/// coturn sends who wants an allocation to another server, and does so before it has authenticated anybody. RFC 8489 section
/// 10 lets it; but over UDP nothing shows that it is coturn who says so, and the client does not go.
#[test]
fn coturn_redirects_without_proof_and_the_client_stays() {
    let options = [&CREDENTIALS[..], &["--alternate-server", "203.0.113.9:3478"]].concat();
    let Some((internet, _coturn)) = stage(&options) else { return };
    let heard = ask(internet.servers(), COTURN, ClientConfig::default(), vec![allocate()]);
    let unproven = FailureReason::Alternate(AlternateRefusal::Unauthenticated);
    assert_eq!(mapped(&heard), [Err(unproven)], "{heard:?}");
}

fn allocate() -> Question {
    let credential = LongTermCredential::new("user", "pass").unwrap();
    let request = client::Request::new(Method::ALLOCATE).with_credential(credential).with_known(ALLOCATED);
    Question::Request(Box::new(request), |open| open.attribute(&RequestedTransport::UDP))
}

/// What the answer to an Allocate request holds that must be understood.
const ALLOCATED: &[AttributeType] = &[
    AttributeType::XOR_MAPPED_ADDRESS,
    AttributeType::XOR_RELAYED_ADDRESS,
    AttributeType::LIFETIME,
    AttributeType::ERROR_CODE,
    AttributeType::REALM,
    AttributeType::NONCE,
];

/// The server of the example, with two addresses and two ports, and what coturn's clients say of it.
#[test]
fn coturns_clients_ask_our_server() {
    let Some(internet) = internet() else { return };
    let machine = internet.servers();
    let _server = server(machine, Coturn::PORT);
    let run = |words: &[&str]| {
        let mut command = machine.command("timeout");
        let output =
            command.arg("20").args(words).arg(COTURN.ip().to_string()).output().expect("coturn's tools");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{words:?}: {}\n{said}", output.status);
        said
    };
    let [first, second] = Internet::SERVERS;

    // A plain request, one to be answered from the other address and port, and one to the port above ours.
    let said = run(&["turnutils_stunclient", "-f"]);
    let all = |what: &str| -> Vec<&str> {
        said.lines().filter_map(|line| line.split_once(what)).map(|(_, value)| value.trim()).collect()
    };
    assert_eq!(all("Other addr: :"), [&format!("{second}:3479"); 3], "{said}");
    // The first is printed twice.
    let origins = [
        format!("{first}:3478"),
        format!("{first}:3478"),
        format!("{second}:3479"),
        format!("{second}:3479"),
    ];
    assert_eq!(all("Response origin: :"), origins, "{said}");
    let ports: Vec<u16> =
        all("UDP reflexive addr:").into_iter().map(|at| at.parse::<SocketAddr>().unwrap().port()).collect();
    assert!(matches!(ports[..], [a, b, c] if a == b && c == a + 1), "{said}");

    for padding in [&[][..], &["-P"]] {
        let said =
            run(&[&["turnutils_natdiscovery", "-m", "-f", "-H", "-L", &first.to_string()], padding].concat());
        for finding in [
            "No NAT! (Endpoint Independent Mapping)",
            "Endpoint Independent Filtering!",
            "successful hairpinning",
        ] {
            assert!(said.contains(finding), "'{finding}' is missing from:\n{said}");
        }
        assert!(!said.contains("ALG detected") && !said.contains("timeout"), "{said}");
    }
}

/// The example `server` on both addresses of the servers, at this port and the one above.
fn server(machine: &Namespace, port: u16) -> Daemon {
    let [first, second] = Internet::SERVERS;
    let mut command = machine.command(Program::example("server"));
    command.args([format!("{first}:{port}"), format!("{second}:{}", port + 1)]);
    Daemon::start(command, |line| line.starts_with("STUN over"))
}
