//! Several servers that share nothing but the secret, as behind DNS, anycast or a Kubernetes service.

use ginnel::stun::client::{AlternateRefusal, FailureReason};

use crate::{
    client::Client,
    program::{Serve, Signal},
    relay::rest,
};

/// One of three is taken out of service: its calls go on to their end, those who come are sent to another, and nobody who is
/// elsewhere notices.
#[test]
fn clients_are_moved_off_one_of_three_servers_by_draining() {
    let serve = |more: &[&str]| {
        let common = [
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "--secret",
            "north",
            "--drain-time",
            "1d",
        ];
        Serve::start(&[&common[..], more].concat())
    };
    let (first, second) = (serve(&[]), serve(&[]));
    let alternate = first.at("udp").to_string();
    let mut leaving = serve(&["--alternate-server", &alternate]);

    // One credential is good at each of them.
    let (user, password) = rest("north", 3600);
    let mut calls: Vec<_> =
        [&first, &second, &leaving].map(|it| Client::new(it.at("udp"), &user, &password)).into();
    for call in &mut calls {
        assert_eq!(call.allocate().unwrap().error, None);
    }

    leaving.signal(Signal::SIGTERM);
    leaving.wait_for("draining");
    assert_eq!((leaving.get("/healthz").0, first.get("/healthz").0), (503, 200));
    for _ in 0..3 {
        let mut comes = Client::new(leaving.at("udp"), &user, &password);
        // The answer was made with the user's key, so whom it names is whom the server named.
        assert_eq!(comes.allocate(), Err(FailureReason::Alternate(AlternateRefusal::Loopback)));
        let alternate = comes.alternate.expect("it is sent to the first");
        assert_eq!(alternate, first.at("udp"));
        let mut moved = Client::new(alternate, &user, &password);
        assert_eq!(moved.allocate().unwrap().error, None);
        calls.push(moved);
    }
    assert_eq!(leaving.metric("ginnel_errors_total{code=\"300\"}"), 3);
    assert_eq!((first.metric("ginnel_allocations"), second.metric("ginnel_allocations")), (4, 1));
    assert_eq!(leaving.metric("ginnel_allocations"), 1);

    // Its own call goes on, and its end is the server's.
    assert_eq!(calls[2].refresh(600).unwrap().error, None);
    assert_eq!(calls[2].refresh(0).unwrap().error, None);
    let (status, logged) = leaving.end();
    assert!(status.success(), "{logged}");
    for call in calls.iter_mut().enumerate().filter(|(place, _)| *place != 2).map(|(_, call)| call) {
        assert_eq!(call.refresh(600).unwrap().error, None);
    }
}
