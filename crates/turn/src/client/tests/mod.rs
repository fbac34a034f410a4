//! A client and a server of a few lines, without a network: each test is a timeline of what is asked, answered and told.

mod allocating;
mod data;
mod keeping;
mod moving;
mod peers;
mod refused;
mod storms;
mod tcp;
mod world;
