use std::fmt;

/// A rule of evolution; docs/evolution.md has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// A field that earlier events lack needs a default.
    FieldAdded,
    /// A field that earlier readers need may not go.
    FieldRemoved,
    /// A type changes only where Avro promotes one to the other.
    TypeChanged,
    /// A field keeps its meaning.
    LogicalTypeChanged,
    /// A time keeps its unit.
    UnitChanged,
    /// A decimal keeps its precision.
    PrecisionChanged,
    /// A decimal keeps its scale.
    ScaleChanged,
    /// What was null may not become required.
    MadeRequired,
    /// What was required may not become null for earlier readers.
    MadeOptional,
    /// A type that earlier events hold may not leave a union.
    BranchRemoved,
    /// A type that earlier readers do not know may not join a union.
    BranchAdded,
    /// A symbol that earlier events hold may not go, unless a default stands for it.
    SymbolRemoved,
    /// A symbol that earlier readers do not know may not come, unless they have a default.
    SymbolAdded,
    /// An enum that grows has a default symbol.
    EnumDefaultMissing,
    /// A fixed keeps its size.
    SizeChanged,
    /// A record, an enum and a fixed keep their names.
    NameChanged,
}

impl Rule {
    /// All of them, as docs/evolution.md lists them.
    pub const ALL: [Rule; 16] = [
        Rule::FieldAdded,
        Rule::FieldRemoved,
        Rule::TypeChanged,
        Rule::LogicalTypeChanged,
        Rule::UnitChanged,
        Rule::PrecisionChanged,
        Rule::ScaleChanged,
        Rule::MadeRequired,
        Rule::MadeOptional,
        Rule::BranchRemoved,
        Rule::BranchAdded,
        Rule::SymbolRemoved,
        Rule::SymbolAdded,
        Rule::EnumDefaultMissing,
        Rule::SizeChanged,
        Rule::NameChanged,
    ];

    /// Its stable name, for machines.
    pub fn word(self) -> &'static str {
        match self {
            Rule::FieldAdded => "field-added",
            Rule::FieldRemoved => "field-removed",
            Rule::TypeChanged => "type-changed",
            Rule::LogicalTypeChanged => "logical-type-changed",
            Rule::UnitChanged => "unit-changed",
            Rule::PrecisionChanged => "precision-changed",
            Rule::ScaleChanged => "scale-changed",
            Rule::MadeRequired => "made-required",
            Rule::MadeOptional => "made-optional",
            Rule::BranchRemoved => "branch-removed",
            Rule::BranchAdded => "branch-added",
            Rule::SymbolRemoved => "symbol-removed",
            Rule::SymbolAdded => "symbol-added",
            Rule::EnumDefaultMissing => "enum-default-missing",
            Rule::SizeChanged => "size-changed",
            Rule::NameChanged => "name-changed",
        }
    }

    /// What to do within the version; the other way is always a new version.
    pub fn remedy(self) -> &'static str {
        match self {
            Rule::FieldAdded => "make it optional with a default",
            Rule::FieldRemoved => "keep the field",
            Rule::TypeChanged
            | Rule::LogicalTypeChanged
            | Rule::UnitChanged
            | Rule::PrecisionChanged
            | Rule::ScaleChanged => {
                "keep the type and add an optional field with a default beside it"
            }
            Rule::MadeRequired => "keep it optional",
            Rule::MadeOptional => {
                "keep it required and add an optional field with a default beside it"
            }
            Rule::BranchRemoved | Rule::BranchAdded => "keep the union's types",
            Rule::SymbolRemoved => "keep the symbol, or give the enum a default",
            Rule::SymbolAdded => "map the new code to a symbol that earlier versions have",
            Rule::EnumDefaultMissing => "give the enum a default symbol",
            Rule::SizeChanged => "keep the size",
            Rule::NameChanged => "keep the name",
        }
    }

    /// Whether Avro's own compatibility check knows the rule too.
    pub fn is_avros(self) -> bool {
        !matches!(
            self,
            Rule::LogicalTypeChanged
                | Rule::UnitChanged
                | Rule::PrecisionChanged
                | Rule::ScaleChanged
                | Rule::EnumDefaultMissing
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
