//! An Avro schema as a tree whose names are resolved, with all that evolution looks at: defaults,
//! aliases, and logical types as they stand, those too that Avro's libraries would ignore.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// A node's number in its tree.
pub(crate) type Id = usize;

/// Why a schema cannot be read: lower case, for use within a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// A type without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Primitive {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
}

impl Primitive {
    fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "null" => Primitive::Null,
            "boolean" => Primitive::Boolean,
            "int" => Primitive::Int,
            "long" => Primitive::Long,
            "float" => Primitive::Float,
            "double" => Primitive::Double,
            "bytes" => Primitive::Bytes,
            "string" => Primitive::String,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Primitive::Null => "null",
            Primitive::Boolean => "boolean",
            Primitive::Int => "int",
            Primitive::Long => "long",
            Primitive::Float => "float",
            Primitive::Double => "double",
            Primitive::Bytes => "bytes",
            Primitive::String => "string",
        }
    }

    /// Whether a reader that expects `self` reads what was written as `written` (Avro
    /// specification, schema resolution).
    pub(crate) fn reads(self, written: Primitive) -> bool {
        use Primitive::{Bytes, Double, Float, Int, Long, String};
        self == written
            || matches!(
                (written, self),
                (Int, Long | Float | Double)
                    | (Long, Float | Double)
                    | (Float, Double)
                    | (String, Bytes)
                    | (Bytes, String)
            )
    }
}

/// What a value means beyond its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logical {
    pub(crate) name: String,
    pub(crate) precision: u64,
    pub(crate) scale: u64,
}

impl Logical {
    /// `timestamp-micros` is `timestamp` in `micros`; None where there is no unit.
    pub(crate) fn unit(&self) -> Option<(&str, &str)> {
        let (family, unit) = self.name.rsplit_once('-')?;
        matches!(unit, "millis" | "micros" | "nanos").then_some((family, unit))
    }
}

/// A type's own name, in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) full: String,
    pub(crate) aliases: Vec<String>,
}

impl Name {
    /// The name without its namespace.
    pub(crate) fn last(&self) -> &str {
        self.full.rsplit('.').next().unwrap_or(&self.full)
    }
}

/// A record's field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) has_default: bool,
    pub(crate) schema: Id,
}

/// One type.
#[derive(Debug)]
pub(crate) enum Node {
    Primitive(Primitive, Option<Logical>),
    Fixed {
        name: Name,
        size: u64,
        logical: Option<Logical>,
    },
    Enum {
        name: Name,
        symbols: Vec<String>,
        has_default: bool,
    },
    Record {
        name: Name,
        fields: Vec<Field>,
    },
    Array(Id),
    Map(Id),
    Union(Vec<Id>),
    /// A name whose definition is being read; none is left when it is.
    Open,
}

/// A whole schema.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    names: HashMap<String, Id>,
    pub(crate) root: Id,
}

impl Tree {
    /// Reads a schema. Recursion is bounded by the depth of the JSON, which its parser bounds.
    pub(crate) fn read(schema: &Value) -> Result<Tree, Unreadable> {
        let mut tree = Tree {
            nodes: Vec::new(),
            names: HashMap::new(),
            root: 0,
        };
        tree.root = tree.schema(schema, "", 0)?;
        Ok(tree)
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The type in a few words, as a person would say it.
    pub(crate) fn describe(&self, id: Id) -> String {
        match self.node(id) {
            Node::Primitive(kind, logical) => match logical {
                Some(l) if l.name == "decimal" => format!("decimal({},{})", l.precision, l.scale),
                Some(l) => l.name.clone(),
                None => kind.word().to_owned(),
            },
            Node::Fixed {
                logical: Some(l), ..
            } if l.name == "decimal" => {
                format!("decimal({},{})", l.precision, l.scale)
            }
            Node::Fixed { name, size, .. } => format!("fixed {} of {size} bytes", name.full),
            Node::Enum { name, .. } => format!("enum {}", name.full),
            Node::Record { name, .. } => format!("record {}", name.full),
            Node::Array(_) => "array".to_owned(),
            Node::Map(_) => "map".to_owned(),
            Node::Union(branches) => {
                let words: Vec<_> = branches.iter().map(|b| self.describe(*b)).collect();
                words.join(" or ")
            }
            Node::Open => "an unfinished type".to_owned(),
        }
    }

    fn push(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn schema(&mut self, schema: &Value, space: &str, depth: usize) -> Result<Id, Unreadable> {
        // The registry's answer is read with serde_json's own bound of 128; a tree that was
        // built in memory has none.
        if depth > 128 {
            return Err(Unreadable("it is nested too deep".to_owned()));
        }
        match schema {
            Value::String(word) => self.word(word, space),
            Value::Array(branches) => {
                let branches = branches
                    .iter()
                    .map(|branch| self.schema(branch, space, depth + 1))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(self.push(Node::Union(branches)))
            }
            Value::Object(object) => self.object(object, space, depth),
            _ => Err(Unreadable(
                "a schema is a name, a list or an object".to_owned(),
            )),
        }
    }

    fn word(&mut self, word: &str, space: &str) -> Result<Id, Unreadable> {
        if let Some(kind) = Primitive::from_word(word) {
            return Ok(self.push(Node::Primitive(kind, None)));
        }
        let full = full_name(word, space);
        self.names
            .get(&full)
            .or_else(|| self.names.get(word))
            .copied()
            .ok_or_else(|| Unreadable(format!("it names a type that it does not define, {full}")))
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        depth: usize,
    ) -> Result<Id, Unreadable> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            // {"type": {…}} and {"type": […]} stand for what is inside.
            Some(inner) => return self.schema(inner, space, depth + 1),
            None => return Err(Unreadable("a schema says no type".to_owned())),
        };
        match kind {
            "array" | "map" => {
                let key = if kind == "array" { "items" } else { "values" };
                let inner = object
                    .get(key)
                    .ok_or_else(|| Unreadable(format!("{kind} without {key}")))?;
                let inner = self.schema(inner, space, depth + 1)?;
                Ok(self.push(if kind == "array" {
                    Node::Array(inner)
                } else {
                    Node::Map(inner)
                }))
            }
            "record" | "error" => self.record(object, space, depth),
            "enum" => {
                let (id, name, _) = self.define(object, space)?;
                self.nodes[id] = Node::Enum {
                    name,
                    symbols: strings(object, "symbols"),
                    has_default: object.get("default").is_some_and(Value::is_string),
                };
                Ok(id)
            }
            "fixed" => {
                let (id, name, _) = self.define(object, space)?;
                let size = object.get("size").and_then(Value::as_u64);
                self.nodes[id] = Node::Fixed {
                    name,
                    size: size.ok_or_else(|| Unreadable("fixed without a size".to_owned()))?,
                    logical: logical(object),
                };
                Ok(id)
            }
            word => match Primitive::from_word(word) {
                Some(kind) => Ok(self.push(Node::Primitive(kind, logical(object)))),
                None => self.word(word, space),
            },
        }
    }

    fn record(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
        depth: usize,
    ) -> Result<Id, Unreadable> {
        let (id, name, inner_space) = self.define(object, space)?;
        let listed = object
            .get("fields")
            .and_then(Value::as_array)
            .ok_or_else(|| Unreadable(format!("record {} without fields", name.full)))?;
        let mut fields = Vec::with_capacity(listed.len());
        for field in listed {
            let field_name = field.get("name").and_then(Value::as_str);
            let (Some(field_name), Some(schema)) = (field_name, field.get("type")) else {
                return Err(Unreadable(format!(
                    "a field of {} lacks name or type",
                    name.full
                )));
            };
            fields.push(Field {
                name: field_name.to_owned(),
                aliases: field
                    .as_object()
                    .map_or_else(Vec::new, |f| strings(f, "aliases")),
                has_default: field.get("default").is_some(),
                schema: self.schema(schema, &inner_space, depth + 1)?,
            });
        }
        self.nodes[id] = Node::Record { name, fields };
        Ok(id)
    }

    /// Opens a named type, so that its own parts may name it: its number, its name, and the
    /// namespace of what is inside.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        space: &str,
    ) -> Result<(Id, Name, String), Unreadable> {
        let name = object
            .get("name")
            .and_then(Value::as_str)
            .ok_or_else(|| Unreadable("a named type without a name".to_owned()))?;
        let own = object.get("namespace").and_then(Value::as_str);
        let full = full_name(name, own.unwrap_or(space));
        let space = full
            .rsplit_once('.')
            .map_or("", |(space, _)| space)
            .to_owned();
        let aliases = strings(object, "aliases")
            .iter()
            .map(|alias| full_name(alias, &space))
            .collect();
        let id = self.push(Node::Open);
        if self.names.insert(full.clone(), id).is_some() {
            return Err(Unreadable(format!("it defines {full} twice")));
        }
        Ok((id, Name { full, aliases }, space))
    }
}

fn full_name(name: &str, space: &str) -> String {
    if space.is_empty() || name.contains('.') {
        name.to_owned()
    } else {
        format!("{space}.{name}")
    }
}

fn strings(object: &Map<String, Value>, key: &str) -> Vec<String> {
    let listed = object.get(key).and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn logical(object: &Map<String, Value>) -> Option<Logical> {
    let number = |key| object.get(key).and_then(Value::as_u64).unwrap_or(0);
    Some(Logical {
        name: object.get("logicalType")?.as_str()?.to_owned(),
        precision: number("precision"),
        scale: number("scale"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_resolved_in_their_namespace() {
        let tree = Tree::read(&json!({
            "type": "record", "name": "Order", "namespace": "shop", "aliases": ["Old", "x.Older"],
            "fields": [
                {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["A"]}},
                {"name": "before", "type": ["null", "Status"]},
                {"name": "parent", "type": ["null", "shop.Order"]},
            ]
        }))
        .unwrap();
        let Node::Record { name, fields } = tree.node(tree.root) else {
            panic!("a record")
        };
        assert_eq!(name.full, "shop.Order");
        assert_eq!(name.aliases, ["shop.Old", "x.Older"]);
        assert_eq!(tree.describe(fields[1].schema), "null or enum shop.Status");
        assert_eq!(tree.describe(fields[2].schema), "null or record shop.Order");
    }

    #[test]
    fn what_is_no_schema_is_refused_not_panicked_at() {
        for bad in [
            json!(7),
            json!({}),
            json!("Unknown"),
            json!({"type": "array"}),
            json!({"type": "fixed", "name": "F"}),
            json!({"type": "record", "name": "R"}),
            json!({"type": "record", "name": "R", "fields": [{}]}),
            json!({"type": "enum"}),
            json!([{"type": "enum", "name": "E", "symbols": []},
                   {"type": "enum", "name": "E", "symbols": []}]),
        ] {
            assert!(Tree::read(&bad).is_err(), "{bad}");
        }
        let mut deep = json!("int");
        for _ in 0..200 {
            deep = json!({"type": "array", "items": deep});
        }
        assert!(Tree::read(&deep).is_err());
    }
}
