//! What holds for every attribute: write then parse is the identity, and no octets make a panic.

use alloc::vec::Vec;

use proptest::prelude::*;

use crate::{
    attribute::{any::every_attribute, generate::Generate, *},
    testing::ID,
};

/// One check for one type, by its name, so that a failure says which.
struct Check {
    name: &'static str,
    kind: AttributeType,
    identity: fn(&[u8]),
    /// Whether these octets can be read.
    reads: fn(&[u8]) -> bool,
}
fn identity<'a, A: Attribute<'a> + Generate<'a> + PartialEq + core::fmt::Debug>(
    octets: &'a [u8],
    again: &'a mut Vec<u8>,
) {
    let value = A::generate(&mut { octets });
    again.resize(value.encoded_len(), 0xEE);
    value.write(again, ID);
    assert_eq!(A::parse(again, ID), Ok(value));
}
macro_rules! checks {
    ($($name:ident $(<$life:lifetime>)?),* $(,)?) => {
        const CHECKS: &[Check] = &[$(Check {
            name: stringify!($name),
            kind: $name::TYPE,
            identity: |octets| identity::<$name $(<$life>)?>(octets, &mut Vec::new()),
            reads: |octets| <$name as Attribute<'_>>::parse(octets, ID).is_ok(),
        }),*];
    };
}
/// Stands for the lifetime in the table of types, which names none that exists here.
macro_rules! checks_of_every_attribute {
    ($($name:ident $(<$life:lifetime>)?),* $(,)?) => { checks! { $($name),* } };
}
every_attribute!(checks_of_every_attribute);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_for_every_attribute(octets in proptest::collection::vec(any::<u8>(), 0..900)) {
        for check in CHECKS {
            (check.identity)(&octets);
        }
    }

    #[test]
    fn no_octets_make_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
        for check in CHECKS {
            for length in 0..=octets.len() {
                let by_type = (check.reads)(&octets[..length]);
                let by_number = AnyAttribute::parse(check.kind, &octets[..length], ID).is_ok();
                prop_assert_eq!(by_type, by_number, "{}, {} octets", check.name, length);
            }
        }
    }
}

#[test]
fn every_type_has_a_number_of_its_own_and_a_name() {
    for (place, check) in CHECKS.iter().enumerate() {
        assert!(check.kind.name().is_some(), "{}", check.name);
        assert!(!check.kind.is_computed(), "{}", check.name);
        assert!(CHECKS[..place].iter().all(|other| other.kind != check.kind), "{}", check.name);
    }
    assert_eq!(AnyAttribute::TYPES.len(), CHECKS.len());
}
