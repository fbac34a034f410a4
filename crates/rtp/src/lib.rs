//! RTP and RTCP as WebRTC uses them: views, header extensions, feedback, forwarding, without I/O.
#![forbid(unsafe_code)]
