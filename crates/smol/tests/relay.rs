//! The socket at a relay, on smol: the same tests as on every runtime.

#![cfg(feature = "relay")]

use ginnel_smol::Smol;

ginnel_driver::relay_tests!(Smol, smol::block_on);

#[test]
fn the_example_is_an_echo() {
    use ginnel_driver::testing::{an_example_is_an_echo, ends, example};
    let program = example(env!("CARGO"), "ginnel-smol", "smol_relay_echo");
    smol::block_on(ends(Smol, an_example_is_an_echo(Smol, program)));
}
