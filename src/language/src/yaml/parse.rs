//! The parser's events, gathered into a tree within bounds.

use std::collections::HashMap;

use onramp_finding::{Code, Span, codes::files};
use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Content, Entry, MAX_DEPTH, MAX_KEYS, MAX_NODES, Node};

/// Something wrong with the text itself; the file's name comes later.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) reason: Option<String>,
    pub(crate) remedy: Option<String>,
}

impl Fault {
    fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Fault {
            code,
            span,
            message: message.into(),
            reason: None,
            remedy: None,
        }
    }

    fn remedy(mut self, remedy: &str) -> Self {
        self.remedy = Some(remedy.to_owned());
        self
    }

    fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

/// The text's one document as a tree; the tree is missing where nothing could be made of it.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Fault>) {
    // The parser takes a NUL for the end of its input, so what follows would be passed over.
    if let Some((at, c)) = text
        .char_indices()
        .find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        let span = Span {
            start: at as u32,
            end: (at + c.len_utf8()) as u32,
        };
        let fault = Fault::new(
            &files::YAML,
            span,
            format!(
                "the control character U+{:04X} stands in the file",
                c as u32
            ),
        )
        .remedy("remove it; in a double-quoted text write it as an escape, e.g. \"\\x07\"");
        return (None, vec![fault]);
    }
    let mut builder = Builder::new(text);
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, &span),
            Err(e) => {
                let at = builder.bytes.of(e.marker().index());
                let span = Span { start: at, end: at };
                Err(Fault::new(&files::YAML, span, "this is not valid YAML")
                    .because(e.info().to_owned())
                    .remedy("look at this line and the one before it: indentation, an unclosed quote or brace, a `: ` that needs quotes"))
            }
        };
        if let Err(fault) = step {
            builder.faults.push(fault);
            return (None, builder.faults);
        }
    }
    (builder.root, builder.faults)
}

/// From the parser's character counts to bytes.
struct Bytes<'t> {
    text: &'t str,
    /// Of every character, where the text is not plain ASCII.
    starts: Option<Vec<u32>>,
}

impl<'t> Bytes<'t> {
    fn new(text: &'t str) -> Self {
        let starts =
            (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at as u32).collect());
        Bytes { text, starts }
    }

    fn of(&self, index: usize) -> u32 {
        let end = self.text.len() as u32;
        match &self.starts {
            None => (index as u32).min(end),
            Some(starts) => starts.get(index).copied().unwrap_or(end),
        }
    }

    /// The span in bytes, without the white space that the parser counts to a plain scalar.
    fn span(&self, span: &saphyr_parser::Span) -> Span {
        let start = self.of(span.start.index());
        let end = self.of(span.end.index()).max(start);
        let kept = self
            .text
            .get(start as usize..end as usize)
            .map_or(0, |t| t.trim_end().len());
        Span {
            start,
            end: start + kept as u32,
        }
    }
}

/// A map or list that is still open.
struct Open {
    anchor: usize,
    start: u32,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(Vec<Entry>, Option<(String, Span)>),
}

/// An anchored value, with what a repetition of it costs.
struct Anchored {
    node: Node,
    nodes: usize,
    height: usize,
}

struct Builder<'t> {
    bytes: Bytes<'t>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    faults: Vec<Fault>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Builder {
            bytes: Bytes::new(text),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            documents: 0,
            root: None,
            faults: Vec::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, at: &saphyr_parser::Span) -> Result<(), Fault> {
        let span = self.bytes.span(at);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(
                        Fault::new(&files::YAML, span, "a second document starts here").remedy(
                            "write one document a file: put what follows into a file of its own",
                        ),
                    );
                }
                Ok(())
            }
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.no_tag(tag.is_some(), span)?;
                let empty = style == ScalarStyle::Plain && span.start == span.end;
                let content = match empty {
                    true => Content::Empty,
                    false => Content::Text(text.into_owned()),
                };
                self.value(content, span, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.no_tag(tag.is_some(), span)?;
                self.enter(Inside::List(Vec::new()), span, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.no_tag(tag.is_some(), span)?;
                self.enter(Inside::Map(Vec::new(), None), span, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else {
                    return Ok(());
                };
                let span = self.closed(open.start, span.end);
                let content = match open.inside {
                    Inside::List(items) => Content::List(items),
                    Inside::Map(entries, _) => Content::Map(entries),
                };
                self.add(content, span, open.anchor)
            }
        }
    }

    /// From where it opened to the last thing that is not white space.
    fn closed(&self, start: u32, end: u32) -> Span {
        let end = end.max(start);
        let kept = self
            .bytes
            .text
            .get(start as usize..end as usize)
            .map_or(0, |t| t.trim_end().len());
        Span {
            start,
            end: start + kept as u32,
        }
    }

    fn no_tag(&self, tagged: bool, span: Span) -> Result<(), Fault> {
        match tagged {
            false => Ok(()),
            true => Err(Fault::new(&files::YAML, span, "a YAML tag stands here")
                .because("a type follows from the key, never from a tag")
                .remedy("remove the tag (`!…`)")),
        }
    }

    fn enter(&mut self, inside: Inside, span: Span, anchor: usize) -> Result<(), Fault> {
        self.charge(1, self.open.len() + 1, span)?;
        if let Some(Open {
            inside: Inside::Map(_, key @ None),
            ..
        }) = self.open.last_mut()
        {
            // Only to keep the order of keys and values; the fault ends the reading.
            *key = Some((String::new(), span));
            return Err(Fault::new(
                &files::YAML,
                span,
                "a map or list stands where a key must be",
            )
            .remedy("quote the key if it begins with `{` or `[`"));
        }
        self.open.push(Open {
            anchor,
            start: span.start,
            inside,
        });
        Ok(())
    }

    fn charge(&mut self, nodes: usize, depth: usize, span: Span) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Fault::new(
                &files::BOUNDS,
                span,
                format!("the file holds more than {MAX_NODES} values, aliases counted out"),
            )
            .remedy("split it into several files, or write less with aliases"));
        }
        if depth > MAX_DEPTH {
            return Err(Fault::new(
                &files::BOUNDS,
                span,
                format!("maps and lists stand more than {MAX_DEPTH} deep in each other"),
            )
            .remedy("nest less deeply"));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Fault> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Fault::new(
                &files::YAML,
                span,
                "an alias stands inside the value that it names",
            )
            .remedy("write the value out"));
        };
        let (nodes, height) = (anchored.nodes, anchored.height);
        self.charge(nodes, self.open.len() + height, span)?;
        let node = self.anchors[&id].node.clone();
        self.place(node)
    }

    /// A scalar: a key where a map waits for one, else a value.
    fn value(&mut self, content: Content, span: Span, anchor: usize) -> Result<(), Fault> {
        self.charge(1, self.open.len(), span)?;
        self.add(content, span, anchor)
    }

    fn add(&mut self, content: Content, span: Span, anchor: usize) -> Result<(), Fault> {
        let node = Node {
            span,
            content,
            setting: None,
        };
        if anchor != 0 {
            let (nodes, height) = measure(&node);
            let kept = Anchored {
                node: node.clone(),
                nodes,
                height,
            };
            self.anchors.insert(anchor, kept);
        }
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.inside {
            Inside::List(items) => items.push(node),
            Inside::Map(entries, key @ None) => match node.content {
                Content::Text(_) if entries.len() >= MAX_KEYS => {
                    let message = format!("a map holds more than {MAX_KEYS} keys");
                    return Err(Fault::new(&files::BOUNDS, node.span, message).remedy("split it"));
                }
                Content::Text(text) => {
                    if let Some(first) = entries.iter().find(|e| e.key == text) {
                        let line = self.bytes.text[..first.key_span.start as usize]
                            .matches('\n')
                            .count()
                            + 1;
                        self.faults.push(
                            Fault::new(
                                &files::DUPLICATE_KEY,
                                node.span,
                                format!("the key `{text}` stands here a second time"),
                            )
                            .because(format!(
                                "it stands in line {line} already, and one would hide the other"
                            ))
                            .remedy("remove one of the two, or rename it"),
                        );
                    }
                    *key = Some((text, node.span));
                }
                _ => {
                    return Err(Fault::new(&files::YAML, node.span, "a key is missing here")
                        .remedy("write `key: value`"));
                }
            },
            Inside::Map(entries, key) => {
                if let Some((text, key_span)) = key.take()
                    && !entries.iter().any(|e| e.key == text)
                {
                    entries.push(Entry {
                        key: text,
                        key_span,
                        value: node,
                    });
                }
            }
        }
        Ok(())
    }
}

/// How many values and how many levels a value holds, itself included.
fn measure(node: &Node) -> (usize, usize) {
    let mut nodes = 1;
    let mut height = 0;
    let mut count = |child: &Node| {
        let (n, h) = measure(child);
        nodes += n;
        height = height.max(h);
    };
    match &node.content {
        Content::Empty | Content::Text(_) => return (1, 0),
        Content::List(items) => items.iter().for_each(&mut count),
        Content::Map(entries) => entries.iter().for_each(|e| count(&e.value)),
    }
    (nodes, height + 1)
}
