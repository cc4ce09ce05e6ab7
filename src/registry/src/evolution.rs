//! Whether a new schema may follow an earlier one, by rules of our own.
//!
//! They are Avro's rules of schema resolution and a few more: Avro's checkers pass over logical
//! types, so that a changed scale, unit or meaning would reach consumers as a wrong number.
//! docs/evolution.md lists them. What comes in: two schemas as JSON. What never does: a registry.

use std::collections::HashSet;

use serde_json::Value;

use crate::Level;
use crate::rule::Rule;
use crate::tree::{Id, Logical, Name, Node, Tree, Unreadable};

/// A change that the level does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, e.g. `address.street` or `lines[].sku`; empty for the record itself.
    pub path: String,
    /// The rule that it breaks.
    pub rule: Rule,
    /// What changed.
    pub message: String,
    /// Whom it breaks.
    pub reason: String,
    /// What to do within this version; starting a new version is always the other way.
    pub remedy: &'static str,
}

/// Every change from `old` to `new` that the level does not allow.
///
/// Says nothing of which earlier versions count: [`Level::binding`] does.
///
/// # Errors
/// [`Unreadable`] where one of them is no Avro schema; the message says which.
pub fn violations(old: &Value, new: &Value, level: Level) -> Result<Vec<Violation>, Unreadable> {
    if level == Level::None {
        return Ok(Vec::new());
    }
    let old = Tree::read(old).map_err(|why| Unreadable(format!("the earlier schema: {why}")))?;
    let new = Tree::read(new).map_err(|why| Unreadable(format!("the new schema: {why}")))?;
    let mut found = Vec::new();
    if level.is_backward() {
        Walk::start(&new, &old, true, &mut found);
    }
    if level.is_forward() {
        Walk::start(&old, &new, false, &mut found);
    }
    Ok(found)
}

/// One direction: what `reader` makes of what `writer` wrote.
struct Walk<'a> {
    reader: &'a Tree,
    writer: &'a Tree,
    /// The new schema is the reader.
    backward: bool,
    /// Pairs that were looked at: types recur, and each is worth one look.
    seen: HashSet<(Id, Id)>,
    found: &'a mut Vec<Violation>,
}

impl<'a> Walk<'a> {
    fn start(reader: &'a Tree, writer: &'a Tree, backward: bool, found: &'a mut Vec<Violation>) {
        let mut walk = Walk {
            reader,
            writer,
            backward,
            seen: HashSet::new(),
            found,
        };
        walk.pair(reader.root, writer.root, "");
    }

    fn violation(&mut self, path: &str, rule: Rule, message: String) {
        let reason = if self.backward {
            "a reader of the new version could not read the events of the earlier one"
        } else {
            "consumers that read by the earlier version could not read the new events"
        };
        self.because(path, rule, message, reason);
    }

    fn because(&mut self, path: &str, rule: Rule, message: String, reason: &str) {
        let known = self
            .found
            .iter()
            .any(|v| v.path == path && v.rule == rule && v.message == message);
        // Both directions often find the same change; one of them says it.
        if !known {
            self.found.push(Violation {
                path: path.to_owned(),
                rule,
                message,
                reason: reason.to_owned(),
                remedy: rule.remedy(),
            });
        }
    }

    /// `changed from A to B`, in the order of time.
    fn changed(&self, reader: Id, writer: Id) -> String {
        let (r, w) = (self.reader.describe(reader), self.writer.describe(writer));
        let (old, new) = if self.backward { (w, r) } else { (r, w) };
        format!("changed from {old} to {new}")
    }

    fn pair(&mut self, r: Id, w: Id, path: &str) {
        if !self.seen.insert((r, w)) {
            return;
        }
        let (reader, writer) = (self.reader, self.writer);
        match (reader.node(r), writer.node(w)) {
            (Node::Union(_), _) | (_, Node::Union(_)) => self.union(r, w, path),
            (Node::Primitive(rk, rl), Node::Primitive(wk, wl)) => {
                if !rk.reads(*wk) || (rl.is_some() && rl == wl && rk != wk) {
                    let message = self.changed(r, w);
                    self.violation(path, Rule::TypeChanged, message);
                } else {
                    self.logical(rl.as_ref(), wl.as_ref(), r, w, path);
                }
            }
            (
                Node::Fixed {
                    name: rn,
                    size: rs,
                    logical: rl,
                },
                Node::Fixed {
                    name: wn,
                    size: ws,
                    logical: wl,
                },
            ) => {
                self.name(rn, wn, path);
                if rs != ws {
                    let (old, new) = if self.backward { (ws, rs) } else { (rs, ws) };
                    let message = format!("changed its size from {old} to {new} bytes");
                    self.violation(path, Rule::SizeChanged, message);
                }
                self.logical(rl.as_ref(), wl.as_ref(), r, w, path);
            }
            (
                Node::Enum {
                    name: rn,
                    symbols: rs,
                    has_default: rd,
                },
                Node::Enum {
                    name: wn,
                    symbols: ws,
                    has_default: wd,
                },
            ) => {
                self.name(rn, wn, path);
                self.symbols((rs, *rd), (ws, *wd), path);
            }
            (
                Node::Record {
                    name: rn,
                    fields: rf,
                },
                Node::Record {
                    name: wn,
                    fields: wf,
                },
            ) => {
                self.name(rn, wn, path);
                self.fields(rf, wf, path);
            }
            (Node::Array(r), Node::Array(w)) => self.pair(*r, *w, &format!("{path}[]")),
            (Node::Map(r), Node::Map(w)) => self.pair(*r, *w, &format!("{path}{{}}")),
            _ => {
                let message = self.changed(r, w);
                self.violation(path, Rule::TypeChanged, message);
            }
        }
    }

    fn logical(&mut self, r: Option<&Logical>, w: Option<&Logical>, ri: Id, wi: Id, path: &str) {
        let rule = match (r, w) {
            (None, None) => return,
            (Some(r), Some(w)) if r == w => return,
            (Some(r), Some(w)) if r.name == "decimal" && w.name == "decimal" => {
                if r.scale == w.scale {
                    Rule::PrecisionChanged
                } else {
                    Rule::ScaleChanged
                }
            }
            (Some(r), Some(w)) if r.name == w.name => return,
            (Some(r), Some(w)) => match (r.unit(), w.unit()) {
                (Some((r, _)), Some((w, _))) if r == w => Rule::UnitChanged,
                _ => Rule::LogicalTypeChanged,
            },
            _ => Rule::LogicalTypeChanged,
        };
        let message = self.changed(ri, wi);
        let reason = "avro resolves the two without an error, so that consumers would take the \
                      value for another one";
        self.because(path, rule, message, reason);
    }

    fn name(&mut self, reader: &Name, writer: &Name, path: &str) {
        if reader.full == writer.full || reader.aliases.contains(&writer.full) {
            return;
        }
        let (old, new) = if self.backward {
            (writer, reader)
        } else {
            (reader, writer)
        };
        let message = format!("changed its name from {} to {}", old.full, new.full);
        self.violation(path, Rule::NameChanged, message);
    }

    fn symbols(&mut self, reader: (&[String], bool), writer: (&[String], bool), path: &str) {
        let unknown: Vec<&str> = (writer.0.iter())
            .filter(|symbol| !reader.0.contains(symbol))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() && !reader.1 {
            let listed = unknown.join(", ");
            if self.backward {
                let message = format!("lost {listed} from its symbols, and has no default");
                self.violation(path, Rule::SymbolRemoved, message);
            } else {
                let message =
                    format!("gained {listed}, and the earlier version has no default symbol");
                self.violation(path, Rule::SymbolAdded, message);
            }
        }
        let (old, new) = if self.backward {
            (writer, reader)
        } else {
            (reader, writer)
        };
        let grew = new.0.iter().any(|symbol| !old.0.contains(symbol));
        if grew && !new.1 {
            let reason = "readers of this version could not read the next symbol either";
            let message = "grew without a default symbol".to_owned();
            self.because(path, Rule::EnumDefaultMissing, message, reason);
        }
    }

    fn fields(&mut self, reader: &[crate::tree::Field], writer: &[crate::tree::Field], path: &str) {
        for field in reader {
            let at = join(path, &field.name);
            let written = std::iter::once(&field.name)
                .chain(&field.aliases)
                .find_map(|name| writer.iter().find(|w| w.name == *name));
            if let Some(written) = written {
                self.pair(field.schema, written.schema, &at);
            } else if !field.has_default {
                if self.backward {
                    let message = "was added without a default".to_owned();
                    self.violation(&at, Rule::FieldAdded, message);
                } else {
                    let renamed = writer.iter().find(|w| w.aliases.contains(&field.name));
                    let message = renamed.map_or_else(
                        || "was removed, and had no default".to_owned(),
                        |to| format!("was renamed to {}, and had no default", to.name),
                    );
                    self.violation(&at, Rule::FieldRemoved, message);
                }
            }
        }
    }

    fn union(&mut self, r: Id, w: Id, path: &str) {
        let readers = branches(self.reader, r);
        let writers = branches(self.writer, w);
        let one = |tree: &Tree, ids: &[Id]| {
            let mut solid = ids.iter().copied().filter(|id| !is_null(tree, *id));
            solid.next().filter(|_| solid.next().is_none())
        };
        let sole = one(self.reader, &readers).zip(one(self.writer, &writers));
        for branch in writers {
            if is_null(self.writer, branch) {
                if !readers.iter().any(|id| is_null(self.reader, *id)) {
                    let (rule, message) = if self.backward {
                        (Rule::MadeRequired, "was optional and is required")
                    } else {
                        (Rule::MadeOptional, "was required and is optional")
                    };
                    self.violation(path, rule, message.to_owned());
                }
            } else if let Some((reader, writer)) = sole {
                // An optional value on one side or on both: what it holds is what is compared.
                self.pair(reader, writer, path);
            } else if let Some(reader) = self.branch_for(&readers, branch) {
                self.pair(reader, branch, path);
            } else {
                let what = self.writer.describe(branch);
                let (rule, message) = if self.backward {
                    (Rule::BranchRemoved, format!("no longer takes {what}"))
                } else {
                    (Rule::BranchAdded, format!("now takes {what} too"))
                };
                self.violation(path, rule, message);
            }
        }
    }

    /// The branch that a value of the written branch is read by: the same type, or the first
    /// that it is promoted to.
    fn branch_for(&self, readers: &[Id], written: Id) -> Option<Id> {
        let w = self.writer.node(written);
        let same = |id: &&Id| match (self.reader.node(**id), w) {
            (Node::Primitive(r, _), Node::Primitive(w, _)) => r == w,
            (Node::Array(_), Node::Array(_)) | (Node::Map(_), Node::Map(_)) => true,
            (Node::Record { name: r, .. }, Node::Record { name: w, .. })
            | (Node::Enum { name: r, .. }, Node::Enum { name: w, .. })
            | (Node::Fixed { name: r, .. }, Node::Fixed { name: w, .. }) => {
                r.full == w.full || r.aliases.contains(&w.full) || r.last() == w.last()
            }
            _ => false,
        };
        let promoted = |id: &&Id| match (self.reader.node(**id), w) {
            (Node::Primitive(r, None), Node::Primitive(w, None)) => r.reads(*w),
            _ => false,
        };
        readers
            .iter()
            .find(same)
            .or_else(|| readers.iter().find(promoted))
            .copied()
    }
}

fn branches(tree: &Tree, id: Id) -> Vec<Id> {
    match tree.node(id) {
        Node::Union(branches) => branches.clone(),
        _ => vec![id],
    }
}

fn is_null(tree: &Tree, id: Id) -> bool {
    matches!(
        tree.node(id),
        Node::Primitive(crate::tree::Primitive::Null, _)
    )
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
