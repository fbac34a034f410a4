//! A deterministic network for tests of sans-I/O machines: virtual clock, hosts, lossy links.
#![forbid(unsafe_code)]
