//! The socket at a relay, on tokio: the same tests as on every runtime.

#![cfg(feature = "relay")]

use std::future::Future;

use ginnel_tokio::Tokio;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

ginnel_driver::relay_tests!(Tokio, block_on);

#[test]
fn the_example_is_an_echo() {
    use ginnel_driver::testing::{an_example_is_an_echo, ends, example};
    let program = example(env!("CARGO"), "ginnel-tokio", "tokio_relay_echo");
    block_on(ends(Tokio, an_example_is_an_echo(Tokio, program)));
}
