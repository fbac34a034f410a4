//! ICE (RFC 8445) as a sans-I/O agent: candidates, checklists, consent, trickle, mDNS.
#![forbid(unsafe_code)]
