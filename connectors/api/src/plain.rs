//! Rows in a layout of no database: for whoever has values, and no server that sends them.

use crate::{
    Cell, ColumnDecoder, Decimal, Elements, TableDescription, TableLayout, Undecodable, Value,
    ValueType,
};

/// What a cell begins with: how it is to be read, and how many bytes follow.
const HEAD: usize = 5;
const NULL: u8 = 0;
const LEFT_OUT: u8 = 1;
const VALUE: u8 = 2;

/// Appends a cell to a row; None is a value that the log left out. Cells stand in the order of the
/// table's columns.
pub fn push(row: &mut Vec<u8>, cell: Option<Value<'_>>) {
    match cell {
        None => push_cell(row, Cell::Unchanged),
        Some(Value::Null) => push_cell(row, Cell::Null),
        Some(value) => push_cell(row, Cell::Raw(&raw(&value))),
    }
}

/// Appends a cell in an encoding of the caller's, who has decoders for it.
pub fn push_cell(row: &mut Vec<u8>, cell: Cell<'_>) {
    let (tag, bytes) = match cell {
        Cell::Unchanged => (LEFT_OUT, &[][..]),
        Cell::Null => (NULL, &[][..]),
        Cell::Raw(bytes) => (VALUE, bytes),
    };
    row.push(tag);
    row.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    row.extend_from_slice(bytes);
}

/// Appends a list to a row: elements of this type, None for null.
pub fn push_list(row: &mut Vec<u8>, of: &ValueType, elements: &[Option<Value<'_>>]) {
    let mut list = vec![code(of)];
    list.extend_from_slice(&(elements.len() as u32).to_le_bytes());
    for element in elements {
        push(&mut list, Some(element.unwrap_or(Value::Null)));
    }
    row.push(VALUE);
    row.extend_from_slice(&(list.len() as u32).to_le_bytes());
    row.extend_from_slice(&list);
}

/// How such rows of a table are read.
pub fn layout(table: &TableDescription) -> TableLayout {
    let columns = table.columns.iter();
    TableLayout {
        name: table.name.clone(),
        columns: columns
            .map(|c| (c.name.clone(), c.value_type.clone(), decoder(&c.value_type)))
            .collect(),
        before: table.before.clone(),
        read,
    }
}

fn raw(value: &Value<'_>) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Bool(v) => vec![u8::from(*v)],
        Value::Int(v) | Value::Time(v) | Value::LocalTimestamp(v) | Value::Timestamp(v) => {
            v.to_le_bytes().to_vec()
        }
        Value::Float(v) => v.to_le_bytes().to_vec(),
        Value::Double(v) => v.to_le_bytes().to_vec(),
        Value::Decimal(v) => [&[v.scale][..], &v.mantissa.to_le_bytes()].concat(),
        Value::Text(v) => v.as_bytes().to_vec(),
        Value::Bytes(v) => v.to_vec(),
        Value::Date(v) => v.to_le_bytes().to_vec(),
        Value::Uuid(v) => v.to_vec(),
        // Its elements' type is not known here: `push_list` writes lists.
        Value::Array(_) => Vec::new(),
    }
}

/// The types that a list may be of; a list says which by the place here.
const ELEMENTS: [ValueType; 13] = [
    ValueType::Bool,
    ValueType::Int(64),
    ValueType::Float,
    ValueType::Double,
    ValueType::Decimal(None),
    ValueType::Text,
    ValueType::Json,
    ValueType::Bytes,
    ValueType::Date,
    ValueType::Time,
    ValueType::LocalTimestamp,
    ValueType::Timestamp,
    ValueType::Uuid,
];

/// The place of an element's type among [`ELEMENTS`]; one beyond them has no decoder.
fn code(of: &ValueType) -> u8 {
    let like = match of {
        ValueType::Int(_) => &ValueType::Int(64),
        ValueType::Decimal(_) => &ValueType::Decimal(None),
        ValueType::Enum(_) => &ValueType::Text,
        other => other,
    };
    let place = ELEMENTS.iter().position(|known| known == like);
    place.unwrap_or(ELEMENTS.len()) as u8 // at most 13
}

/// Decodes a list that [`push_list`] wrote.
///
/// # Errors
/// It is none.
pub fn list(bytes: &[u8]) -> Result<Value<'_>, Undecodable> {
    let (of, rest) = bytes.split_first().ok_or(Undecodable::Malformed)?;
    let (count, rest) = rest
        .split_first_chunk::<4>()
        .ok_or(Undecodable::Malformed)?;
    let of = ELEMENTS
        .get(usize::from(*of))
        .ok_or(Undecodable::Malformed)?;
    let count = u32::from_le_bytes(*count);
    Ok(Value::Array(Elements::new(rest, count, cell, decoder(of))))
}

/// The cell at the front.
fn cell(bytes: &[u8]) -> Result<(Cell<'_>, &[u8]), Undecodable> {
    let (head, rest) = bytes.split_at_checked(HEAD).ok_or(Undecodable::Malformed)?;
    let length = u32::from_le_bytes(fixed(&head[1..])?) as usize;
    let (value, rest) = rest
        .split_at_checked(length)
        .ok_or(Undecodable::Malformed)?;
    let cell = match head[0] {
        NULL => Cell::Null,
        LEFT_OUT => Cell::Unchanged,
        _ => Cell::Raw(value),
    };
    Ok((cell, rest))
}

/// Finds columns in such a row.
///
/// # Errors
/// The row is none.
pub fn read<'a>(
    mut row: &'a [u8],
    wanted: &[u16],
    out: &mut Vec<Cell<'a>>,
) -> Result<(), Undecodable> {
    let mut cells = Vec::new();
    while !row.is_empty() {
        let (found, rest) = cell(row)?;
        cells.push(found);
        row = rest;
    }
    for at in wanted {
        out.push(*cells.get(usize::from(*at)).ok_or(Undecodable::Malformed)?);
    }
    Ok(())
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable::Malformed)
}

fn decoder(value_type: &ValueType) -> ColumnDecoder {
    match value_type {
        ValueType::Bool => |b| Ok(Value::Bool(b == [1])),
        ValueType::Int(_) => |b| Ok(Value::Int(i64::from_le_bytes(fixed(b)?))),
        ValueType::Float => |b| Ok(Value::Float(f32::from_le_bytes(fixed(b)?))),
        ValueType::Double => |b| Ok(Value::Double(f64::from_le_bytes(fixed(b)?))),
        ValueType::Decimal(_) => |b| {
            let (scale, mantissa) = b.split_first().ok_or(Undecodable::Malformed)?;
            Ok(Value::Decimal(Decimal {
                mantissa: i128::from_le_bytes(fixed(mantissa)?),
                scale: *scale,
            }))
        },
        ValueType::Text | ValueType::Enum(_) | ValueType::Json => |b| {
            std::str::from_utf8(b)
                .map(Value::Text)
                .map_err(|_| Undecodable::Encoding)
        },
        ValueType::Bytes => |b| Ok(Value::Bytes(b)),
        ValueType::Date => |b| Ok(Value::Date(i32::from_le_bytes(fixed(b)?))),
        ValueType::Time => |b| Ok(Value::Time(i64::from_le_bytes(fixed(b)?))),
        ValueType::LocalTimestamp => |b| Ok(Value::LocalTimestamp(i64::from_le_bytes(fixed(b)?))),
        ValueType::Timestamp => |b| Ok(Value::Timestamp(i64::from_le_bytes(fixed(b)?))),
        ValueType::Uuid => |b| Ok(Value::Uuid(fixed(b)?)),
        ValueType::Array(_) => list,
        ValueType::Unsupported => |_| Err(Undecodable::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_read_and_a_row_that_is_cut_is_refused() {
        let mut row = Vec::new();
        for cell in [Some(Value::Int(-7)), Some(Value::Null), None] {
            push(&mut row, cell);
        }
        let mut cells = Vec::new();
        read(&row, &[0, 1, 2], &mut cells).unwrap();
        let number = cells[0].decode(decoder(&ValueType::Int(64)));
        assert_eq!(number, Ok(Value::Int(-7)));
        assert_eq!(cells[1..], [Cell::Null, Cell::Unchanged]);
        let mut lists = Vec::new();
        push_list(
            &mut lists,
            &ValueType::Int(32),
            &[Some(Value::Int(3)), None],
        );
        let mut found = Vec::new();
        read(&lists, &[0], &mut found).unwrap();
        let array = ValueType::Array(std::sync::Arc::new(ValueType::Int(32)));
        let Ok(Value::Array(elements)) = found[0].decode(decoder(&array)) else {
            panic!("a list is read as one");
        };
        let elements: Vec<_> = elements.iter().collect();
        assert_eq!(elements, [Ok(Value::Int(3)), Ok(Value::Null)]);
        for end in 1..row.len() {
            let mut cells = Vec::new();
            assert_eq!(
                read(&row[..end], &[2], &mut cells),
                Err(Undecodable::Malformed)
            );
        }
    }
}
