//! Many paths into one document, found in one pass over its text.
//!
//! What each path alone would find ([`JsonPath::open`]) stands here in notes, whose room is a
//! [`Scratch`]'s: for a document nothing is allocated.

use super::path::Step;
use super::scan::Scan;
use super::{JsonFault, JsonPath};
use crate::Scratch;

/// Paths into one document, as a tree of what they have in common.
#[derive(Debug, Clone)]
pub struct JsonPaths {
    /// The root is the document. A node's own notes and those below it stand side by side.
    nodes: Vec<Node>,
    notes: usize,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Where what stands here is noted, if a path ends here.
    note: Option<usize>,
    /// The notes of all paths that go on from here.
    below: std::ops::Range<usize>,
    names: Vec<(String, usize)>,
    indexes: Vec<(usize, usize)>,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note<'j> {
    /// Nothing.
    Nothing,
    /// This text.
    Part(&'j str),
    /// A value on the way there has no such parts.
    OtherType,
}

/// Room for so many notes, for as long as the row's values are made.
pub fn room<'a>(count: usize, scratch: &'a Scratch) -> Result<&'a mut [Note<'a>], JsonFault> {
    let room = scratch.slice(count, Note::Nothing);
    room.ok_or(JsonFault::TooLong)
}

/// What stands at each path of a document.
#[derive(Debug, Clone, Copy)]
pub struct JsonNotes<'n, 'a> {
    notes: &'n [Note<'a>],
}

impl<'a> JsonNotes<'_, 'a> {
    /// What stands at a path, by the path's place in the list that [`JsonPaths::new`] gave.
    #[inline]
    pub fn part(&self, place: usize) -> Result<Option<&'a str>, JsonFault> {
        match self.notes.get(place) {
            None | Some(Note::Nothing) => Ok(None),
            Some(Note::Part(part)) => Ok(Some(part)),
            Some(Note::OtherType) => Err(JsonFault::OtherType),
        }
    }
}

impl JsonPaths {
    /// The paths, and the place of each among the notes; equal paths have one.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p JsonPath>) -> (JsonPaths, Vec<usize>) {
        let mut all = JsonPaths {
            nodes: vec![Node::default()],
            notes: 0,
        };
        let ends: Vec<usize> = paths.into_iter().map(|path| all.grow(path)).collect();
        for end in &ends {
            all.nodes[*end].note = Some(0);
        }
        all.number(0);
        let place = |end: &usize| all.nodes[*end].note.unwrap_or_default();
        let places = ends.iter().map(place).collect();
        (all, places)
    }

    /// The node in which a path ends.
    fn grow(&mut self, path: &JsonPath) -> usize {
        let mut at = 0;
        for step in path.steps() {
            let node = &self.nodes[at];
            let known = match step {
                Step::Name(name) => node
                    .names
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, id)| *id),
                Step::Index(index) => {
                    let mut known = node.indexes.iter();
                    known.find(|(i, _)| i == index).map(|(_, id)| *id)
                }
            };
            let next = known.unwrap_or(self.nodes.len());
            if known.is_none() {
                match step {
                    Step::Name(name) => self.nodes[at].names.push((name.clone(), next)),
                    Step::Index(index) => self.nodes[at].indexes.push((*index, next)),
                }
                self.nodes.push(Node::default());
            }
            at = next;
        }
        at
    }

    /// Numbers the notes so that those below a node stand side by side. No path is longer than
    /// its parser lets it be, which bounds the recursion.
    fn number(&mut self, at: usize) {
        if self.nodes[at].note.is_some() {
            self.nodes[at].note = Some(self.notes);
            self.notes += 1;
        }
        let first = self.notes;
        let below = &self.nodes[at];
        let names = below.names.iter().map(|(_, id)| *id);
        let all: Vec<usize> = names
            .chain(below.indexes.iter().map(|(_, id)| *id))
            .collect();
        for id in all {
            self.number(id);
        }
        self.nodes[at].below = first..self.notes;
    }

    /// How many notes there are.
    pub fn count(&self) -> usize {
        self.notes
    }

    /// Reads a document to its end, and notes what stands at each path.
    pub fn read<'a>(
        &self,
        document: &'a str,
        scratch: &'a Scratch,
    ) -> Result<JsonNotes<'a, 'a>, JsonFault> {
        self.read_into(document, room(self.notes, scratch)?)
    }

    /// The same into room for as many notes as there are.
    pub fn read_into<'n, 'a>(
        &self,
        document: &'a str,
        notes: &'n mut [Note<'a>],
    ) -> Result<JsonNotes<'n, 'a>, JsonFault> {
        notes.fill(Note::Nothing);
        let mut scan = Scan::new(document);
        self.note(0, &mut scan, 0, notes)?;
        scan.end()?;
        Ok(JsonNotes { notes })
    }

    /// Passes over the next value, which is a node's, and notes what the paths find in it. Of two
    /// members of one name the last counts.
    fn note<'j>(
        &self,
        at: usize,
        scan: &mut Scan<'j>,
        depth: usize,
        notes: &mut [Note<'j>],
    ) -> Result<&'j str, JsonFault> {
        let node = &self.nodes[at];
        if node.below.is_empty() {
            let part = scan.value_within(depth)?;
            if let Some(note) = node.note {
                notes[note] = Note::Part(part);
            }
            return Ok(part);
        }
        notes[node.below.clone()].fill(Note::Nothing);
        let part = match scan.next() {
            Some(b'{') => {
                self.others(node.indexes.iter().map(|(_, id)| *id), notes);
                self.members(node, scan, depth, notes)?
            }
            Some(b'[') => {
                self.others(node.names.iter().map(|(_, id)| *id), notes);
                self.elements(node, scan, depth, notes)?
            }
            // A null has no parts, and lacks none.
            Some(b'n') => scan.value_within(depth)?,
            _ => {
                notes[node.below.clone()].fill(Note::OtherType);
                scan.value_within(depth)?
            }
        };
        if let Some(note) = node.note {
            notes[note] = Note::Part(part);
        }
        Ok(part)
    }

    /// These nodes stand in a value of another type.
    fn others(&self, nodes: impl Iterator<Item = usize>, notes: &mut [Note<'_>]) {
        for id in nodes {
            let node = &self.nodes[id];
            let first = node.note.unwrap_or(node.below.start);
            notes[first..node.below.end].fill(Note::OtherType);
        }
    }

    fn members<'j>(
        &self,
        node: &Node,
        scan: &mut Scan<'j>,
        depth: usize,
        notes: &mut [Note<'j>],
    ) -> Result<&'j str, JsonFault> {
        let start = scan.open(depth)?;
        let depth = depth + 1;
        let mut more = scan.next() != Some(b'}');
        // Whoever writes documents mostly writes their members in one order.
        let mut next = 0;
        while more {
            let key = scan.name()?;
            let count = node.names.len();
            let found = (0..count)
                .map(|n| (next + n) % count)
                .find(|n| key.is(&node.names[*n].0));
            match found {
                Some(n) => {
                    next = (n + 1) % count;
                    self.note(node.names[n].1, scan, depth, notes)?;
                }
                None => {
                    scan.value_within(depth)?;
                }
            }
            more = scan.take(b',');
        }
        scan.close(start, b'}')
    }

    fn elements<'j>(
        &self,
        node: &Node,
        scan: &mut Scan<'j>,
        depth: usize,
        notes: &mut [Note<'j>],
    ) -> Result<&'j str, JsonFault> {
        let start = scan.open(depth)?;
        let depth = depth + 1;
        let mut more = scan.next() != Some(b']');
        let mut index = 0;
        while more {
            match node.indexes.iter().find(|(i, _)| *i == index) {
                Some((_, id)) => self.note(*id, scan, depth, notes)?,
                None => scan.value_within(depth)?,
            };
            index += 1;
            more = scan.take(b',');
        }
        scan.close(start, b']')
    }
}

/// The elements of a JSON array, each with what stands at paths in it.
#[derive(Debug)]
pub struct NotedElements<'p, 'n, 'a> {
    paths: &'p JsonPaths,
    scan: Scan<'a>,
    notes: &'n mut [Note<'a>],
    open: bool,
}

impl<'p, 'n, 'a> NotedElements<'p, 'n, 'a> {
    /// Of a part that is an array, and was read already; with room for as many notes as there are.
    pub fn of(
        part: &'a str,
        paths: &'p JsonPaths,
        notes: &'n mut [Note<'a>],
    ) -> Result<Self, JsonFault> {
        let mut scan = Scan::new(part);
        match scan.take(b'[') {
            true => Ok(NotedElements {
                paths,
                scan,
                notes,
                open: true,
            }),
            false => Err(JsonFault::OtherType),
        }
    }

    /// The next element's own text, with its notes.
    #[allow(clippy::should_implement_trait)] // The notes are lent until the next one.
    pub fn next(&mut self) -> Option<(&'a str, JsonNotes<'_, 'a>)> {
        if !self.open || self.scan.take(b']') {
            self.open = false;
            return None;
        }
        self.notes.fill(Note::Nothing);
        // Read once already, so it is whole.
        let element = self.paths.note(0, &mut self.scan, 0, self.notes).ok();
        self.open = element.is_some();
        self.scan.take(b',');
        let notes = JsonNotes { notes: self.notes };
        element.map(|element| (element, notes))
    }
}

/// The members of a JSON object, by name: of two of one name the last alone. Each is its name, its
/// place among the others, and its value.
#[allow(clippy::type_complexity)] // As it says.
pub fn members<'a>(
    part: &'a str,
    scratch: &'a Scratch,
) -> Result<&'a [(&'a str, usize, &'a str)], JsonFault> {
    let mut count = 0;
    each_member(part, |_, _| {
        count += 1;
        Ok(())
    })?;
    let room = scratch.slice(count, ("", 0, ""));
    let all: &mut [(&str, usize, &str)] = room.ok_or(JsonFault::TooLong)?;
    let mut at = 0;
    each_member(part, |name, value| {
        all[at] = (super::scan::unescaped(name, scratch)?, at, value);
        at += 1;
        Ok(())
    })?;
    all.sort_unstable_by_key(|(name, place, _)| (*name, *place));
    let mut kept = 0;
    for n in 0..all.len() {
        let is_last = all.get(n + 1).is_none_or(|next| next.0 != all[n].0);
        if is_last {
            all[kept] = all[n];
            kept += 1;
        }
    }
    Ok(&all[..kept])
}

/// Each member of an object that was read already, its name as it is spelt.
fn each_member<'a>(
    part: &'a str,
    mut member: impl FnMut(&'a str, &'a str) -> Result<(), JsonFault>,
) -> Result<(), JsonFault> {
    let mut scan = Scan::new(part);
    if !scan.take(b'{') {
        return Err(JsonFault::OtherType);
    }
    let mut more = !scan.take(b'}');
    while more {
        let key = scan.name()?;
        member(key.inside, scan.value_within(1)?)?;
        more = scan.take(b',');
    }
    Ok(())
}
