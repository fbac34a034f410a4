//! The loop of `ginnel-driver`, on smol: the same tests as on every runtime.

use ginnel_smol::Smol;

ginnel_driver::loop_tests!(Smol, smol::block_on);
ginnel_driver::stream_tests!(Smol, smol::block_on);
ginnel_driver::icmp_tests!(Smol, smol::block_on);
ginnel_driver::tls_tests!(Smol, smol::block_on);
ginnel_driver::dtls_tests!(Smol, smol::block_on);
ginnel_driver::shard_tests!(Smol, smol::block_on);
