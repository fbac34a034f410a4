//! The loop of `ginnel-driver`, on tokio: the same tests as on every runtime.

use std::future::Future;

use ginnel_tokio::Tokio;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

ginnel_driver::loop_tests!(Tokio, block_on);
ginnel_driver::stream_tests!(Tokio, block_on);
ginnel_driver::icmp_tests!(Tokio, block_on);
ginnel_driver::tls_tests!(Tokio, block_on);
ginnel_driver::dtls_tests!(Tokio, block_on);
ginnel_driver::shard_tests!(Tokio, block_on);
