//! The account for people.

use std::io::{self, Write};

use super::account::{Account, Attribute};

/// Writes a few lines about the message, and a table of its attributes.
pub(super) fn write(account: &Account<'_>, out: &mut impl Write) -> io::Result<()> {
    let class = match account.class {
        "success" => "success response",
        "error" => "error response",
        class => class,
    };
    writeln!(out, "{} {class}, {} octets", account.method, account.length)?;
    writeln!(out, "transaction id  {}", account.transaction_id)?;
    writeln!(out, "fingerprint     {}", account.fingerprint)?;
    writeln!(out, "integrity       {}", integrity(account))?;
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

fn integrity(account: &Account<'_>) -> String {
    let mut text = account.integrity.to_string();
    if let Some(by) = account.integrity_by {
        text.push_str(": ");
        text.push_str(by);
    }
    if let Some(key) = account.integrity_key {
        text.push_str(", key ");
        text.push_str(key);
    }
    if account.integrity == "unchecked" {
        text.push_str(" (give --password to check it)");
    }
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
