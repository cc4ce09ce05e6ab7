//! How what a source gives becomes what a field or an array's element holds, or why it cannot.

use onramp_connector::ValueType;
use onramp_finding::{Finding, Place, codes::mapping};
use onramp_language::{Fallback, Field, Otherwise, Shape, Source};

use super::Planner;
use crate::conversion::{self, Refused};
use crate::convert::Convert;
use crate::enumeration::Codes;
use crate::lookup::Table;

impl Planner<'_> {
    /// The conversion of a field or an element, and whether it is one to one; `json` for a part of
    /// JSON, whose numbers never declare a precision.
    pub(super) fn convert(
        &mut self,
        field: &Field,
        path: &str,
        source: Place,
        given: Option<&ValueType>,
        from: &str,
        json: bool,
    ) -> Option<(Convert, bool)> {
        let own = source_of(&field.shape)?;
        let parse = match own {
            Source::Column { parse, .. } | Source::Item { parse, .. } => parse.as_ref(),
            Source::Expression(_) | Source::Constant(_) => None,
        };
        let chosen = match &field.shape {
            Shape::Enum {
                values,
                default,
                otherwise,
                ..
            } => conversion::to_enum(given, values, otherwise).map(|()| {
                let codes = Codes::new(values, default.as_ref(), otherwise, field.optional);
                (Convert::Code(codes), Codes::one_to_one(values, otherwise))
            }),
            Shape::Scalar {
                r#type,
                lookup: Some(lookup),
                ..
            } => conversion::to_lookup(given, lookup).map(|()| {
                let table = Table::new(lookup, r#type.value, field.optional);
                (Convert::Lookup(table), false)
            }),
            Shape::Scalar { r#type, .. } => conversion::choose(given, r#type.value, parse),
            Shape::Record { .. } | Shape::Array { .. } | Shape::Map { .. } => return None,
        };
        match chosen {
            Ok((convert, one_to_one)) => {
                let open = matches!(convert, Convert::Decimal { .. })
                    && matches!(own, Source::Column { .. } | Source::Item { .. })
                    && !json
                    && given == Some(&ValueType::Decimal(None));
                if open {
                    self.say(
                        Finding::warning(
                            &mapping::DECIMAL_OPEN,
                            source,
                            format!("{from} declares no precision, and field {path} has one"),
                        )
                        .because(mapping::DECIMAL_OPEN.reason),
                    );
                }
                let convert = match (convert, field.in_avro.fixed) {
                    (Convert::Decimal { precision, scale }, Some(size)) => Convert::Fixed {
                        precision,
                        scale,
                        size,
                    },
                    (convert, _) => convert,
                };
                Some((convert, one_to_one))
            }
            Err(refused) => {
                self.refuse(field, path, source, from, refused);
                None
            }
        }
    }

    fn refuse(&mut self, field: &Field, path: &str, source: Place, from: &str, refused: Refused) {
        let Refused { code, reason, fix } = refused;
        // What a lookup or an enum takes has nothing to do with the field's own type.
        let (place, wanted) = match &field.shape {
            Shape::Scalar {
                r#type,
                lookup: None,
                ..
            } => (r#type.place(), r#type.value.word()),
            Shape::Scalar { .. } => (source, "a lookup's code".into()),
            _ => (source, "enum".into()),
        };
        let message = if code == &mapping::CODES {
            format!("the codes of field {path} do not fit {from}")
        } else {
            format!("{from} cannot become {wanted} (field {path})")
        };
        self.say(
            Finding::error(code, place, message)
                .because(reason)
                .remedy(fix),
        );
    }
}

/// The source of a field that has one of its own.
pub(super) fn source_of(shape: &Shape) -> Option<&Source> {
    match shape {
        Shape::Scalar { source, .. }
        | Shape::Enum { source, .. }
        | Shape::Array { source, .. }
        | Shape::Map { source, .. } => Some(source),
        Shape::Record { source, .. } => source.as_ref(),
    }
}

/// Whether null, as a code that is not listed, has a value.
pub(super) fn null_has_value(shape: &Shape) -> bool {
    match shape {
        Shape::Enum { otherwise, .. } => matches!(otherwise, Otherwise::Value(_)),
        Shape::Scalar {
            lookup: Some(lookup),
            ..
        } => matches!(lookup.otherwise, Fallback::Value(_)),
        _ => false,
    }
}
