//! The library's errors, in our words.

use dimpl::{CertificateError, CryptoError, Error, SecurityError, UnexpectedMessageError};

use super::FailureReason;

/// What to do about an error.
pub(super) enum Verdict {
    /// The datagram was dropped, the library is intact.
    Dropped,
    /// The datagram found no room, the library is intact.
    Overflowed,
    /// The end.
    Fatal(FailureReason),
}

/// The library calls every error fatal. Two are not, by its own code, and must not be, for anyone can send what causes them:
/// a datagram that is no answer to the ClientHello of both versions, and one too many that waits for those before it.
pub(super) fn judge(error: &Error) -> Verdict {
    Verdict::Fatal(match error {
        Error::UnexpectedMessage(UnexpectedMessageError::UnrecognizedAutoServerResponse) => {
            return Verdict::Dropped;
        }
        Error::ReceiveQueueFull => return Verdict::Overflowed,
        Error::SecurityError(SecurityError::FatalAlert { description }) => FailureReason::Alert(*description),
        Error::SecurityError(
            SecurityError::ServerFinishedVerificationFailed | SecurityError::ClientFinishedVerificationFailed,
        )
        | Error::CryptoError(CryptoError::SignatureVerificationFailed { .. }) => {
            FailureReason::HandshakeForged
        }
        Error::CertificateError(
            CertificateError::NoServerCertificateReceived
            | CertificateError::NoClientCertificateReceived
            | CertificateError::NoServerCertificateForVerification
            | CertificateError::NoClientCertificateForVerification,
        ) => FailureReason::NoCertificate,
        Error::Timeout(_) => FailureReason::TimedOut,
        Error::TransmitQueueFull | Error::TransmitHistoryFull | Error::TooManyClientHelloFragments => {
            FailureReason::Limit
        }
        Error::SecurityError(_) | Error::IncompleteServerHello => FailureReason::Incompatible,
        _ => FailureReason::Protocol,
    })
}
