//! Tests against peers that others wrote: Chromium, Firefox.
#![forbid(unsafe_code)]
