//! The blocking driver of the examples, over real sockets.

// Its `main` is the one thing that this test does not call.
#[allow(dead_code)]
#[path = "../examples/blocking.rs"]
mod blocking;

#[test]
fn ping_pong_over_loopback() {
    assert_eq!(blocking::play(5).unwrap(), 5);
}
