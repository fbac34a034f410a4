//! The account for people.

use std::io::{self, Write};

use ginnel::stun::attribute::AttributeType;

use super::{
    account::{Account, Attribute},
    key::Keys,
};

/// Writes a few lines about the message, and a table of its attributes.
pub(super) fn write(account: &Account<'_>, keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    let class = match account.class {
        "success" => "success response",
        "error" => "error response",
        class => class,
    };
    writeln!(out, "{} {class}, {} octets", account.method, account.length)?;
    writeln!(out, "transaction id  {}", account.transaction_id)?;
    writeln!(out, "fingerprint     {}", account.fingerprint)?;
    writeln!(out, "integrity       {}", integrity(account, keys.are_short_term()))?;
    if account.attributes.is_empty() {
        return writeln!(out, "no attributes");
    }
    writeln!(out)?;
    let width = account.attributes.iter().map(|attribute| name(attribute).len()).max().unwrap_or(0).max(4);
    writeln!(out, "offset    type  length  {:width$}  value", "name")?;
    for attribute in &account.attributes {
        let Attribute { kind, offset, length, .. } = attribute;
        writeln!(
            out,
            "{offset:6}  0x{kind:04x}  {length:6}  {:width$}  {}",
            name(attribute),
            value(attribute)
        )?;
    }
    Ok(())
}

fn integrity(account: &Account<'_>, short_term: bool) -> String {
    let mut text = account.integrity.to_string();
    if let Some(by) = account.integrity_by {
        text.push_str(": ");
        text.push_str(by);
    }
    if let Some(key) = account.integrity_key {
        text.push_str(", key ");
        text.push_str(key);
    }
    let long_term = account.attributes.iter().any(|attribute| attribute.kind == AttributeType::REALM.0);
    text.push_str(match account.integrity {
        "unchecked" if long_term => " (give --user, --realm and --password to check it)",
        "unchecked" => " (give --password to check it)",
        "bad" if long_term && short_term => " (there is a REALM: --user and --realm may be missing)",
        _ => "",
    });
    text
}

fn name(attribute: &Attribute<'_>) -> String {
    match (attribute.name, attribute.comprehension) {
        (Some(name), _) => name.to_string(),
        (None, Some(comprehension)) => format!("unknown, {comprehension}"),
        (None, None) => String::new(),
    }
}

fn value(attribute: &Attribute<'_>) -> String {
    let mut text = match (&attribute.value, &attribute.error) {
        (Some(value), _) => value.to_string(),
        (None, Some(error)) => format!("malformed: {error}; octets: {}", attribute.hex.shown()),
        (None, None) => attribute.hex.shown().to_string(),
    };
    if attribute.ignored {
        text.push_str(" (ignored: it stands behind message integrity)");
    }
    text
}
