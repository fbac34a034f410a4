//! The tokio runtime under the Ginnel driver.
#![forbid(unsafe_code)]
