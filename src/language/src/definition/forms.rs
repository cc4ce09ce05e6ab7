//! The forms that a text may have, and what is said about one that has not.

use onramp_finding::{Code, codes::files};

use super::spelling::{
    avro_name, duration, event_name, gateway_name, is_a_key_name, product_name, scalar, size,
    slot_name, table,
};
use crate::Scalar;
use onramp_finding::nearest;

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// A code of the source: any text, none included.
    Code,
    Word,
    GatewayName,
    ProductName,
    FieldName,
    Symbol,
    /// PascalCase: an Avro record's name.
    EventName,
    SecretName,
    SlotName,
    Integer(i64, i64),
    Boolean,
    Duration,
    Retention,
    Size,
    SourceUrl,
    HttpUrl,
    Listen,
    Broker,
    Path,
    Pattern,
    Table,
    /// `schema.table`, with `*` for any letters.
    Tables,
    Column,
    Expression,
    FieldType,
    ItemType,
    JsonPath,
    /// A value of a field's type, which is checked where that is known.
    Constant,
    Classification,
}

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) struct Complaint {
    pub(crate) code: &'static Code,
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Complaint {
    pub(crate) fn new(
        code: &'static Code,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Complaint {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

impl Form {
    /// What it is, for the reference.
    pub(crate) fn title(self) -> String {
        match self {
            Form::Text => "text".into(),
            Form::Code => "code".into(),
            Form::Word => "word".into(),
            Form::GatewayName | Form::ProductName | Form::FieldName | Form::SlotName => {
                "name".into()
            }
            Form::Symbol => "symbol".into(),
            Form::EventName => "name of an event".into(),
            Form::SecretName => "name of a key".into(),
            Form::Integer(min, max) => format!("whole number, {min} to {max}"),
            Form::Boolean => "`true` or `false`".into(),
            Form::Duration => "duration (`100ms`, `20s`, `5m`, `2h`, `7d`)".into(),
            Form::Retention => "`forever` or a duration".into(),
            Form::Size => "size (`512B`, `64KiB`, `8MiB`, `1GiB`)".into(),
            Form::SourceUrl | Form::HttpUrl => "address".into(),
            Form::Listen | Form::Broker => "`address:port`".into(),
            Form::Path => "path".into(),
            Form::Pattern => "path or pattern".into(),
            Form::Table => "`schema.table`".into(),
            Form::Tables => "`schema.table`, `*` for any letters".into(),
            Form::Column => "column".into(),
            Form::Expression => "expression".into(),
            Form::FieldType | Form::ItemType => "type".into(),
            Form::JsonPath => "path in JSON".into(),
            Form::Constant => "value".into(),
            Form::Classification => "word".into(),
        }
    }

    /// The pattern of the whole text, where it has one; for names and for editors.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Form::GatewayName => "[a-z][a-z0-9_]{0,40}",
            Form::ProductName => "[a-z][a-z0-9-]*\\.[a-z][a-z0-9-]*\\.v[1-9][0-9]{0,8}",
            Form::FieldName | Form::Symbol => "[A-Za-z_][A-Za-z0-9_]*",
            Form::EventName => "[A-Z][A-Za-z0-9]*",
            Form::SecretName => "[a-z][a-z0-9_]{0,63}",
            Form::SlotName => "[a-z0-9_]{1,63}",
            Form::Duration => "[0-9]+(ms|s|m|h|d)",
            Form::Retention => "forever|[0-9]+(ms|s|m|h|d)",
            Form::Size => "[0-9]+(B|KiB|MiB|GiB)",
            Form::SourceUrl => "postgres(ql)?://.+",
            Form::HttpUrl => "https?://.+",
            Form::Listen | Form::Broker => ".+:[0-9]+",
            Form::Table => "[^.*]+\\.[^.*]+",
            Form::Tables => "[^.]+\\.[^.]+",
            Form::FieldType | Form::ItemType => {
                "boolean|int|long|float|double|string|bytes|decimal\\([0-9]+,[0-9]+\\)|date|timestamp|local-timestamp|time|uuid|json|enum|record|array"
            }
            _ => return None,
        })
    }

    /// Whether the text has this form. No complaint repeats a text that could hold a secret.
    pub(crate) fn check(self, text: &str) -> Result<(), Complaint> {
        match self {
            Form::Code | Form::Constant => Ok(()),
            Form::Text | Form::Word | Form::Path | Form::Column | Form::Expression => {
                not_empty(text)
            }
            Form::GatewayName => named(
                gateway_name(text),
                text,
                "a gateway's name",
                self,
                "lower case, at most 41 letters, digits and `_`, e.g. `legacy_shop`",
            ),
            Form::ProductName => named(
                product_name(text).is_some(),
                text,
                "a product's name",
                self,
                "domain, name and version in lower case, e.g. `commerce.orders.v1`",
            ),
            Form::FieldName => named(
                avro_name(text),
                text,
                "a field's name",
                self,
                "letters, digits and `_`, not beginning with a digit, as Avro asks",
            ),
            Form::Symbol => named(
                avro_name(text),
                text,
                "an enum's symbol",
                self,
                "letters, digits and `_`, not beginning with a digit, as Avro asks",
            ),
            Form::EventName => named(
                event_name(text),
                text,
                "an event's name",
                self,
                "letters and digits, the first a capital, e.g. `OrderPlaced`",
            ),
            Form::SecretName => named(
                is_a_key_name(text),
                text,
                "a key's name",
                self,
                "at most 64 lower case letters, digits and `_`, e.g. `pii_2026`",
            ),
            Form::SlotName => named(
                slot_name(text),
                text,
                "a replication slot's name",
                self,
                "at most 63 lower case letters, digits and `_`",
            ),
            Form::Integer(min, max) => match text.parse::<i64>() {
                Ok(n) if (min..=max).contains(&n) => Ok(()),
                _ => Err(bad(
                    format!("`{text}` is not a whole number from {min} to {max}"),
                    "write plain digits",
                )),
            },
            Form::Boolean => match text {
                "true" | "false" => Ok(()),
                _ => Err(bad(
                    format!("`{text}` is neither `true` nor `false`"),
                    "write `true` or `false`",
                )),
            },
            Form::Duration => with_unit(
                duration(text).is_some(),
                text,
                "a duration",
                &["ms", "s", "m", "h", "d"],
                "5s",
            ),
            Form::Retention if text == "forever" => Ok(()),
            Form::Retention => with_unit(
                duration(text).is_some(),
                text,
                "`forever` or a duration",
                &["ms", "s", "m", "h", "d"],
                "7d",
            ),
            Form::Size => with_unit(
                size(text).is_some(),
                text,
                "a size",
                &["B", "KiB", "MiB", "GiB"],
                "8MiB",
            ),
            Form::SourceUrl => super::super::read::address::check(text),
            Form::HttpUrl => http_url(text),
            Form::Listen => match text.parse::<std::net::SocketAddr>() {
                Ok(_) => Ok(()),
                Err(_) => Err(bad(
                    format!("`{text}` is not an address and a port"),
                    "write an IP address and a port, e.g. \"0.0.0.0:8080\", \"127.0.0.1:8080\" or \"[::]:8080\"",
                )),
            },
            Form::Broker => match text.rsplit_once(':') {
                Some((host, port))
                    if !host.is_empty()
                        && !host.contains(|c: char| {
                            c.is_whitespace() || matches!(c, ',' | '/' | '@')
                        })
                        && port.parse::<u16>().is_ok_and(|p| p > 0) =>
                {
                    Ok(())
                }
                _ => Err(bad(
                    "this is not a broker's `host:port`".into(),
                    "write it like `kafka-1:9092`",
                )),
            },
            Form::Pattern => super::super::load::pattern::check(text),
            Form::Table if text.contains('*') => Err(bad(
                format!("`{text}` is not one table"),
                "name the table, or several by `tables: [\"shop_*.ordr_hdr\"]`",
            )),
            Form::Table | Form::Tables => match table(text) {
                Some(_) => Ok(()),
                None => Err(bad(
                    format!("`{text}` is not a table with its schema"),
                    "write schema and table, e.g. `public.ordr_hdr`, as the catalogue spells them",
                )),
            },
            Form::FieldType | Form::ItemType => field_type(text, &["enum", "record", "array"]),
            Form::JsonPath => match onramp_expression::JsonPath::parse(text) {
                Ok(_) => Ok(()),
                Err(why) => Err(bad(
                    format!("`{text}` is no path in JSON: {why}"),
                    "write names with dots between and places in brackets, e.g. `customer.id` or `lines[0].sku`",
                )),
            },
            Form::Classification => {
                not_empty(text)?;
                classification(text)
            }
        }
    }
}

fn bad(message: String, remedy: &str) -> Complaint {
    Complaint::new(&files::BAD_VALUE, message, remedy)
}

fn not_empty(text: &str) -> Result<(), Complaint> {
    match text.trim().is_empty() {
        false => Ok(()),
        true => Err(bad(
            "the text is empty".into(),
            "write something, or remove the key if it may be left out",
        )),
    }
}

fn named(fits: bool, text: &str, what: &str, form: Form, remedy: &str) -> Result<(), Complaint> {
    let pattern = form.pattern().unwrap_or(".+");
    match fits {
        true => Ok(()),
        false => Err(Complaint::new(
            &files::BAD_NAME,
            format!("`{text}` is not allowed as {what}: `{pattern}`"),
            format!("spell it with {remedy}"),
        )),
    }
}

fn with_unit(
    fits: bool,
    text: &str,
    what: &str,
    units: &[&str],
    example: &str,
) -> Result<(), Complaint> {
    if fits {
        return Ok(());
    }
    let units = units.join("`, `");
    let message = match text.parse::<f64>() {
        Ok(_) => format!("`{text}` has no unit"),
        Err(_) => format!("`{text}` is not {what}"),
    };
    Err(Complaint::new(
        &files::BAD_VALUE,
        message,
        format!("write a whole number and one of `{units}`, e.g. `{example}`"),
    ))
}

fn http_url(text: &str) -> Result<(), Complaint> {
    if crate::yaml::password_in_url(text).is_some() {
        return Err(Complaint::new(
            &files::SECRET_IN_FILE,
            "a password stands in the address",
            "write the user under `username` and where the password is under `password`",
        ));
    }
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest)
            if !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(char::is_whitespace) =>
        {
            Ok(())
        }
        _ => Err(bad(
            "this is not an http or https address".into(),
            "write it like \"https://registry:8081\"",
        )),
    }
}

/// Any word is a classification; one that was surely meant to ask for protection is no other.
fn classification(text: &str) -> Result<(), Complaint> {
    match nearest(text, std::iter::once("personal")) {
        Some(word) if text != word => Err(Complaint::new(
            &files::UNKNOWN_WORD,
            format!("`{text}` is not the classification that asks for protection"),
            format!("did you mean `{word}`?"),
        )),
        _ => Ok(()),
    }
}

/// A type of one value, or one of these words.
fn field_type(text: &str, more: &'static [&'static str]) -> Result<(), Complaint> {
    if scalar(text).is_some() || more.contains(&text) {
        return Ok(());
    }
    if text == "decimal" || text.starts_with("decimal(") {
        return Err(Complaint::new(
            &files::DECIMAL,
            format!("`{text}` does not say a precision of 1 to 38 and a scale no greater"),
            "write `decimal(PRECISION,SCALE)` in quotes and without spaces, e.g. \"decimal(12,2)\"",
        ));
    }
    let remedy = match of_a_database(text) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let all = Scalar::WORDS.iter().copied();
            let all = all.chain(["decimal(12,2)"]);
            suggestion(text, all.chain(more.iter().copied()))
        }
    };
    Err(Complaint::new(
        &files::UNKNOWN_WORD,
        format!("there is no type `{text}`"),
        remedy,
    ))
}

/// What databases and other schemas call our types.
fn of_a_database(word: &str) -> Option<&'static str> {
    let stem = word.split('(').next().unwrap_or(word).trim();
    Some(match stem.to_ascii_lowercase().as_str() {
        "integer" | "int4" | "int2" | "smallint" | "int32" => "int",
        "bigint" | "int8" | "int64" => "long",
        "varchar" | "char" | "bpchar" | "text" => "string",
        "numeric" | "number" | "money" => "decimal(12,2)",
        "bool" => "boolean",
        "real" => "float",
        "bytea" | "binary" | "blob" => "bytes",
        "datetime" => "local-timestamp",
        "timestamptz" => "timestamp",
        "jsonb" => "json",
        "struct" | "object" | "map" => "record",
        "list" => "array",
        _ => return None,
    })
}

/// A remedy out of the words that may stand: the nearest one, or all.
pub(crate) fn suggestion(text: &str, words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<&str> = words.collect();
    match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("use one of `{}`", words.join("`, `")),
    }
}
