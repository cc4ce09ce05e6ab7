//! Random schemas of events, each with JSON of its values and what they are.

mod values;

use serde_json::{Value as Json, json};

/// The same numbers for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Of any length in bits.
    fn number(&mut self, bits: u32) -> i128 {
        let some = (i128::from(self.next()) << 64 | i128::from(self.next())).unsigned_abs();
        let digits = self.below(u64::from(bits)) as u32;
        let value = (some & ((1u128 << digits) - 1)) as i128;
        if self.one_in(2) { -value } else { value }
    }
}

/// A type of a schema.
#[derive(Clone)]
pub(crate) enum Type {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    String,
    Uuid,
    Decimal {
        precision: u8,
        scale: u8,
        fixed: Option<(String, usize)>,
    },
    Date,
    /// Its own word, its type in Avro, and its unit in microseconds.
    Moment(&'static str, &'static str, i64),
    Enum(String, Vec<String>),
    /// A full name, and fields.
    Record {
        name: String,
        fields: Vec<(String, Type)>,
    },
    /// A record that was given its name before.
    Again(Box<Type>),
    Array(Box<Type>),
    Map(Box<Type>),
    /// With null; whether null is last.
    Nullable(Box<Type>, bool),
}

/// Makes types.
pub(crate) struct Schemas {
    pub(crate) dice: Dice,
    depth: usize,
    names: usize,
    /// What product files have, too.
    of_files: bool,
    records: Vec<Type>,
}

impl Schemas {
    pub(crate) fn new(dice: Dice, depth: usize) -> Schemas {
        Schemas {
            dice,
            depth,
            names: 0,
            of_files: false,
            records: Vec::new(),
        }
    }

    pub(crate) fn of_files(self) -> Schemas {
        Schemas {
            of_files: true,
            ..self
        }
    }

    pub(crate) fn event(&mut self) -> Type {
        self.record(self.depth, "shop.Event".to_owned())
    }

    /// A full name; each last name comes in three namespaces.
    fn name(&mut self) -> String {
        self.names += 1;
        let space = ["shop", "shop.more", "other"][self.names % 3];
        format!("{space}.A{}", self.names / 3)
    }

    fn record(&mut self, depth: usize, name: String) -> Type {
        let count = 1 + self.dice.below(5);
        let mut fields = Vec::new();
        for at in 0..count {
            let name = format!(
                "{}{at}",
                ["a", "Some_name_", "_x"][self.dice.below(3) as usize]
            );
            fields.push((name, self.r#type(depth)));
        }
        let record = Type::Record { name, fields };
        self.records.push(record.clone());
        record
    }

    fn r#type(&mut self, depth: usize) -> Type {
        match self.dice.one_in(3) {
            true => Type::Nullable(Box::new(self.solid(depth)), self.dice.one_in(2)),
            false => self.solid(depth),
        }
    }

    fn solid(&mut self, depth: usize) -> Type {
        let most = if depth == 0 { 10 } else { 15 };
        match self.dice.below(most) {
            0 => Type::Boolean,
            1 => Type::Int,
            2 => Type::Long,
            3 => Type::Float,
            4 => Type::Double,
            5 => Type::String,
            6 => Type::Uuid,
            7 => self.decimal(),
            8 => self.moment(),
            9 => {
                let name = self.name();
                Type::Enum(
                    name,
                    ["NEW", "PAID", "true", "_9"].map(str::to_owned).to_vec(),
                )
            }
            10 | 11 => {
                let name = self.name();
                self.record(depth - 1, name)
            }
            12 => match self.records.len() as u64 {
                0 => Type::Int,
                n => Type::Again(Box::new(self.records[self.dice.below(n) as usize].clone())),
            },
            13 if !self.of_files => Type::Map(Box::new(self.r#type(depth - 1))),
            _ => Type::Array(Box::new(self.r#type(depth - 1))),
        }
    }

    fn decimal(&mut self) -> Type {
        let precision = 1 + self.dice.below(38) as u8;
        let scale = self.dice.below(u64::from(precision) + 1) as u8;
        let enough = (f64::from(precision) * 10f64.log2() / 8.0 + 0.125).ceil() as usize;
        let fixed = (!self.of_files && self.dice.one_in(2))
            .then(|| (self.name(), enough + self.dice.below(9) as usize));
        Type::Decimal {
            precision,
            scale,
            fixed,
        }
    }

    fn moment(&mut self) -> Type {
        let all = [
            ("time-micros", "long", 1),
            ("timestamp-micros", "long", 1),
            ("local-timestamp-micros", "long", 1),
            ("time-millis", "int", 1000),
            ("timestamp-millis", "long", 1000),
            ("local-timestamp-millis", "long", 1000),
        ];
        let most = if self.of_files { 4 } else { 7 };
        match self.dice.below(most) {
            3 => Type::Date,
            at => {
                let (word, of, unit) = all[(at - u64::from(at > 3)) as usize];
                Type::Moment(word, of, unit)
            }
        }
    }
}

impl Type {
    /// Its schema.
    pub(crate) fn schema(&self) -> Json {
        self.schema_in("")
    }

    fn schema_in(&self, space: &str) -> Json {
        let named = |name: &str, kind: &str| {
            let (own, last) = name.rsplit_once('.').unwrap();
            // A name within its namespace says it, or leaves it out.
            match own == space {
                true => json!({"type": kind, "name": last}),
                false => json!({"type": kind, "name": last, "namespace": own}),
            }
        };
        match self {
            Type::Boolean => json!("boolean"),
            Type::Int => json!("int"),
            Type::Long => json!("long"),
            Type::Float => json!("float"),
            Type::Double => json!({"type": "double"}),
            Type::String => json!("string"),
            Type::Uuid => json!({"type": "string", "logicalType": "uuid"}),
            Type::Decimal {
                precision,
                scale,
                fixed,
            } => {
                let mut schema = match fixed {
                    None => json!({"type": "bytes"}),
                    Some((name, size)) => {
                        let mut fixed = named(name, "fixed");
                        fixed["size"] = json!(size);
                        fixed
                    }
                };
                schema["logicalType"] = json!("decimal");
                schema["precision"] = json!(precision);
                schema["scale"] = json!(scale);
                schema
            }
            Type::Date => json!({"type": "int", "logicalType": "date"}),
            Type::Moment(word, of, _) => json!({"type": of, "logicalType": word}),
            Type::Enum(name, symbols) => {
                let mut schema = named(name, "enum");
                schema["symbols"] = json!(symbols);
                schema
            }
            Type::Record { name, fields } => {
                let mut schema = named(name, "record");
                let own = name.rsplit_once('.').unwrap().0;
                let field = |(name, field): &(String, Type)| json!({"name": name, "type": field.schema_in(own)});
                schema["fields"] = fields.iter().map(field).collect();
                schema
            }
            Type::Again(record) => {
                let Type::Record { name, .. } = &**record else {
                    unreachable!()
                };
                match name.rsplit_once('.').unwrap() {
                    (own, last) if own == space => json!(last),
                    _ => json!(name),
                }
            }
            Type::Array(items) => json!({"type": "array", "items": items.schema_in(space)}),
            Type::Map(values) => json!({"type": "map", "values": values.schema_in(space)}),
            Type::Nullable(solid, true) => json!([solid.schema_in(space), "null"]),
            Type::Nullable(solid, false) => json!(["null", solid.schema_in(space)]),
        }
    }

    /// The field that a product's file has for it.
    pub(crate) fn in_file(&self, optional: bool) -> String {
        let null = if optional { ", optional: true" } else { "" };
        let word = match self {
            Type::Nullable(solid, _) => return solid.in_file(true),
            Type::Again(record) => return record.in_file(optional),
            Type::Boolean => "boolean".to_owned(),
            Type::Int => "int".to_owned(),
            Type::Long => "long".to_owned(),
            Type::Float => "float".to_owned(),
            Type::Double => "double".to_owned(),
            Type::String => "string".to_owned(),
            Type::Uuid => "uuid".to_owned(),
            Type::Decimal {
                precision, scale, ..
            } => format!("\"decimal({precision},{scale})\""),
            Type::Date => "date".to_owned(),
            Type::Moment(word, ..) => word.trim_end_matches("-micros").to_owned(),
            Type::Enum(_, symbols) => {
                let values: Vec<String> = symbols.iter().map(|s| format!("\"{s}\": {s}")).collect();
                format!("enum, values: {{ {} }}", values.join(", "))
            }
            Type::Record { fields, .. } => {
                let field =
                    |(name, field): &(String, Type)| format!("{name}: {}", field.in_file(false));
                let fields: Vec<String> = fields.iter().map(field).collect();
                format!("record, fields: {{ {} }}", fields.join(", "))
            }
            Type::Array(items) => format!("array, items: {}", items.in_file(false)),
            Type::Map(_) => unreachable!("no file has it"),
        };
        format!("{{ type: {word}{null} }}")
    }
}
