//! The smol runtime under the Ginnel driver.
#![forbid(unsafe_code)]
