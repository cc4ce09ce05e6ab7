//! Evaluation: one walk over the compiled tree, left to right, nothing looked up by name.

use std::cmp::Ordering;

use onramp_connector::Value;

use crate::builtin::{Call, To};
use crate::node::{Arithmetic, Comparison, MAX_PARTS, Node, Op};
use crate::{
    Cause, EvalError, JsonPath, Opened, Row, Scratch, calendar, decimal, json_value, text,
};

pub(crate) struct Run<'a, 'r, R> {
    pub(crate) row: &'r R,
    pub(crate) scratch: &'a Scratch,
}

type Outcome<T> = Result<T, EvalError>;

impl Node {
    #[cold]
    fn fail(&self, cause: Cause) -> EvalError {
        EvalError { cause, at: self.at }
    }

    #[cold]
    fn not_as_described(&self) -> EvalError {
        let slot = match self.op {
            Op::Slot(slot) => Some(slot),
            _ => None,
        };
        self.fail(Cause::NotAsDescribed { slot })
    }

    #[inline]
    fn slot<'a, R: Row<'a>>(&self, slot: usize, run: &Run<'a, '_, R>) -> Outcome<Value<'a>> {
        match run.row.value(slot) {
            Ok(Value::Float(v)) => Ok(Value::Double(f64::from(v))),
            Ok(value) => Ok(value),
            Err(reason) => Err(self.fail(Cause::Undecodable { slot, reason })),
        }
    }

    /// The value, of any type. Most operands are columns and constants: those cost no call.
    #[inline(always)]
    pub(crate) fn value<'a, R: Row<'a>>(&'a self, run: &Run<'a, '_, R>) -> Outcome<Value<'a>> {
        match &self.op {
            Op::Constant(constant) => Ok(constant.value()),
            Op::Slot(slot) => self.slot(*slot, run),
            _ => self.computed(run),
        }
    }

    #[inline(never)]
    fn computed<'a, R: Row<'a>>(&'a self, run: &Run<'a, '_, R>) -> Outcome<Value<'a>> {
        match &self.op {
            Op::If(abc) => {
                let [condition, yes, no] = &**abc;
                if condition.truth(run)? {
                    yes.value(run)
                } else {
                    no.value(run)
                }
            }
            Op::OrElse(ab) => match ab[0].value(run)? {
                Value::Null => ab[1].value(run),
                value => Ok(value),
            },
            Op::Arithmetic(how, ab) => self.arithmetic(*how, ab[0].value(run)?, ab[1].value(run)?),
            Op::Negate(a) => match a.value(run)? {
                Value::Int(v) => v.checked_neg().map(Value::Int),
                Value::Double(v) => Some(Value::Double(-v)),
                Value::Decimal(v) => decimal::negate(v).map(Value::Decimal),
                _ => return Err(a.not_as_described()),
            }
            .ok_or_else(|| self.fail(Cause::Overflow)),
            Op::Concat(parts) => self.joined(parts, run),
            Op::Convert(to, a) => self.convert(*to, a, run),
            Op::Json(opened, path, a) => self.json(*opened, path, a, run),
            Op::Call(call, arguments) => self.call(*call, arguments, run),
            _ => self.truth(run).map(Value::Bool),
        }
    }

    #[inline(never)]
    fn joined<'a, R: Row<'a>>(
        &self,
        parts: &'a [Node],
        run: &Run<'a, '_, R>,
    ) -> Outcome<Value<'a>> {
        let mut texts = [""; MAX_PARTS];
        for (text, part) in texts.iter_mut().zip(parts) {
            *text = part.text(run)?;
        }
        self.made(run.scratch.join(&texts[..parts.len().min(MAX_PARTS)]))
    }

    fn json<'a, R: Row<'a>>(
        &self,
        opened: Opened,
        path: &JsonPath,
        document: &'a Node,
        run: &Run<'a, '_, R>,
    ) -> Outcome<Value<'a>> {
        let document = match document.value(run)? {
            Value::Null => return Ok(Value::Null),
            Value::Text(text) => text,
            _ => return Err(document.not_as_described()),
        };
        let found = path.open(document).and_then(|part| match part {
            None => Ok(Value::Null),
            Some(part) => json_value(part, opened, run.scratch),
        });
        found.map_err(|why| self.fail(Cause::Json(why)))
    }

    fn made<'a>(&self, text: Option<&'a str>) -> Outcome<Value<'a>> {
        text.map(Value::Text)
            .ok_or_else(|| self.fail(Cause::TooLong))
    }

    #[inline]
    fn text<'a, R: Row<'a>>(&'a self, run: &Run<'a, '_, R>) -> Outcome<&'a str> {
        match self.value(run)? {
            Value::Text(text) => Ok(text),
            _ => Err(self.not_as_described()),
        }
    }

    fn int<'a, R: Row<'a>>(&'a self, run: &Run<'a, '_, R>) -> Outcome<i64> {
        match self.value(run)? {
            Value::Int(v) => Ok(v),
            _ => Err(self.not_as_described()),
        }
    }

    /// The value of a bool, which cannot be null.
    pub(crate) fn truth<'a, R: Row<'a>>(&'a self, run: &Run<'a, '_, R>) -> Outcome<bool> {
        Ok(match &self.op {
            Op::Has(slot) => !matches!(self.slot(*slot, run)?, Value::Null),
            Op::Not(a) => !a.truth(run)?,
            Op::And(ab) => ab[0].truth(run)? && ab[1].truth(run)?,
            Op::Or(ab) => ab[0].truth(run)? || ab[1].truth(run)?,
            Op::Equal(ab) => equal(ab[0].value(run)?, ab[1].value(run)?),
            Op::NotEqual(ab) => !equal(ab[0].value(run)?, ab[1].value(run)?),
            Op::Compare(how, ab) => {
                let (a, b) = (ab[0].value(run)?, ab[1].value(run)?);
                if a == Value::Null || b == Value::Null {
                    return Err(ab[usize::from(a != Value::Null)].not_as_described());
                }
                // Only NaN has no order; with it every comparison is false.
                order(a, b).is_some_and(|found| match how {
                    Comparison::Less => found == Ordering::Less,
                    Comparison::LessOrEqual => found != Ordering::Greater,
                    Comparison::Greater => found == Ordering::Greater,
                    Comparison::GreaterOrEqual => found != Ordering::Less,
                })
            }
            Op::InTexts(a, list) => {
                let text = a.text(run)?;
                list.binary_search_by(|entry| (**entry).cmp(text)).is_ok()
            }
            Op::InInts(a, list) => list.binary_search(&a.int(run)?).is_ok(),
            Op::In(a, list) => {
                let value = a.value(run)?;
                for entry in list {
                    if equal(value, entry.value(run)?) {
                        return Ok(true);
                    }
                }
                false
            }
            Op::Matches(a, pattern) => pattern.is_match(a.text(run)?),
            _ => match self.value(run)? {
                Value::Bool(v) => v,
                _ => return Err(self.not_as_described()),
            },
        })
    }

    fn arithmetic<'a>(&self, how: Arithmetic, a: Value<'a>, b: Value<'a>) -> Outcome<Value<'a>> {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        match (a, b) {
            (Value::Int(_), Value::Int(0)) if matches!(how, Divide | Remainder) => {
                return Err(self.fail(Cause::DivisionByZero));
            }
            (Value::Int(a), Value::Int(b)) => match how {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            }
            .map(Value::Int),
            (Value::Double(a), Value::Double(b)) => Some(Value::Double(match how {
                Add => a + b,
                Subtract => a - b,
                Multiply => a * b,
                Divide => a / b,
                Remainder => a % b,
            })),
            (Value::Decimal(a), Value::Decimal(b)) => match how {
                Add => decimal::add(a, b),
                Subtract => decimal::subtract(a, b),
                Multiply => decimal::multiply(a, b),
                Divide | Remainder => return Err(self.not_as_described()),
            }
            .map(Value::Decimal),
            _ => return Err(self.not_as_described()),
        }
        .ok_or_else(|| self.fail(Cause::Overflow))
    }

    fn call<'a, R: Row<'a>>(
        &'a self,
        call: Call,
        arguments: &'a [Node],
        run: &Run<'a, '_, R>,
    ) -> Outcome<Value<'a>> {
        let first = &arguments[0];
        let text = match first.value(run)? {
            Value::Text(text) => text,
            Value::Bytes(bytes) if call == Call::Size => return Ok(Value::Int(bytes.len() as i64)),
            _ => return Err(first.not_as_described()),
        };
        let ascii = |from: fn(&u8) -> bool, change: fn(&mut [u8])| {
            if !text.bytes().any(|byte| from(&byte)) {
                return Ok(Value::Text(text));
            }
            self.made(run.scratch.build(text.len(), |out| {
                out.copy_from_slice(text.as_bytes());
                change(out);
            }))
        };
        Ok(match call {
            Call::Size => Value::Int(text.chars().count() as i64),
            Call::StartsWith => Value::Bool(text.starts_with(arguments[1].text(run)?)),
            Call::EndsWith => Value::Bool(text.ends_with(arguments[1].text(run)?)),
            Call::Contains => Value::Bool(text.contains(arguments[1].text(run)?)),
            Call::LowerAscii => return ascii(u8::is_ascii_uppercase, <[u8]>::make_ascii_lowercase),
            Call::UpperAscii => return ascii(u8::is_ascii_lowercase, <[u8]>::make_ascii_uppercase),
            Call::Trim => Value::Text(text.trim()),
            Call::Replace => {
                let (old, new) = (arguments[1].text(run)?, arguments[2].text(run)?);
                return self.replace(text, old, new, run.scratch);
            }
            Call::Substring => {
                let start = arguments[1].int(run)?;
                let end = match arguments.get(2) {
                    Some(end) => Some(end.int(run)?),
                    None => None,
                };
                Value::Text(
                    text::substring(text, start, end)
                        .ok_or_else(|| self.fail(Cause::OutOfRange))?,
                )
            }
            Call::Matches | Call::OrElse | Call::To(_) | Call::Json(_) => {
                return Err(self.not_as_described());
            }
        })
    }

    fn replace<'a>(
        &self,
        text: &'a str,
        old: &str,
        new: &str,
        scratch: &'a Scratch,
    ) -> Outcome<Value<'a>> {
        let found = text.matches(old).count();
        if found == 0 {
            return Ok(Value::Text(text));
        }
        let len = (text.len() - found * old.len()).saturating_add(found.saturating_mul(new.len()));
        self.made(scratch.build(len, |out| {
            let (mut read, mut written) = (0, 0);
            let mut put = |part: &str| {
                out[written..written + part.len()].copy_from_slice(part.as_bytes());
                written += part.len();
            };
            for (at, _) in text.match_indices(old) {
                put(&text[read..at]);
                put(new);
                read = at + old.len();
            }
            put(&text[read..]);
        }))
    }

    fn convert<'a, R: Row<'a>>(
        &'a self,
        to: To,
        from: &'a Node,
        run: &Run<'a, '_, R>,
    ) -> Outcome<Value<'a>> {
        let value = from.value(run)?;
        let converted = match (to, value) {
            (_, Value::Null) => return Err(from.not_as_described()),
            (To::String, Value::Text(_))
            | (To::Int, Value::Int(_))
            | (To::Double, Value::Double(_))
            | (To::Decimal, Value::Decimal(_))
            | (To::Bool, Value::Bool(_))
            | (To::Bytes, Value::Bytes(_))
            | (To::Date, Value::Date(_))
            | (To::Time, Value::Time(_))
            | (To::Timestamp, Value::Timestamp(_))
            | (To::LocalTimestamp, Value::LocalTimestamp(_))
            | (To::Uuid, Value::Uuid(_)) => Some(value),
            (To::String, Value::Bytes(bytes)) => std::str::from_utf8(bytes).ok().map(Value::Text),
            (To::String, _) => {
                let mut line = text::Line::default();
                text::write(value, &mut line).map_err(|_| self.fail(Cause::TooLong))?;
                return self.made(run.scratch.join(&[line.text()]));
            }
            (To::Int, Value::Text(text)) => text.parse().ok().map(Value::Int),
            (To::Int, Value::Double(v)) => {
                // 2^63 is a float, the largest int is not.
                let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&v);
                return if fits {
                    Ok(Value::Int(v as i64))
                } else {
                    Err(self.fail(Cause::Overflow))
                };
            }
            (To::Int, Value::Decimal(v)) => {
                return decimal::truncated(v)
                    .map(Value::Int)
                    .ok_or_else(|| self.fail(Cause::Overflow));
            }
            (To::Double, Value::Int(v)) => Some(Value::Double(v as f64)),
            (To::Double, Value::Decimal(v)) => {
                let mut line = text::Line::default();
                decimal::write(v, &mut line).map_err(|_| self.fail(Cause::Overflow))?;
                line.text().parse().ok().map(Value::Double)
            }
            (To::Double, Value::Text(text)) => text
                .parse()
                .ok()
                .filter(|v: &f64| v.is_finite())
                .map(Value::Double),
            (To::Decimal, Value::Text(text)) => decimal::parse(text).map(Value::Decimal),
            (To::Decimal, Value::Int(v)) => Some(Value::Decimal(onramp_connector::Decimal {
                mantissa: i128::from(v),
                scale: 0,
            })),
            (To::Bool, Value::Text(text)) => match text {
                "true" | "True" | "TRUE" | "t" | "1" => Some(Value::Bool(true)),
                "false" | "False" | "FALSE" | "f" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            (To::Bytes, Value::Text(text)) => Some(Value::Bytes(text.as_bytes())),
            (To::Date, Value::Text(text)) => calendar::parse_date(text).map(Value::Date),
            (To::Date, Value::LocalTimestamp(v)) => calendar::day_of(v).map(Value::Date),
            (To::Time, Value::Text(text)) => calendar::parse_time(text).map(Value::Time),
            (To::Time, Value::LocalTimestamp(v)) => Some(Value::Time(calendar::time_of_day(v))),
            (To::Timestamp, Value::Text(t)) => calendar::parse_timestamp(t).map(Value::Timestamp),
            (To::LocalTimestamp, Value::Text(text)) => {
                calendar::parse_local(text).map(Value::LocalTimestamp)
            }
            (To::Uuid, Value::Text(text)) => text::parse_uuid(text).map(Value::Uuid),
            _ => return Err(from.not_as_described()),
        };
        converted.ok_or_else(|| self.fail(Cause::Conversion))
    }
}

/// Equality that takes null as a value; decimals by value, doubles as IEEE 754 has it.
fn equal(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Decimal(a), Value::Decimal(b)) => decimal::compare(a, b) == Ordering::Equal,
        (a, b) => a == b,
    }
}

fn order(a: Value<'_>, b: Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(&b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Decimal(a), Value::Decimal(b)) => Some(decimal::compare(a, b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(&b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(&b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(&b)),
        (Value::Time(a), Value::Time(b))
        | (Value::Timestamp(a), Value::Timestamp(b))
        | (Value::LocalTimestamp(a), Value::LocalTimestamp(b)) => Some(a.cmp(&b)),
        _ => None,
    }
}
