//! The numbers of attributes (RFC 8489 section 18.3 and the IANA registry).

use core::fmt;

/// The number of an attribute. Below 0x8000 it must be understood, or the message is refused (RFC 8489 section 14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttributeType(pub u16);

/// The table, once: a constant for each number, and its name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $constant:ident = $number:literal, $name:literal;)*) => {
        impl AttributeType {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// Its name in the registry, where this crate knows it.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}
kinds! {
    /// RFC 8489 section 14.1.
    MAPPED_ADDRESS = 0x0001, "MAPPED-ADDRESS";
    /// RFC 3489 section 11.2.2: where to answer. Reserved since RFC 5389, as a way to reflect.
    RESPONSE_ADDRESS = 0x0002, "RESPONSE-ADDRESS";
    /// RFC 5780 section 7.2.
    CHANGE_REQUEST = 0x0003, "CHANGE-REQUEST";
    /// RFC 3489 section 11.2.5. Reserved since RFC 5389; RESPONSE-ORIGIN is its successor.
    SOURCE_ADDRESS = 0x0004, "SOURCE-ADDRESS";
    /// RFC 3489 section 11.2.3. Reserved since RFC 5389; OTHER-ADDRESS is its successor.
    CHANGED_ADDRESS = 0x0005, "CHANGED-ADDRESS";
    /// RFC 8489 section 14.3.
    USERNAME = 0x0006, "USERNAME";
    /// RFC 3489 section 11.2.7. Reserved since RFC 5389.
    PASSWORD = 0x0007, "PASSWORD";
    /// RFC 8489 section 14.5.
    MESSAGE_INTEGRITY = 0x0008, "MESSAGE-INTEGRITY";
    /// RFC 8489 section 14.8.
    ERROR_CODE = 0x0009, "ERROR-CODE";
    /// RFC 8489 section 14.13.
    UNKNOWN_ATTRIBUTES = 0x000A, "UNKNOWN-ATTRIBUTES";
    /// RFC 3489 section 11.2.11. Reserved since RFC 5389.
    REFLECTED_FROM = 0x000B, "REFLECTED-FROM";
    /// RFC 8656 section 18.1.
    CHANNEL_NUMBER = 0x000C, "CHANNEL-NUMBER";
    /// RFC 8656 section 18.2.
    LIFETIME = 0x000D, "LIFETIME";
    /// RFC 8656 section 18: reserved, was BANDWIDTH in drafts of RFC 5766.
    BANDWIDTH = 0x0010, "BANDWIDTH";
    /// RFC 8656 section 18.3.
    XOR_PEER_ADDRESS = 0x0012, "XOR-PEER-ADDRESS";
    /// RFC 8656 section 18.4.
    DATA = 0x0013, "DATA";
    /// RFC 8489 section 14.9.
    REALM = 0x0014, "REALM";
    /// RFC 8489 section 14.10.
    NONCE = 0x0015, "NONCE";
    /// RFC 8656 section 18.5.
    XOR_RELAYED_ADDRESS = 0x0016, "XOR-RELAYED-ADDRESS";
    /// RFC 8656 section 18.6.
    REQUESTED_ADDRESS_FAMILY = 0x0017, "REQUESTED-ADDRESS-FAMILY";
    /// RFC 8656 section 18.7.
    EVEN_PORT = 0x0018, "EVEN-PORT";
    /// RFC 8656 section 18.8.
    REQUESTED_TRANSPORT = 0x0019, "REQUESTED-TRANSPORT";
    /// RFC 8656 section 18.9.
    DONT_FRAGMENT = 0x001A, "DONT-FRAGMENT";
    /// RFC 7635 section 9.1.
    ACCESS_TOKEN = 0x001B, "ACCESS-TOKEN";
    /// RFC 8489 section 14.6.
    MESSAGE_INTEGRITY_SHA256 = 0x001C, "MESSAGE-INTEGRITY-SHA256";
    /// RFC 8489 section 14.12.
    PASSWORD_ALGORITHM = 0x001D, "PASSWORD-ALGORITHM";
    /// RFC 8489 section 14.4.
    USERHASH = 0x001E, "USERHASH";
    /// RFC 8489 section 14.2.
    XOR_MAPPED_ADDRESS = 0x0020, "XOR-MAPPED-ADDRESS";
    /// RFC 8656 section 18: reserved, was TIMER-VAL in drafts of RFC 5766.
    TIMER_VAL = 0x0021, "TIMER-VAL";
    /// RFC 8656 section 18.10.
    RESERVATION_TOKEN = 0x0022, "RESERVATION-TOKEN";
    /// RFC 8445 section 16.1.
    PRIORITY = 0x0024, "PRIORITY";
    /// RFC 8445 section 16.1.
    USE_CANDIDATE = 0x0025, "USE-CANDIDATE";
    /// RFC 5780 section 7.6.
    PADDING = 0x0026, "PADDING";
    /// RFC 5780 section 7.5.
    RESPONSE_PORT = 0x0027, "RESPONSE-PORT";
    /// RFC 6062 section 6.2.1.
    CONNECTION_ID = 0x002A, "CONNECTION-ID";
    /// RFC 8656 section 18.11.
    ADDITIONAL_ADDRESS_FAMILY = 0x8000, "ADDITIONAL-ADDRESS-FAMILY";
    /// RFC 8656 section 18.12.
    ADDRESS_ERROR_CODE = 0x8001, "ADDRESS-ERROR-CODE";
    /// RFC 8489 section 14.11.
    PASSWORD_ALGORITHMS = 0x8002, "PASSWORD-ALGORITHMS";
    /// RFC 8489 section 14.16.
    ALTERNATE_DOMAIN = 0x8003, "ALTERNATE-DOMAIN";
    /// RFC 8656 section 18.13.
    ICMP = 0x8004, "ICMP";
    /// Not registered: XOR-MAPPED-ADDRESS as drafts of RFC 5389 had it, and some servers still send it.
    XOR_MAPPED_ADDRESS_DRAFT = 0x8020, "XOR-MAPPED-ADDRESS (draft)";
    /// RFC 8489 section 14.14.
    SOFTWARE = 0x8022, "SOFTWARE";
    /// RFC 8489 section 14.15.
    ALTERNATE_SERVER = 0x8023, "ALTERNATE-SERVER";
    /// RFC 7982 section 3.1.
    TRANSACTION_TRANSMIT_COUNTER = 0x8025, "TRANSACTION_TRANSMIT_COUNTER";
    /// RFC 5780 section 9.1: reserved, was CACHE-TIMEOUT in its drafts.
    CACHE_TIMEOUT = 0x8027, "CACHE-TIMEOUT";
    /// RFC 8489 section 14.7.
    FINGERPRINT = 0x8028, "FINGERPRINT";
    /// RFC 8445 section 16.1.
    ICE_CONTROLLED = 0x8029, "ICE-CONTROLLED";
    /// RFC 8445 section 16.1.
    ICE_CONTROLLING = 0x802A, "ICE-CONTROLLING";
    /// RFC 5780 section 7.3.
    RESPONSE_ORIGIN = 0x802B, "RESPONSE-ORIGIN";
    /// RFC 5780 section 7.4.
    OTHER_ADDRESS = 0x802C, "OTHER-ADDRESS";
    /// RFC 6679 section 7.2.2.
    ECN_CHECK = 0x802D, "ECN-CHECK";
    /// RFC 7635 section 9.2.
    THIRD_PARTY_AUTHORIZATION = 0x802E, "THIRD-PARTY-AUTHORIZATION";
    /// RFC 8016 section 3.4.
    MOBILITY_TICKET = 0x8030, "MOBILITY-TICKET";
    /// Registered to Cisco (draft-martinsen-mmusic-malice).
    CISCO_STUN_FLOWDATA = 0xC000, "CISCO-STUN-FLOWDATA";
    /// ICE renomination, as libwebrtc sends it (draft-thatcher-ice-renomination). The registry has another
    /// attribute of this number, which nobody sends: ENF-FLOW-DESCRIPTION.
    NOMINATION = 0xC001, "NOMINATION";
    /// Registered as ENF-NETWORK-STATUS.
    ENF_NETWORK_STATUS = 0xC002, "ENF-NETWORK-STATUS";
    /// As libwebrtc sends it. Registered as GOOG-NETWORK-INFO.
    NETWORK_COST = 0xC057, "NETWORK-COST";
    /// Registered to Google.
    GOOG_LAST_ICE_CHECK_RECEIVED = 0xC058, "GOOG-LAST-ICE-CHECK-RECEIVED";
    /// Registered to Google.
    GOOG_MISC_INFO = 0xC059, "GOOG-MISC-INFO";
    /// Registered to Google.
    GOOG_OBSOLETE_1 = 0xC05A, "GOOG-OBSOLETE-1";
    /// Registered to Google.
    GOOG_CONNECTION_ID = 0xC05B, "GOOG-CONNECTION-ID";
    /// Registered to Google.
    GOOG_DELTA = 0xC05C, "GOOG-DELTA";
    /// Registered to Google.
    GOOG_DELTA_ACK = 0xC05D, "GOOG-DELTA-ACK";
    /// Registered to Google.
    GOOG_DELTA_SYNC_REQ = 0xC05E, "GOOG-DELTA-SYNC-REQ";
    /// As libwebrtc sends it.
    GOOG_MESSAGE_INTEGRITY_32 = 0xC060, "GOOG-MESSAGE-INTEGRITY-32";
    /// draft-hancke-webrtc-sped.
    META_DTLS_IN_STUN = 0xC070, "META-DTLS-IN-STUN";
    /// draft-hancke-webrtc-sped.
    META_DTLS_IN_STUN_ACKNOWLEDGEMENT = 0xC071, "META-DTLS-IN-STUN-ACKNOWLEDGEMENT";
}
impl AttributeType {
    /// The comprehension-required attributes that a server of RFC 3489 may put into its responses, and a client ignores
    /// (RFC 5389 section 12.1).
    pub const IN_RFC3489_RESPONSES: [Self; 4] =
        [Self::RESPONSE_ADDRESS, Self::SOURCE_ADDRESS, Self::CHANGED_ADDRESS, Self::REFLECTED_FROM];

    /// Whether a message that has it must be refused by who does not understand it (RFC 8489 section 14).
    #[must_use]
    pub const fn is_comprehension_required(self) -> bool {
        self.0 < 0x8000
    }
    /// Whether it is one of the three that end a message, in this order: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256,
    /// FINGERPRINT.
    #[must_use]
    pub const fn ends_message(self) -> bool {
        matches!(self, Self::MESSAGE_INTEGRITY | Self::MESSAGE_INTEGRITY_SHA256 | Self::FINGERPRINT)
    }
    /// Whether its value is computed from the message: no [`Attribute`](super::Attribute) writes it.
    pub(crate) const fn is_computed(self) -> bool {
        self.ends_message() || matches!(self, Self::GOOG_MESSAGE_INTEGRITY_32)
    }
}
impl fmt::Debug for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}
impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
