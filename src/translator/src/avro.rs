//! Whether bytes are the binary form of one record of a schema, to the last of them: for payloads
//! that are Avro already and are passed through.
//!
//! Everything that Avro 1.12 has is known; logical types are their own types, with nothing asked of
//! their values.

use std::collections::HashMap;

use serde_json::Value;

/// Deeper values are refused: a record may hold itself.
const MAX_DEPTH: usize = 64;

/// A schema, compiled: its types by number.
#[derive(Debug, Clone)]
pub(crate) struct Avro {
    nodes: Vec<Node>,
    root: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Null,
    Boolean,
    /// Of so many bits.
    Number(u32),
    Fixed(usize),
    Bytes,
    Text,
    /// So many symbols.
    Enum(usize),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<usize>),
}

impl Avro {
    /// Compiles a schema; None where it is none.
    pub(crate) fn new(schema: &str) -> Option<Avro> {
        let schema: Value = serde_json::from_str(schema).ok()?;
        let mut compiler = Compiler {
            nodes: Vec::new(),
            names: HashMap::new(),
        };
        let root = compiler.node(&schema, "")?;
        Some(Avro {
            nodes: compiler.nodes,
            root,
        })
    }

    /// Whether the bytes are one value, and nothing more.
    pub(crate) fn fits(&self, mut bytes: &[u8]) -> bool {
        self.read(self.root, &mut bytes, 0) == Some(()) && bytes.is_empty()
    }

    fn read(&self, node: usize, bytes: &mut &[u8], depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match &self.nodes[node] {
            Node::Null => Some(()),
            Node::Boolean => matches!(skip(bytes, 1)?, [0 | 1]).then_some(()),
            Node::Number(bits) => {
                let value = number(bytes)?;
                (*bits == 64 || i32::try_from(value).is_ok()).then_some(())
            }
            Node::Fixed(size) => skip(bytes, *size).map(|_| ()),
            Node::Bytes => text(bytes).map(|_| ()),
            Node::Text => std::str::from_utf8(text(bytes)?).ok().map(|_| ()),
            Node::Enum(symbols) => (usize::try_from(number(bytes)?).ok()? < *symbols).then_some(()),
            Node::Union(branches) => {
                let branch = usize::try_from(number(bytes)?).ok()?;
                self.read(*branches.get(branch)?, bytes, depth + 1)
            }
            Node::Record(fields) => {
                let mut fields = fields.iter();
                fields.try_for_each(|field| self.read(*field, bytes, depth + 1))
            }
            Node::Array(items) => self.blocks(bytes, &mut |avro, bytes| {
                avro.read(*items, bytes, depth + 1)
            }),
            Node::Map(values) => self.blocks(bytes, &mut |avro, bytes| {
                std::str::from_utf8(text(bytes)?).ok()?;
                avro.read(*values, bytes, depth + 1)
            }),
        }
    }

    fn blocks(
        &self,
        bytes: &mut &[u8],
        item: &mut dyn FnMut(&Self, &mut &[u8]) -> Option<()>,
    ) -> Option<()> {
        loop {
            let count = number(bytes)?;
            if count == 0 {
                return Some(());
            }
            if count < 0 {
                // The block's size in bytes, for whoever skips it.
                number(bytes)?;
            }
            let count = usize::try_from(count.unsigned_abs()).ok()?;
            // Items of no bytes could be any number of them.
            if count > bytes.len() {
                return None;
            }
            for _ in 0..count {
                item(self, bytes)?;
            }
        }
    }
}

fn skip<'b>(bytes: &mut &'b [u8], count: usize) -> Option<&'b [u8]> {
    let (front, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(front)
}

fn text<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    skip(bytes, length)
}

/// A variable-length zigzag number of at most ten bytes.
fn number(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for at in 0..10 {
        let [byte] = skip(bytes, 1)? else {
            return None;
        };
        if at == 9 && *byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

struct Compiler {
    nodes: Vec<Node>,
    names: HashMap<String, usize>,
}

impl Compiler {
    fn push(&mut self, node: Node) -> Option<usize> {
        self.nodes.push(node);
        Some(self.nodes.len() - 1)
    }

    fn node(&mut self, schema: &Value, space: &str) -> Option<usize> {
        if let Some(branches) = schema.as_array() {
            let branches: Option<Vec<usize>> =
                branches.iter().map(|b| self.node(b, space)).collect();
            return self.push(Node::Union(branches?));
        }
        let word = schema.as_str().or_else(|| schema["type"].as_str());
        let Some(word) = word else {
            return self.node(schema.get("type")?, space);
        };
        let node = match word {
            "null" => Node::Null,
            "boolean" => Node::Boolean,
            "int" => Node::Number(32),
            "long" => Node::Number(64),
            "float" => Node::Fixed(4),
            "double" => Node::Fixed(8),
            "bytes" => Node::Bytes,
            "string" => Node::Text,
            "array" => Node::Array(self.node(schema.get("items")?, space)?),
            "map" => Node::Map(self.node(schema.get("values")?, space)?),
            "record" | "enum" | "fixed" => return self.named(word, schema, space),
            name => {
                let own = full(name, space);
                let known = self.names.get(&own).or_else(|| self.names.get(name));
                return known.copied();
            }
        };
        self.push(node)
    }

    fn named(&mut self, word: &str, schema: &Value, space: &str) -> Option<usize> {
        let space = schema["namespace"].as_str().unwrap_or(space);
        let name = full(schema["name"].as_str()?, space);
        let space = name.rsplit_once('.').map_or("", |(space, _)| space);
        // Known before its fields are read, which may be of its own type.
        let at = self.push(Node::Null)?;
        self.names.insert(name.clone(), at);
        self.nodes[at] = match word {
            "enum" => Node::Enum(schema["symbols"].as_array()?.len()),
            "fixed" => Node::Fixed(usize::try_from(schema["size"].as_u64()?).ok()?),
            _ => {
                let fields = schema["fields"].as_array()?.iter();
                let fields: Option<Vec<usize>> = fields
                    .map(|field| self.node(field.get("type")?, space))
                    .collect();
                Node::Record(fields?)
            }
        };
        Some(at)
    }
}

fn full(name: &str, space: &str) -> String {
    match name.contains('.') || space.is_empty() {
        true => name.to_owned(),
        false => format!("{space}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;
    use apache_avro::reader::datum::GenericDatumReader;
    use proptest::prelude::*;

    use super::Avro;

    const SCHEMA: &str = r#"{"type": "record", "name": "Tree", "namespace": "n", "fields": [
        {"name": "id", "type": "int"}, {"name": "ok", "type": "boolean"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
        {"name": "kinds", "type": {"type": "array", "items": "n.Kind"}},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "sum", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4}},
        {"name": "left", "type": ["null", "Tree"]}]}"#;

    /// An id, true, B, [A], {"k": "v"}, a number, no more.
    const GOOD: &[u8] = &[14, 1, 2, 2, 0, 0, 2, 2, b'k', 2, b'v', 0, 2, 5, 0];

    #[test]
    fn one_value_fits_and_no_part_of_it_or_more() {
        let avro = Avro::new(SCHEMA).unwrap();
        assert!(avro.fits(GOOD));
        for end in 0..GOOD.len() {
            assert!(!avro.fits(&GOOD[..end]), "{end}");
        }
        assert!(!avro.fits(&[GOOD, &[0]].concat()));
        for (at, byte) in [(1, 2), (2, 4), (2, 1), (9, 0xff), (14, 4)] {
            let mut bad = GOOD.to_vec();
            bad[at] = byte;
            assert!(!avro.fits(&bad), "{at}");
        }
        // A block of any number of nulls.
        let nulls = r#"{"type": "record", "name": "N", "fields": [
            {"name": "n", "type": {"type": "array", "items": "null"}}]}"#;
        let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        assert!(!Avro::new(nulls).unwrap().fits(&huge));
        assert!(Avro::new(r#"{"type": "nothing"}"#).is_none());
    }

    proptest! {
        /// Apache's reader is laxer with booleans and enums alone, so what fits it reads.
        #[test]
        fn what_fits_is_read_by_others(bytes in proptest::collection::vec(0u8..5, 0..24)) {
            let avro = Avro::new(SCHEMA).unwrap();
            if avro.fits(&bytes) {
                let schema = Schema::parse_str(SCHEMA).unwrap();
                let reader = GenericDatumReader::builder(&schema).build().unwrap();
                let mut rest = &bytes[..];
                prop_assert!(reader.read_value(&mut rest).is_ok());
                prop_assert!(rest.is_empty());
            }
        }
    }
}
