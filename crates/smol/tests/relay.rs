//! The socket at a relay, on smol: the same tests as on every runtime.

#![cfg(feature = "relay")]

use ginnel_smol::Smol;

ginnel_driver::relay_tests!(Smol, smol::block_on);
