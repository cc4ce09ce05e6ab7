//! The source's address: `postgres://user@host:port/database`.

use onramp_finding::codes::files;

use crate::definition::Complaint;

/// The address in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) database: String,
}

/// Whether it can be read. The complaint never repeats it, since a password may stand in it.
pub(crate) fn check(text: &str) -> Result<(), Complaint> {
    parse(text).map(|_| ())
}

/// Reads it.
pub(crate) fn parse(text: &str) -> Result<Address, Complaint> {
    if crate::yaml::password_in_url(text).is_some() {
        return Err(Complaint::new(
            &files::SECRET_IN_FILE,
            "a password stands in the source's address",
            "write where it is under `source.password`: `{ env: NAME }` or `{ file: PATH }`",
        ));
    }
    let bad = |message: &str| {
        Complaint::new(
            &files::BAD_VALUE,
            message.to_owned(),
            "write it like postgres://user@host:5432/database, or postgres://user@/database?host=/folder for a Unix socket",
        )
    };
    let rest = text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"))
        .ok_or_else(|| bad("the source's address does not begin with `postgres://`"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest
        .split_once('/')
        .ok_or_else(|| bad("the source's address names no database"))?;
    let (user, host) = authority
        .rsplit_once('@')
        .ok_or_else(|| bad("the source's address names no user"))?;
    let mut port = None;
    let mut host = host.to_owned();
    if !host.ends_with(']')
        && let Some((before, digits)) = host.rsplit_once(':')
    {
        port = Some(digits.to_owned());
        host = before.to_owned();
    }
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        match pair.split_once('=') {
            Some(("host", value)) if host.is_empty() => host = value.to_owned(),
            Some(("port", value)) if port.is_none() => port = Some(value.to_owned()),
            _ => {
                return Err(bad(
                    "the source's address has a parameter that is not known or stands twice",
                ));
            }
        }
    }
    let decode = |part: &str| {
        percent_decoded(part)
            .ok_or_else(|| bad("the source's address has a `%` without its two digits"))
    };
    let port = match port {
        None => 5432,
        Some(digits) => digits.parse().ok().filter(|p| *p > 0).ok_or_else(|| {
            bad("the source's address has a port that is not a number from 1 to 65535")
        })?,
    };
    let address = Address {
        host: decode(host.trim_start_matches('[').trim_end_matches(']'))?,
        port,
        user: decode(user)?,
        database: decode(database)?,
    };
    for (part, what) in [
        (&address.host, "host"),
        (&address.user, "user"),
        (&address.database, "database"),
    ] {
        if part.is_empty() {
            return Err(bad(&format!("the source's address names no {what}")));
        }
        if part.chars().any(char::is_control) {
            return Err(bad(&format!(
                "the source's address has a control character in its {what}"
            )));
        }
    }
    Ok(address)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                let (high, low) = (bytes.next()?, bytes.next()?);
                let digit = |b: u8| (b as char).to_digit(16);
                out.push((digit(high)? * 16 + digit(low)?) as u8);
            }
            _ => out.push(b),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16, user: &str, database: &str) -> Address {
        Address {
            host: host.into(),
            port,
            user: user.into(),
            database: database.into(),
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let read = |t: &str| parse(t).unwrap();
        assert_eq!(
            read("postgres://onramp@db.internal:5433/shop"),
            address("db.internal", 5433, "onramp", "shop")
        );
        assert_eq!(
            read("postgresql://u@[::1]/d"),
            address("::1", 5432, "u", "d")
        );
        assert_eq!(
            read("postgres://u@/d?host=/run/pg&port=5439"),
            address("/run/pg", 5439, "u", "d")
        );
        assert_eq!(
            read("postgres://u@%2Frun%2Fpg:1/d%20e"),
            address("/run/pg", 1, "u", "d e")
        );
    }

    #[test]
    fn what_is_missing_is_named_and_a_password_never_repeated() {
        for text in [
            "mysql://u@h/d",
            "postgres://u@h",
            "postgres://h/d",
            "postgres://u@h:0/d",
            "postgres://u@h/d?sslmode=x",
            "postgres://u@/d",
            "postgres://u@h/%zz",
        ] {
            assert_eq!(parse(text).unwrap_err().code.id, "ONR-109", "{text}");
        }
        let complaint = parse("postgres://u:hunter2@h/d").unwrap_err();
        assert_eq!(complaint.code.id, "ONR-124");
        assert!(!format!("{}{}", complaint.message, complaint.remedy).contains("hunter2"));
    }
}
