//! NAT behaviour discovery (RFC 5780) behind gateways of the kernel: what it says is what nftables was told to do.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant as Clock},
};

use ginnel_core::{Instant, Seed};
use ginnel_interop::{Coturn, Daemon, Gateway, Internet, Program, Site, drive, say, skip};
use ginnel_stun::behavior::{
    Discovery, DiscoveryConfig, Event, Filtering, Finding, Hairpinning, Mapping, Unknown, Verdict,
};
use ginnel_tokio::Config;

/// What each gateway does, as [`Gateway`] says it: whether it translates, how it maps, whom it lets in, and whether it
/// hairpins. Where there is no NAT nothing can; and where mapping and filtering both depend on the peer's port, nobody could
/// send anything that would come through.
const GATEWAYS: [(Gateway, bool, Mapping, Filtering, Finding<Hairpinning>); 6] = {
    use Filtering as F;
    use Finding::{Known, Unknown as Not};
    use Gateway as G;
    use Hairpinning as H;
    use Mapping as M;
    [
        (G::Router, false, M::EndpointIndependent, F::EndpointIndependent, Not(Unknown::NotTranslated)),
        (G::Firewall, false, M::EndpointIndependent, F::AddressAndPortDependent, Not(Unknown::NotTranslated)),
        (G::PortForwarding, true, M::EndpointIndependent, F::EndpointIndependent, Known(H::ExternalSource)),
        (G::AddressDependent, true, M::EndpointIndependent, F::AddressDependent, Known(H::None)),
        (G::Masquerade, true, M::EndpointIndependent, F::AddressAndPortDependent, Known(H::None)),
        (
            G::MasqueradeFullyRandom,
            true,
            M::AddressAndPortDependent,
            F::AddressAndPortDependent,
            Not(Unknown::HiddenByFiltering),
        ),
    ]
};

/// No test waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);
const OURS: u16 = 3478;
const COTURNS: u16 = 4478;

/// All gateways at once, each asked about by our server and by coturn.
#[test]
fn the_discovery_tells_the_gateways_of_the_kernel_apart() {
    if let Some(why) = Coturn::missing() {
        return skip(&why);
    }
    let mut internet = match Internet::new() {
        Ok(internet) => internet,
        Err(why) => return skip(&format!("no network namespace can be made: {why}")),
    };
    let [first, second] = Internet::SERVERS;
    let mut command = internet.servers().command(Program::example("server"));
    command.args([format!("{first}:{OURS}"), format!("{second}:{}", OURS + 1)]);
    let _ours = Daemon::start(command, |line| line.starts_with("STUN over"));
    let addresses = Internet::SERVERS.map(IpAddr::V4);
    let _coturn = Coturn::start_on(internet.servers(), &addresses, COTURNS, &["--no-auth"]);

    let sites = GATEWAYS.map(|row| (row, internet.site(row.0).expect("a site")));
    let started = Clock::now();
    std::thread::scope(|scope| {
        let forwarding = sites.iter().find(|(row, _)| row.0 == Gateway::PortForwarding);
        let (_, forwarding) = forwarding.expect("it is in the table");
        scope.spawn(|| the_program_says_it_to_a_person(forwarding));
        for (row, site) in &sites {
            for (server, port) in [("ours", OURS), ("coturn", COTURNS)] {
                let name = format!("{:?}, asking {server}", row.0);
                let asked = std::thread::Builder::new().name(name);
                asked
                    .spawn_scoped(scope, move || check(row, site, SocketAddr::new(first.into(), port)))
                    .unwrap();
            }
        }
    });
    say(&format!("six gateways, asked about from two servers each: {} ms", started.elapsed().as_millis()));
}

/// The example `nat_behaviour`, which also looks at what becomes of fragments: conntrack puts them together again.
fn the_program_says_it_to_a_person(site: &Site) {
    let mut command = site.host().command("timeout");
    command.arg("30").arg(Program::example("nat_behaviour"));
    command.arg(Internet::SERVERS[0].to_string()).args(["--fragments", "1500"]);
    let output = command.output().expect("the example starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for sentence in ["mapping is endpoint-independent", "filtering is endpoint-independent", "It hairpins"] {
        assert!(said.contains(sentence), "'{sentence}' is missing from:\n{said}");
    }
    say(said.lines().last().unwrap_or_default());
}

fn check(row: &(Gateway, bool, Mapping, Filtering, Finding<Hairpinning>), site: &Site, server: SocketAddr) {
    let (_, translated, mapping, filtering, hairpinning) = *row;
    let verdict = discover(site, server);
    assert_eq!(verdict.is_translated(), Some(translated), "{verdict:?}");
    assert_eq!(verdict.mapping, Finding::Known(mapping), "{verdict:?}");
    assert_eq!(verdict.filtering, Finding::Known(filtering), "{verdict:?}");
    assert_eq!(verdict.hairpinning, hairpinning, "{verdict:?}");
    let outside = if translated { site.outside() } else { site.inside() };
    assert_eq!(verdict.mapped.known().map(|at| at.ip()), Some(IpAddr::V4(outside)), "{verdict:?}");
}

fn discover(site: &Site, server: SocketAddr) -> Verdict {
    let config = DiscoveryConfig::new(server, site.inside().into()).with_tries(4, 24);
    let discovery =
        Discovery::new(Instant::EPOCH, config, Seed::new([1; 32])).expect("a legal configuration");
    let heard = drive(site.host(), LIMIT, Config::default(), discovery);
    let verdict = heard.events.iter().find_map(|event| match event {
        Event::Verdict(verdict) => Some(**verdict),
        _ => None,
    });
    verdict.unwrap_or_else(|| panic!("no verdict: {:?}", heard.events))
}
