//! The verdict as people read it.

use core::fmt::Write as _;
use std::{string::String, vec::Vec};

use super::*;
use ginnel_core::Refused;

fn verdict() -> Verdict {
    let mut verdict = Verdict::unknown(server_address(), Unknown::NotAsked);
    verdict.local = Some("192.168.0.2:40000".parse().unwrap());
    verdict.mapped = Finding::Known("203.0.113.1:50000".parse().unwrap());
    verdict
}

#[test]
fn every_verdict_in_its_words() {
    let mut all: Vec<(String, Verdict)> = Vec::new();
    for mapping in MAPPINGS.map(|(_, mapping)| mapping) {
        for filtering in FILTERINGS.map(|(_, filtering)| filtering) {
            let (mapping_, filtering_) = (Finding::Known(mapping), Finding::Known(filtering));
            let it = Verdict { mapping: mapping_, filtering: filtering_, ..verdict() };
            all.push((std::format!("mapping {mapping}, filtering {filtering}"), it));
        }
    }
    for (_, mapping) in MAPPINGS {
        let (mapping_, filtering) = (Finding::Known(mapping), Finding::Unknown(Unknown::TooLossy));
        let it = Verdict { mapping: mapping_, filtering, ..verdict() };
        all.push((std::format!("mapping {mapping}, filtering not known"), it));
    }
    let eim = Verdict { mapping: Finding::Known(Mapping::EndpointIndependent), ..verdict() };
    for (_, hairpinning) in HAIRPINNINGS {
        all.push((
            std::format!("hairpinning {hairpinning:?}"),
            Verdict { hairpinning: Finding::Known(hairpinning), ..eim },
        ));
    }
    for filtering in FILTERINGS.map(|(_, filtering)| filtering) {
        let own = Finding::Known("192.168.0.2:40000".parse().unwrap());
        all.push((
            std::format!("no NAT, filtering {filtering}"),
            Verdict { mapped: own, filtering: Finding::Known(filtering), ..eim },
        ));
    }
    let lifetime = |at_most, refresh| Finding::Known(Lifetime { at_least: ms(25_400), at_most, refresh });
    let directions = [RefreshDirection::Outbound, RefreshDirection::OutboundAndInbound];
    for refresh in directions.map(Finding::Known).into_iter().chain([Finding::Unknown(Unknown::TooCoarse)]) {
        all.push((
            std::format!("lifetime, {refresh:?}"),
            Verdict { lifetime: lifetime(Some(ms(31_200)), refresh), ..eim },
        ));
    }
    let never = lifetime(None, Finding::Unknown(Unknown::NeverExpired));
    all.push(("lifetime without end".into(), Verdict { lifetime: never, ..eim }));
    all.push(("fragments lost".into(), Verdict { fragments: Finding::Known(Fragments::Lost), ..eim }));
    all.push(("an ALG".into(), Verdict { alg: Finding::Known(Alg::Generic), ..eim }));
    for why in WHY_NOTHING {
        let nothing = Verdict { mapped: Finding::Unknown(why), ..verdict() };
        all.push((std::format!("nothing known, {why:?}"), nothing));
    }
    for why in WHY_NO_MAPPING {
        let (mapping, filtering) = (Finding::Unknown(why), Finding::Unknown(why));
        all.push((std::format!("no mapping known, {why:?}"), Verdict { mapping, filtering, ..verdict() }));
    }
    for why in WHY_NO_FILTERING {
        let no_filtering = Verdict { filtering: Finding::Unknown(why), ..eim };
        all.push((std::format!("no filtering known, {why:?}"), no_filtering));
    }
    for why in WHY_NO_HAIRPINNING {
        let no_hairpinning = Verdict { hairpinning: Finding::Unknown(why), ..eim };
        all.push((std::format!("no hairpinning known, {why:?}"), no_hairpinning));
    }
    for why in WHY_NO_LIFETIME {
        all.push((
            std::format!("no lifetime known, {why:?}"),
            Verdict { lifetime: Finding::Unknown(why), ..eim },
        ));
    }
    let mut text = String::new();
    for (what, verdict) in all {
        writeln!(text, "{what}:\n  {verdict}\n").unwrap();
    }
    insta::assert_snapshot!(text);
}

const WHY_NOTHING: [Unknown; 6] = [
    Unknown::NoAnswer,
    Unknown::Unreachable,
    Unknown::NoSocket(Refused::NotPermitted),
    Unknown::SocketLost,
    Unknown::Stopped,
    Unknown::Refused(401),
];
const WHY_NO_MAPPING: [Unknown; 4] =
    [Unknown::NoOtherAddress, Unknown::BadOtherAddress, Unknown::OtherAddressSilent, Unknown::Unstable];
const WHY_NO_FILTERING: [Unknown; 4] = [
    Unknown::ChangeRequestIgnored,
    Unknown::ChangeRequestUnanswered,
    Unknown::Refused(420),
    Unknown::TooLossy,
];
const WHY_NO_HAIRPINNING: [Unknown; 5] = [
    Unknown::HiddenByFiltering,
    Unknown::TooLossy,
    Unknown::NotTranslated,
    Unknown::BadMappedAddress,
    Unknown::StrangeSource,
];
const WHY_NO_LIFETIME: [Unknown; 5] = [
    Unknown::DifferentAddresses,
    Unknown::ResponsePortIgnored,
    Unknown::ResponsePortUnanswered,
    Unknown::Refused(420),
    Unknown::TooLossy,
];

#[cfg(feature = "serde")]
#[test]
fn a_verdict_survives_its_serialisation() {
    let lifetime = Lifetime {
        at_least: ms(25_400),
        at_most: Some(secs(31)),
        refresh: Finding::Known(RefreshDirection::Outbound),
    };
    let mut one = Verdict { mapping: Finding::Known(Mapping::AddressDependent), ..verdict() };
    one.lifetime = Finding::Known(lifetime);
    let json = serde_json::to_string(&one).unwrap();
    assert!(json.contains(r#""mapping":{"known":"address-dependent"}"#), "{json}");
    assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), one);
    let reasons =
        [Unknown::NotAsked, Unknown::NoPlainAddress, Unknown::PaddingIgnored, Unknown::NeverExpired];
    for why in WHY_NOTHING
        .into_iter()
        .chain(WHY_NO_MAPPING)
        .chain(WHY_NO_FILTERING)
        .chain(WHY_NO_HAIRPINNING)
        .chain(reasons)
    {
        let one = Verdict::unknown(server_address(), why);
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), one, "{json}");
    }
}
